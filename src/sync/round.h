/* sync/round.h - the rounds of a barrier: its word, and a cell for each party. See round.c. */
#ifndef KIN_SYNC_ROUND_H
#define KIN_SYNC_ROUND_H

#include "room.h"

enum phase { FILLING, ACTING, BROKEN, RESETTING };

#define WORD(round, phase) ((uint64_t)(round) << 2 | (uint64_t)(phase))
#define PHASE(word) ((enum phase)((word)&3u))
#define ROUND(word) ((word) >> 2 & KIN__TAG_MASK)
#define NEXT(round) (((round) + 1) & KIN__TAG_MASK)

typedef struct kin__rounds {
    _Atomic uint64_t word; /* round and phase */
    _Atomic uintptr_t cells;
    kin__gate gate;
    _Atomic uint32_t parties;
} kin__rounds;

/* A party that has come: to which round, and into which cell. */
typedef struct kin__party {
    kin__id self;
    uint64_t round;
    kin__claimed cell;
} kin__party;

static inline kin__cells kin__round_cells(const kin__rounds *r)
{
    return kin__cells_of(&r->cells, &r->parties);
}

void kin__round_begin(kin__rounds *r, unsigned parties, void *cells_at);

/* The word, never RESETTING: that is helped along. */
uint64_t kin__round_look(kin__rounds *r);

/* From what was seen to another; wakes all who wait. False when it is not that any more. */
bool kin__round_change(kin__rounds *r, uint64_t seen, uint64_t to);
bool kin__round_break(kin__rounds *r, uint64_t seen);

/* Breaks it if somebody died who had come. */
void kin__round_ask_after(kin__rounds *r, uint64_t seen);

/* Comes to the round that was seen. False: there is no place just now, or things have changed. */
bool kin__round_come(kin__rounds *r, uint64_t seen, kin__party *p);

/* How many have come to it; for who asks whether all have, that is some time in between. */
uint32_t kin__round_count(const kin__rounds *r, uint64_t round);
bool kin__round_is_full(const kin__rounds *r, uint64_t round);

/* Once the wait is over: whether all had come. Leaves the cell to others if not. */
bool kin__round_leave(kin__rounds *r, const kin__party *p);

#endif
