/* base/room.h - errors with a sentence, and deadlines, for the rooms above. */
#ifndef KIN_BASE_ROOM_H
#define KIN_BASE_ROOM_H

#include "../os/room.h"
#include <kin/base.h>

/* ---- errors (error.c) ----------------------------------------------------------------- */

/* Keeps the sentence for kin_errmsg() and returns `code`:
 *     return kin__fail(KIN_ECLOSED, "put: the queue \"%s\" is closed", name); */
int kin__fail(int code, const char *format, ...) KIN_PRINTF(2, 3);

/* The code of this thread's last kin__fail, for callers of what returns NULL instead of a code. */
int kin__failure(void);

/* kin__fail for a failed system call: -errno becomes our code (ENOMEM and ENOSPC: KIN_ENOMEM;
 * EMFILE, ENFILE: KIN_EMFILE; EACCES, EPERM: KIN_EACCES; EAGAIN of a fork, ENOENT, EEXIST,
 * ETIMEDOUT and EINTR: their namesakes; others: KIN_EOS), and the kernel's text is added to the
 * sentence. */
int kin__fail_os(int error, const char *format, ...) KIN_PRINTF(2, 3);

/* Ends a text of `length` bytes that had to be cut there, so that no UTF-8 character is halved: its
 * length now. text[length] must be writable. */
size_t kin__cut(char *text, size_t length);

/* ---- the log (log.c) ------------------------------------------------------------------- */

/* What is dropped lies below it. */
int kin__log_level(void);

/* ---- deadlines (clock.c) -------------------------------------------------------------- */

/* A timeout in seconds as an absolute time of kin__os_now(): 0 and less is "now or never",
 * KIN_FOREVER is KIN__NEVER. KIN_EINVAL for a NaN. */
int kin__deadline(double timeout, int64_t *ret_deadline);

/* Whether a call with this deadline may wait at all (a timeout of 0 only tries). */
bool kin__may_wait(int64_t deadline);

#endif
