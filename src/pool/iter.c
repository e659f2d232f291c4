/* iter.c - one after the other: futures as they are done, and the front of imap.c. */
#include "many.h"

int kin_futures_as_completed(kin_iter **ret_iter, kin_future *const futures[], size_t n)
{
    if (ret_iter == NULL || (futures == NULL && n != 0)) {
        return kin__fail(KIN_EINVAL, "kin_futures_as_completed: the futures, or the place for the "
                                     "iterator, are NULL");
    }
    kin_iter *iter = kin__os_calloc(1, sizeof *iter);
    if (iter == NULL) {
        return kin__fail(KIN_ENOMEM, "kin_futures_as_completed: no memory for an iterator");
    }
    int rv = n != 0 ? kin__many_new(&iter->many, n) : 0;
    rv = rv < 0 ? rv : kin__many_add_all(&iter->many, futures, "kin_futures_as_completed");
    if (rv < 0) {
        kin_iter_free(iter);
        return rv;
    }
    *ret_iter = iter;
    return 0;
}

int kin_iter_next_future(kin_iter *iter, kin_future **ret_future, double timeout)
{
    int64_t deadline;
    int rv = kin__deadline(timeout, &deadline);
    if (rv == 0 && (iter == NULL || ret_future == NULL || iter->imap != NULL)) {
        rv = kin__fail(KIN_EINVAL, "kin_iter_next_future: the iterator, or the place for the "
                                   "future, is NULL; or it gives results: kin_iter_next");
    }
    if (rv < 0) {
        return rv;
    }
    if (iter->many.taken == 0) {
        return kin__fail(KIN_EEOF, "kin_iter_next_future: there was each of them");
    }
    size_t seat;
    return kin__many_next(&iter->many, deadline, "kin_iter_next_future", ret_future, &seat);
}

int kin_iter_next(kin_iter *iter, kin_obj *ret_result, double timeout)
{
    int64_t deadline;
    int rv = kin__deadline(timeout, &deadline);
    if (rv == 0 && (iter == NULL || ret_result == NULL || iter->imap == NULL)) {
        rv = kin__fail(KIN_EINVAL, "kin_iter_next: the iterator, or the place for the result, is "
                                   "NULL; or it gives futures: kin_iter_next_future");
    }
    return rv < 0 ? rv : kin__imap_next(iter->imap, ret_result, deadline);
}

void kin_iter_free(kin_iter *iter)
{
    if (iter != NULL) {
        kin__imap_free(iter->imap);
        kin__many_end(&iter->many);
        kin__os_free(iter);
    }
}
