/* chain.pml - the chain of rings (src/queue/chain.c), and processes that may die at any step.
 *
 * Idea. The first putter puts ROUNDS messages, the second one; takers take all there is. A ring has
 * one cell here: so nearly each put makes a ring, and nearly each take retires one. What ring.pml
 * shows is short here: what a dead one had claimed is settled at once. Rings lie in SLOTS places of
 * memory, which are used again at once. Beside them a reaper kills whom he wants, when he wants, and
 * sweeps what a dead one had not given away. A step here is one atomic operation there, or several
 * that nobody can tell apart. The judge sees all, and changes nothing.
 *
 *     step here            in src/queue/chain.c (and src/ring)
 *     -------------------  ------------------------------------------------------------------
 *     find_last            find_last: queue->last; kin__ring_at
 *     from_first           find_last: kin__ring_at(queue->first)
 *     follow               find_last: kin__ring_next; kin__ring_at
 *     hint                 find_last: the CAS
 *     claim                kin__ring_claim: its looks and its CAS
 *     is_shut, publish     kin__ring_claim: is_shut, give_up; kin__ring_publish
 *     grow, make           grow: queue->linking; kin__ring_new
 *     offer                grow: the CAS (1); kin__block_free; KIN__STEP chain.linking
 *     link, share          carry_on_linking: queue->linking; kin__block_share (2)
 *     find_after           carry_on_linking: kin__ring_at; KIN__STEP chain.shared
 *     append               carry_on_linking: kin__ring_link (3); KIN__STEP chain.linked
 *     be_last              carry_on_linking: the CAS (4)
 *     get                  kin__chain_take: queue->first; kin__ring_at
 *     look, finish         kin__chain_take: kin__ring_take; kin__ring_finish
 *     look_on, seal        kin__chain_take: kin__ring_next; kin__ring_seal
 *     all_held, shut       kin__chain_take: kin__ring_next; kin__ring_shut
 *     over, step_on        kin__chain_take: kin__ring_next, kin__ring_is_done; kin__ring_at
 *     is_first, retire     retire: queue->first; the CAS (1); KIN__STEP chain.retiring
 *     find_old, find_next  carry_on_retiring: queue->retiring, kin__ring_at; kin__ring_next
 *     pass, unlink         carry_on_retiring: the CASes (2); KIN__STEP chain.passed, chain.unlinked
 *     free                 carry_on_retiring: queue->first; kin__block_discard (3)
 *     retired              KIN__STEP chain.retired; the CAS (4)
 *
 * What must hold.
 *   P1  What was put is taken once, and that of one putter in order.
 *   P2  When the putters are gone, and a taker finds no more, all has been taken.
 *   P3  A ring of the family is offered, linked or being retired: none leaks. Who ends has none.
 *   P4  What is freed is sealed, and nothing leads to it but `retiring`; `first` leads to a ring.
 *   P5  What `linking` says is last is last.
 *   P6  No run goes round in circles, also while others stand still where they are (pan -l).
 */
#ifndef PUTTERS
#define PUTTERS 2 /* or 1 */
#endif
#ifndef TAKERS
#define TAKERS 1 /* or 2 */
#endif
#ifndef ROUNDS
#define ROUNDS 2 /* of the first putter, 3 at most */
#endif
#define SLOTS 3

#define me (_pid + 1)
#define IS_PUTTER (me <= PUTTERS)

/* ---- the family's memory: a ref is a slot and its generation --------------------------------- */

#define FAMILY 7
#define CLAIMED 8
#define TAKEN 9
#define SEALED 10

#ifdef OUTSIDER /* has taken something from the first ring, and lets go of it when he wants */
#define FIRST_CELL TAKEN
#else
#define FIRST_CELL 0
#endif

byte generation[SLOTS] = 1;
byte owner[SLOTS] = { 7, 0, 0 }; /* 0: free */
byte next[SLOTS] = { 129, 0, 0 };
byte after[SLOTS];
byte cell[SLOTS] = { FIRST_CELL, 0, 0 }; /* a message, or 0: EMPTY, or as above */
byte round[SLOTS];                       /* of the cell: how often it was used */
byte shut[SLOTS];                        /* from which round on nothing is put any more; 0: not yet */

#define SLOT(ref) ((ref) & 3)
#define GENERATION(ref) ((ref) >> 2)
#define REF(slot) (generation[slot] << 2 | (slot))
#define IS_THAT(ref) ((ref) != 0 && generation[SLOT(ref)] == GENERATION(ref))
#define IS_RING(ref) (IS_THAT(ref) && owner[SLOT(ref)] != 0)
#define IS_SHARED(ref) (IS_THAT(ref) && owner[SLOT(ref)] == FAMILY)
#define CELL_IS(what) (IS_THAT(x) && cell[SLOT(x)] == what)

#ifdef MUTANT_no_serial /* "no next" is the same everywhere */
#define NO_NEXT(ref) 129
#else
#define NO_NEXT(ref) (128 | GENERATION(ref))
#endif
#define NEXT_OF(ref) (IS_SHARED(ref) && next[SLOT(ref)] != NO_NEXT(ref) -> next[SLOT(ref)] : 0)
#define IS_LAST(ref) (128 | (ref))

byte first = 4, last = 4, linking = IS_LAST(4), retiring;

inline free_ring(ref)
{
    owner[SLOT(ref)] = 0;
    after[SLOT(ref)] = 0;
    cell[SLOT(ref)] = SEALED;
    round[SLOT(ref)] = 0;
    shut[SLOT(ref)] = 0;
#ifndef MUTANT_no_generation /* the ring that comes here has the same ref */
    generation[SLOT(ref)]++
#endif
}

bool dead[5], home[5]; /* home: has ended, or is dead */
chan death[5] = [0] of { bit };

/* ---- the judge ------------------------------------------------------------------------------- */

bool is_in[5], was_taken[5]; /* is_in: was put, and not taken */

#define IS_ALL_TAKEN (!is_in[1] && !is_in[2] && !is_in[3] && !is_in[4])
#define IS_NEXT(ref) (NEXT_OF(REF(0)) == ref || NEXT_OF(REF(1)) == ref || NEXT_OF(REF(2)) == ref)
#define IS_LINKED(ref) (first == ref || IS_NEXT(ref))
#define IS_UNDER_WAY(ref) (linking == ref || retiring == ref)
#define IS_KNOWN(s) (owner[s] != FAMILY || IS_LINKED(REF(s)) || IS_UNDER_WAY(REF(s)))

inline note_take()
{
    assert(is_in[m] && !was_taken[m] && IS_SHARED(x)); /* P1 */
    assert(m > ROUNDS || !is_in[m - 1]);
    is_in[m] = false;
    was_taken[m] = true
}

inline note_free(ref)
{
    assert(cell[SLOT(ref)] == SEALED && !IS_LINKED(ref) && last != ref); /* P4 */
    assert(IS_SHARED(first))
}

inline forget() /* what is of no matter any more, so that equal states are the same */
{
    x = 0;
    following = 0;
    wanted = 0;
    looks_again = false;
    new = 0;
    ring = 0;
    n = 0;
    seen = 0;
    old = 0
}

inline let_go()
{
    assert(IS_SHARED(x) && (cell[SLOT(x)] == CLAIMED || cell[SLOT(x)] == TAKEN));
    cell[SLOT(x)] = 0;
    round[SLOT(x)]++;
    has_cell = false
}

inline stay() /* the end, or death */
{
    assert(IS_KNOWN(0) && IS_KNOWN(1) && IS_KNOWN(2)); /* P3 */
    assert(dead[me] || owner[0] != me && owner[1] != me && owner[2] != me);
    if :: has_cell -> let_go() :: else fi;
    home[me] = true;
    m = 0;
    forget()
}

/* ---- a process ------------------------------------------------------------------------------- */

#ifdef MUTANT_link_first /* it is the family's when it is linked */
#define SHARE_FIRST false
#else
#define SHARE_FIRST true
#endif

#ifdef MUTANT_store /* a late one writes where he should compare */
#define IS_STILL(word, seen) true
#else
#define IS_STILL(word, seen) (word == seen)
#endif

active [PUTTERS + TAKERS] proctype process()
{
    byte m;                    /* the message in hand */
    byte x, following, wanted; /* the ring where he puts or takes, the one behind it; a round */
    byte new, ring, n, seen;   /* carry_on_linking, find_last */
    byte old;                  /* carry_on_retiring */
    bool has_cell, looks_again;
    {
        skip;
begin:
        atomic {
            if
            :: !IS_PUTTER -> goto get
            :: IS_PUTTER && me == 1 && m < ROUNDS -> m++
            :: IS_PUTTER && me == 2 && m == 0 -> m = ROUNDS + 1
            :: IS_PUTTER && m >= (me == 1 -> ROUNDS : 1) -> stay(); goto end
            fi
        };

        /* ---- put ---- */

find_last:
        seen = last;
        atomic {
            if
            :: IS_RING(seen) -> ring = seen; goto follow
            :: else -> ring = first
            fi
        };
/* from_first */
        atomic {
            if
            :: IS_RING(ring)
            :: else -> ring = 0; seen = 0; goto found
            fi
        };
follow:
        n = NEXT_OF(ring);
        atomic {
            if
            :: IS_RING(n) -> ring = n; n = 0; goto follow
            :: else -> n = 0
            fi
        };
/* hint */
        atomic { last = (last == seen -> ring : last); seen = 0 };
found:
        atomic {
            if
            :: new != 0 -> goto be_last
            :: new == 0 && ring == 0 -> goto find_last
            :: new == 0 && ring != 0 -> x = ring; ring = 0
            fi
        };
/* claim */
        atomic {
            if
            :: CELL_IS(0) -> cell[SLOT(x)] = CLAIMED; has_cell = true; goto is_shut
            :: CELL_IS(SEALED) -> x = 0; goto find_last
            :: else /* full, or gone */
            fi
        };
/* grow */
        atomic {
            if
            :: linking == IS_LAST(x)
#ifdef MUTANT_stubborn /* somebody else is at it: he will do it */
            :: else -> x = 0; goto find_last
#else
            :: else -> x = 0; goto link
#endif
            fi
        };
/* make */
        atomic {
            do
            :: new < SLOTS && owner[new] != 0 -> new++
            :: new < SLOTS && owner[new] == 0 -> break
            :: new == SLOTS -> stay(); goto end /* KIN_ENOMEM */
            od;
            owner[new] = me;
            after[new] = x;
            cell[new] = 0;
            next[new] = NO_NEXT(REF(new));
            new = REF(new)
        };
/* offer */
        atomic {
            if
            :: linking == IS_LAST(x) -> linking = new
            :: else -> free_ring(new)
            fi;
            new = 0;
            x = 0;
            goto link
        };
is_shut:
        atomic {
            if
#ifndef MUTANT_deaf /* he puts though it was shut */
            :: shut[SLOT(x)] != 0 && round[SLOT(x)] >= shut[SLOT(x)] ->
                let_go();
                x = 0;
                goto find_last
#endif
            :: else
            fi
        };
/* publish */
        atomic { cell[SLOT(x)] = m; is_in[m] = true; has_cell = false; x = 0; goto begin };

        /* ---- linking ---- */

link:
        atomic {
            new = linking;
            if
            :: !(new & 128)
            :: else -> new = 0; goto linked
            fi
        };
/* share */
        atomic {
            if
            :: IS_RING(new) -> owner[SLOT(new)] = (SHARE_FIRST -> FAMILY : owner[SLOT(new)])
            :: else -> goto find_last
            fi
        };
/* find_after */
        atomic {
            if
            :: IS_RING(new) && IS_RING(after[SLOT(new)]) -> ring = after[SLOT(new)]
            :: IS_RING(new) && !IS_RING(after[SLOT(new)]) -> new = 0; goto linked
            :: else -> goto find_last
            fi
        };
/* append */
        atomic {
            next[SLOT(ring)] = (next[SLOT(ring)] == NO_NEXT(ring) -> new : next[SLOT(ring)]);
            ring = new
        };
#ifdef MUTANT_link_first
        atomic { owner[SLOT(new)] = (IS_RING(new) -> FAMILY : owner[SLOT(new)]) };
#endif
be_last:
        atomic {
            if
            :: ring != 0 && IS_STILL(linking, new) ->
                linking = IS_LAST(ring);
                assert(IS_SHARED(ring) && NEXT_OF(ring) == 0 && IS_LINKED(ring)) /* P5 */
            :: else
            fi;
            new = 0;
            ring = 0
        };
linked:
        if
        :: IS_PUTTER -> goto find_last
        :: else -> goto is_first
        fi;

        /* ---- get ---- */

get:
        x = first;
        if
        :: IS_RING(x)
        :: else -> goto get
        fi;
look:
        atomic {
            if
            :: CELL_IS(0) -> goto look_on
            :: CELL_IS(CLAIMED) -> goto held
            :: CELL_IS(TAKEN) -> wanted = round[SLOT(x)] + 1; goto all_held
            :: CELL_IS(SEALED) -> goto over
            :: !IS_THAT(x) -> forget(); goto get
            :: else -> m = cell[SLOT(x)]; cell[SLOT(x)] = TAKEN; has_cell = true; note_take()
            fi
        };
/* finish */
        atomic { let_go(); m = 0; forget(); goto get };
held: /* he naps */
        atomic { !CELL_IS(CLAIMED) -> forget(); goto get };
all_held:
        atomic {
            following = NEXT_OF(x);
            if
            :: following == 0 -> goto nothing
            :: following != 0 && looks_again -> looks_again = false; wanted = 0; goto step_on
            :: following != 0 && !looks_again
            fi
        };
/* shut */
        atomic {
            shut[SLOT(x)] = (IS_THAT(x) && shut[SLOT(x)] == 0 -> wanted : shut[SLOT(x)]);
            wanted = 0;
#ifdef MUTANT_blind /* he shuts it and passes on at once, though something may be in it by now */
            goto step_on;
#endif
            looks_again = true;
            following = 0;
            goto look
        };
over:
        atomic {
            following = NEXT_OF(x);
            if
            :: following == 0 -> forget(); goto get
#ifdef MUTANT_careless /* what is offered may stay so */
            :: following != 0 -> goto is_first
#else
            :: following != 0 -> goto link
#endif
            fi
        };
is_first:
#ifndef MUTANT_disorderly /* any ring that is done will do */
        if
        :: first == x
        :: else -> goto find_old
        fi;
#endif
/* retire */
        atomic { retiring = (retiring == 0 -> x : retiring) };
find_old:
        atomic {
            old = retiring;
            if
            :: IS_RING(old)
            :: else -> goto retired
            fi
        };
/* find_next */
        atomic {
            n = NEXT_OF(old);
            if
            :: n != 0
            :: else -> goto retired
            fi
        };
/* pass */
        atomic { last = (last == old -> n : last) };
#ifdef MUTANT_free_first /* it is freed, and unlinked then */
        atomic { if :: IS_SHARED(old) -> free_ring(old) :: else fi };
#endif
/* unlink */
        atomic { first = (IS_STILL(first, old) -> n : first) };
/* free */
        atomic {
            n = 0;
            if
            :: first != old && IS_SHARED(old) -> note_free(old); free_ring(old)
            :: else
            fi
        };
retired:
        atomic { retiring = (retiring == old -> 0 : retiring); old = 0 };
step_on:
        atomic {
            x = following;
            following = 0;
            if
            :: IS_RING(x) -> goto look
            :: else -> forget(); goto get
            fi
        };
look_on:
        atomic {
            following = NEXT_OF(x);
            if
            :: following != 0 -> following = 0
            :: else -> goto nothing
            fi;
#ifdef MUTANT_no_seal /* it is empty: that will do */
            goto over
#endif
        };
/* seal */
        atomic { cell[SLOT(x)] = (CELL_IS(0) -> SEALED : cell[SLOT(x)]); goto look };
nothing: /* he sleeps until there is something */
        atomic {
            forget();
            if
            :: !IS_ALL_TAKEN -> goto get
            :: home[1] && (PUTTERS < 2 || home[2]) && IS_ALL_TAKEN -> stay(); goto end /* P2 */
            fi
        }
    } unless { /* what comes from the reaper, between any two steps */
        atomic { death[me]?_; dead[me] = true; stay() }
    };
end:
    false
}

/* ---- death ----------------------------------------------------------------------------------- */

inline sweep(s)
{
    atomic { owner[s] != 0 && owner[s] != FAMILY && dead[owner[s]] -> free_ring(REF(s)) }
}

active proctype reaper()
{
    bool has_let_go;
end:
    do
#ifndef IMMORTAL /* for a shorter search */
    :: death[1]!true
    :: death[2]!true
    :: death[3]!true
    :: death[4]!true
#endif
#ifdef OUTSIDER
    :: atomic { !has_let_go -> has_let_go = true; cell[0] = 0; round[0]++ }
#endif
    :: sweep(0)
    :: sweep(1)
    :: sweep(2)
    od
}
