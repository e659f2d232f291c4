/* os/interrupt.h - how the sleeps of this room are made to end when the process is interrupted. */
#ifndef KIN_OS_INTERRUPT_H
#define KIN_OS_INTERRUPT_H

#include "room.h"

#include <poll.h>

#define KIN__SLICE 50000000 /* ns between two looks, where the kernel cannot wake us */

/* Sleeps on *word as long as it is `expected`, once: 0 woken there; -EAGAIN, -EINTR: look again at
 * the word, and whether we were interrupted; -ETIMEDOUT. */
int kin__os_sleep_on(_Atomic uint32_t *word, uint32_t expected, int64_t deadline);

/* ppoll for `n` descriptors, until the deadline; there is room for one more behind them. How many
 * are ready, -ETIMEDOUT, -EINTR when we were interrupted, another -errno. */
int kin__os_poll_until(struct pollfd *polled, int n, int64_t deadline);

/* Until when a sleep may last that an interruption does not end. */
int64_t kin__os_slice(int64_t deadline);

/* How often this process was interrupted; up to where this thread is not to be told. */
uint32_t kin__os_interrupt_epoch(void);
void kin__os_interrupt_know(uint32_t of);

/* In a forked child: what its parent was told, and what it held back, is not the child's. */
void kin__os_interrupt_forked(void);

#endif
