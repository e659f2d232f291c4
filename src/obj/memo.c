/* memo.c - which nodes have been met, and the number that each was given: a table that grows.
 *
 * Most objects hold a few shared nodes or none: these are found in the memo itself, and cost no
 * memory. */
#include "node.h"
#include <string.h>

static memo_cell *cell_of(memo_cell *cells, size_t room, const node *n)
{
    size_t i = (size_t)((uint64_t)(uintptr_t)n * UINT64_C(0x9e3779b97f4a7c15) >> 20);
    while (cells[i & (room - 1)].node != NULL && cells[i & (room - 1)].node != n) {
        i++;
    }
    return &cells[i & (room - 1)];
}

static int grow(memo_table *m)
{
    size_t room = m->room == 0 ? MEMO_FIRST : m->room * 8;
    memo_cell *cells =
        m->room == 0 ? memset(m->first, 0, sizeof m->first) : kin__os_calloc(room, sizeof *cells);
    if (cells == NULL) {
        return kin__fail(KIN_ENOMEM, "no memory to remember %zu objects that are shared", m->used);
    }
    for (size_t i = 0; i < m->room; i++) {
        if (m->cells[i].node != NULL) {
            *cell_of(cells, room, m->cells[i].node) = m->cells[i];
        }
    }
    memo_end(m);
    m->cells = cells;
    m->room = room;
    return 0;
}

int kin__memo_add(memo_table *m, const node *n, size_t number)
{
    int rv = m->used * 2 < m->room ? 0 : grow(m);
    if (rv == 0) {
        *cell_of(m->cells, m->room, n) = (memo_cell){ n, number };
        m->used++;
    }
    return rv;
}

memo_cell *kin__memo_find(const memo_table *m, const node *n)
{
    memo_cell *c = m->room == 0 ? NULL : cell_of(m->cells, m->room, n);
    return c == NULL || c->node == NULL ? NULL : c;
}
