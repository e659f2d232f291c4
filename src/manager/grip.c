/* grip.c - over which connection a lock elsewhere was acquired.
 *
 * Idea. Over there a lock is held by a connection, and goes back when that ends, also for a timeout
 * of some other call. But a plain lock may be released by anybody, as in Python: so who has lost
 * it, and does not know, would open it for who has it by now. Therefore a proxy notes for each
 * thread over which wire that acquired it, and asks before a release whether that is still there.
 *
 *      proxy --> { thread 1, wire 7 } --> { thread 2, none }      link: wires 8, 9 -- 7 has gone
 *
 * Rules.
 *   R1  An entry is written by its thread alone, under the links' lock; that finds its place before
 *       it acquires anything, so that nothing fails after it.
 *   R2  Where the thread has noted nothing, but others of this process have, and all of their wires
 *       are gone, it is one of those locks that is released. Else, whoever holds it, it is asked
 *       for, as ever.
 *   R3  That it was lost is said once; then there is nothing noted.
 *   R4  A Python manager's locks stay locked when a connection ends: nothing is noted of them.
 *
 * Death. Entries are this process's memory. A forked child passes by those of its parent.
 *
 * Not here. Rlocks, notify and wait: the other side knows who holds it. Semaphores: a plain one's
 * permit does not go back with its connection, and an .owned one knows who has it.
 */
#include "proxy.h"

struct kin__grip {
    struct kin__grip *next;
    pid_t pid;
    uint32_t thread; /* whose, for good */
    pid_t tid;
    uint64_t wire; /* its number; 0: nothing is noted */
};

/* Under the lock. */
static kin__grip *find(const kin__proxy *proxy)
{
    uint32_t thread = kin__this_thread();
    pid_t pid = kin__os_getpid();
    kin__grip *g = proxy->grips;
    while (g != NULL && (g->thread != thread || g->pid != pid)) {
        g = g->next;
    }
    return g;
}

/* Under the lock: those of threads and processes that are no more, and hold nothing. */
static void prune(kin__proxy *proxy)
{
    for (kin__grip **at = &proxy->grips; *at != NULL;) {
        kin__grip *g = *at;
        bool is_over = g->pid != kin__os_getpid() || !kin__os_thread_is_there(g->tid);
        if (is_over && !kin__link_has(proxy->link, g->wire)) {
            *at = g->next;
            kin__os_free(g);
        } else {
            at = &g->next;
        }
    }
}

int kin__grip_place(kin__proxy *proxy)
{
    kin__link_lock();
    kin__grip *g = find(proxy);
    if (g == NULL) {
        prune(proxy);
        g = kin__os_malloc(sizeof *g);
        if (g != NULL) {
            *g = (kin__grip){ .next = proxy->grips,
                              .pid = kin__os_getpid(),
                              .thread = kin__this_thread(),
                              .tid = kin__os_thread_self().tid };
            proxy->grips = g;
        }
    }
    kin__link_unlock();
    return g != NULL ? 0 : kin__fail(KIN_ENOMEM, "no memory to note who holds a lock");
}

void kin__grip_note(kin__proxy *proxy, bool acquired)
{
    uint64_t wire = acquired ? kin__link_wire_number(proxy->link) : 0;
    kin__link_lock();
    kin__grip *g = find(proxy);
    if (g != NULL) {
        g->wire = wire;
    }
    kin__link_unlock();
}

/* R2. Under the lock. */
static kin__grip *find_lost(const kin__proxy *proxy)
{
    kin__grip *lost = find(proxy);
    if (lost != NULL && lost->wire != 0) {
        return kin__link_has(proxy->link, lost->wire) ? NULL : lost;
    }
    lost = NULL;
    for (kin__grip *g = proxy->grips; g != NULL; g = g->next) {
        if (g->wire == 0 || g->pid != kin__os_getpid()) {
            continue;
        }
        if (kin__link_has(proxy->link, g->wire)) {
            return NULL;
        }
        lost = g;
    }
    return lost;
}

int kin__grip_check(kin__proxy *proxy)
{
    kin__link_lock();
    kin__grip *lost = find_lost(proxy);
    if (lost != NULL) {
        lost->wire = 0;
    }
    kin__link_unlock();
    return lost == NULL ? 0
                        : kin__fail(KIN_ESTATE, "the connection over which the lock was acquired "
                                                "broke, so it is held no longer");
}

void kin__grip_free(kin__proxy *proxy)
{
    for (kin__grip *g = proxy->grips, *next; g != NULL; g = next) {
        next = g->next;
        kin__os_free(g);
    }
}
