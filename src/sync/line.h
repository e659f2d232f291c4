/* sync/line.h - those who wait for a condition, in the order in which they came. See line.c. */
#ifndef KIN_SYNC_LINE_H
#define KIN_SYNC_LINE_H

#include "room.h"

typedef struct kin__line {
    _Atomic kin__ref first; /* chunk of cells */
    _Atomic uint64_t order; /* of the last who came, and whether it closes */
} kin__line;

/* Where one stands in it. */
typedef struct kin__place_in_line {
    struct kin__waiter_cell *cell;
    uint64_t claim; /* what stands there as long as the cell is ours */
} kin__place_in_line;

void kin__line_begin(kin__line *line);

/* Tells all who wait that it is over, and who comes later. May be done again. */
void kin__line_close(kin__line *line);
bool kin__line_is_closing(const kin__line *line);

/* Frees the cells. Who is late looks at them still. */
void kin__line_discard(kin__line *line);

/* With the condition's lock in hand, as notify. 0, or KIN_ENOMEM. */
int kin__line_enter(kin__line *line, kin__id self, kin__place_in_line *ret);
void kin__line_leave(const kin__place_in_line *place);

/* Whether there is news for who stands there; whether it is a notification. */
bool kin__line_is_told(void *place);
bool kin__line_is_notified(const kin__place_in_line *place);

/* Sleeps until there is, or for no reason: 0; KIN_ETIMEDOUT without a sentence. */
int kin__line_sleep(const kin__place_in_line *place, int64_t deadline);

/* Tells the n who came first, or all (UINT_MAX), of those who live. How many. */
unsigned kin__line_notify(kin__line *line, unsigned n);

#endif
