/* batch.c - many calls in a row: sent before their answers are awaited.
 *
 * Idea. What a call costs over a socket is two wake-ups and four system calls, whatever it does. In
 * a batch the requests of some 1 KiB share them: a wire gathers them (wire.c), and the answers go
 * to their places as they come.
 *
 *      begin -- add, add, add, ... -- end        [ written | gathered ]
 *                                                  ^ owed: at most KIN__OWED, with those gathered
 *
 * Rules.
 *   R1  A batch is one thread's, of one link, and there is none within another.
 *   R2  In the end each place has a result, or an error: of the call, or of the connection. A call
 *       that says it failed has not touched its place.
 *   R3  When too many are owed, half of them are awaited: so the other side has always something to
 *       do while we make the next requests.
 *
 * Death. Of the other side in the midst of a batch: what was under way has failed, whatever was
 * done of it; the batch is over, and the next call connects anew. A manager that is freed gives its
 * batch up: what was asked for is done, and no place is touched any more.
 */
#include "link.h"

int kin__batch_begin(kin__link *link)
{
    kin__wire *w;
    int rv = kin__link_obtain(link, &w);
    if (rv == 0 && w->batch) {
        return kin__fail(KIN_ESTATE, "kin_manager_begin_batch: this thread has begun one");
    }
    if (rv == 0) {
        w->batch = true;
        w->failed = 0;
    }
    return rv;
}

kin__wire *kin__batch_of(kin__link *link)
{
    kin__wire *w;
    return kin__link_find(link, &w) == 0 && w != NULL && w->batch ? w : NULL;
}

/* R2 */
static void break_off(kin__link *link, kin__wire *w, int rv)
{
    kin__wire_fail_owed(w, rv);
    kin__link_cut(link, w);
}

int kin__batch_add(kin__link *link, kin__wire *w, const kin__request *request, kin_obj *ret_place)
{
    kin__packed packed;
    int rv = kin__wire_pack(request, &packed);
    if (rv < 0) {
        return rv;
    }
    rv = kin__wire_make_place(w);
    rv = rv < 0 ? rv : kin__wire_gather(w, &packed);
    kin__os_free(packed.data);
    if (rv < 0) {
        break_off(link, w, rv);
    } else {
        kin__wire_owe(w, ret_place, true);
    }
    return rv;
}

int64_t kin__batch_end(kin__link *link)
{
    kin__wire *w;
    int rv = kin__link_find(link, &w);
    if (rv < 0 || w == NULL || !w->batch) {
        return rv < 0 ? rv
                      : kin__fail(KIN_ESTATE, "kin_manager_end_batch: none was begun, or its "
                                              "connection broke");
    }
    rv = kin__wire_settle_to(w, 0);
    if (rv < 0) {
        kin__wire_fail_owed(w, rv);
    }
    int64_t failed = w->failed;
    w->batch = false;
    if (rv < 0) {
        kin__link_cut(link, w);
    }
    return failed;
}

void kin__batch_abandon(kin__link *link)
{
    kin__wire *w = kin__batch_of(link);
    for (unsigned i = 0; w != NULL && i < w->n_owed; i++) {
        w->owed[(w->first_owed + i) % KIN__OWED].place = NULL;
    }
    if (w != NULL) {
        w->batch = false;
    }
}
