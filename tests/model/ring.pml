/* ring.pml - the cells of a ring (src/ring/ring.c), and processes that may die at any step.
 *
 * Idea. The first putter puts ROUNDS messages, the second one; takers take all there is. Beside them
 * a reaper kills whom he wants, when he wants. A step here is one atomic operation there, or several
 * that nobody can tell apart; between two steps anything may happen. Who finds nothing looks again
 * (wait.pml: he sleeps). The judge sees all, and changes nothing.
 *
 *     step here        in src/ring/ring.c and src/ring/message.c
 *     ---------------  ------------------------------------------------------------------------
 *     begin            kin__parcel_pack: the block of a message apart
 *     claim            kin__ring_claim: its looks and its CAS; KIN__STEP ring.claimed
 *     fill             kin__parcel_fill: describe, write_small; name_block: KIN__STEP message.named
 *     give             name_block: kin__block_give
 *     write            kin__parcel_fill: describe, memcpy (of what lies beside)
 *     publish          kin__ring_publish: the store; KIN__STEP ring.published
 *     forgo            kin__ring_forgo
 *     find_head        full: kin__ring_find_head
 *     look_at_head     full: look_at; kin__alive, kin__ring_take_over
 *     first_look       first_look: the hints
 *     look             look: look_at; take_seen: the CAS; kin__alive, kin__ring_take_over
 *     read             KIN__STEP ring.taken; kin__claim_bytes, and the copy
 *     return           kin__ring_return: give_back
 *     lend             kin__ring_lend; KIN__STEP ring.lent
 *     own              own: kin__block_take; KIN__STEP message.taken; cell->apart
 *     finish           kin__ring_finish: the store, or the CAS; KIN__STEP ring.finished
 *     free             kin__block_free
 *     settle           resolve_claimed: KIN__STEP ring.resolving; resolve_taken: turn
 *     settled          resolve_claimed: KIN__STEP ring.resolved, turn
 *
 * A hint may be behind the truth. Who walks on from it finds what stays true (claimed, done), so
 * the walk is one step. Whether somebody is dead, and the CAS that takes over from him, are one step:
 * the dead stay dead.
 *
 * What must hold.
 *   P1  What is taken is one whole message, which its putter had published.
 *   P2  It is handed out once; and again only if its taker died before he finished it, or gave it
 *       back. It is finished once.
 *   P3  It is lost only with a taker who died when he had made its block his own. When the putters
 *       are gone, and a taker finds nothing, nothing is left.
 *   P4  Of one putter they come in order, but for what was given back.
 *   P5  Cells are claimed one after the other, and LIMIT of them are in use at most. While he
 *       lives who has claimed one, nobody else changes it.
 *   P6  What is the family's is named by a cell, and who ends has no block: none leaks. What is
 *       read is there; nothing is freed twice.
 *   P7  Who says that it is empty, or full, and that no death would change that, is right.
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
#define CELLS 2
#ifndef LIMIT
#define LIMIT CELLS
#endif
#define N (PUTTERS + TAKERS)

#define me (_pid + 1)
#define IS_PUTTER (me <= PUTTERS)

mtype = { EMPTY, CLAIMED, READY, TAKEN, LENT };
mtype = { INSIDE, BESIDE, APART }; /* a message is in the cell, in the cell's block, in its own */
mtype = { UNPUT, IN, OUT, GONE, LOST };

#define KIND(m) (m == 2 -> APART : (m == 4 -> INSIDE : BESIDE))

/* ---- the family's memory --------------------------------------------------------------------- */

#define FAMILY 7

byte at[CELLS] = { 0, 1 }; /* a cell's word of state: position, status, who */
mtype status[CELLS] = EMPTY;
byte who[CELLS];
mtype kind[CELLS] = INSIDE;
byte inside[CELLS];
byte block[CELLS]; /* the field `apart`: the block that was made for this message */
byte owner[5];     /* of a block; 0: it was freed. What a dead one has is swept at once */
byte data[5];      /* in a block: a message */

bool dead[5], home[5]; /* home: has ended, or is dead */
chan death[5] = [0] of { bit };

#define CELL(p) ((p) % CELLS)
#define here CELL(position)
#define IS(what, p) (at[CELL(p)] == (p) && status[CELL(p)] == what)
#define IS_DONE(p) (at[CELL(p)] > (p))
#define IS_BEHIND(p) (at[CELL(p)] < (p))
#define IS_PASSED_ON(p) (IS(TAKEN, p) || IS(LENT, p))
#define IS_SHARED(b) (owner[b] == FAMILY)
#define CONTENT(c) (kind[c] == INSIDE -> inside[c] : data[block[c]])
#define IS_THERE(c) (kind[c] == INSIDE || IS_SHARED(block[c]))
#define HEAD (at[0] < at[1] -> at[0] : at[1]) /* all before it is done */

inline free_block(b) /* and forgets it, so that equal states are the same */
{
    owner[b] = 0;
    data[b] = 0;
    block[0] = (block[0] == b -> 0 : block[0]);
    block[1] = (block[1] == b -> 0 : block[1])
}

inline discard(b) { if :: IS_SHARED(b) -> free_block(b) :: else fi }

/* ---- the judge ------------------------------------------------------------------------------- */

byte claims; /* how many there were */
byte lent;   /* the end of what was lent: the hint `taking` is anywhere before it */
byte in_cell[CELLS];
mtype message[5] = UNPUT;
bool again[5]; /* was given back */

inline note_claim(c)
{
    assert(position == claims && position - HEAD < LIMIT); /* P5 */
    claims++;
    in_cell[c] = m
}

inline note_publish(c) { assert(message[in_cell[c]] == UNPUT); message[in_cell[c]] = IN }

#define IS_EARLIER(other) (other < m && m <= ROUNDS && message[other] == IN && !again[other])

inline note_take(c)
{
    m = in_cell[c];
    assert(message[m] == IN);                 /* P1, P2 */
    assert(!IS_EARLIER(1) && !IS_EARLIER(2)); /* P4 */
    message[m] = OUT
}

inline check_read(c) { assert(CONTENT(c) == m && IS_THERE(c)) /* P1, P6 */ }

inline note_return(c)
{
    assert(message[in_cell[c]] == OUT);
    message[in_cell[c]] = IN;
    again[in_cell[c]] = true
}

inline note_finish(c)
{
    assert(message[m] == OUT); /* P2 */
    message[m] = GONE
}

inline note_loss(c)
{
    assert(message[in_cell[c]] == OUT && !IS_THERE(c)); /* P3 */
    message[in_cell[c]] = LOST
}

#define IS_LEFT(c) (status[c] == READY || (status[c] == TAKEN || status[c] == LENT) && IS_THERE(c))
#define IS_LEAKED(b) (IS_SHARED(b) && block[0] != b && block[1] != b)

inline stay() /* the end, or death */
{
    d_step {
        assert(!IS_LEAKED(1) && !IS_LEAKED(2) && !IS_LEAKED(3) && !IS_LEAKED(4)); /* P6 */
        for (b : 1 .. 4) {
            assert(dead[me] || owner[b] != me); /* P6 */
            if :: owner[b] == me -> free_block(b) :: else fi
        }
        home[me] = true;
        m = 0;
        b = 0;
        position = 0;
        wanted = 0;
        asks = false;
        holds = false;
        has_returned = false;
        is_last_look = false
    }
}

/* ---- a process ------------------------------------------------------------------------------- */

#ifdef MUTANT_robbery /* he takes over from the living */
#define IS_DEAD(x) true
#else
#define IS_DEAD(x) dead[x]
#endif

#ifdef MUTANT_overtake /* takers pass over what is being put */
#define MAY_PASS(p) (IS_PASSED_ON(p) || IS(CLAIMED, p))
#else
#define MAY_PASS(p) IS_PASSED_ON(p)
#endif

#ifdef MUTANT_head_first /* head passes what is taken */
#define BEGIN (IS_PASSED_ON(HEAD) -> HEAD + 1 : HEAD)
#else
#define BEGIN HEAD
#endif

#ifdef MUTANT_lose /* what a dead taker had is gone */
#define GOES_BACK(c) false
#else
#ifdef MUTANT_resurrect /* it comes back, whatever he did with it */
#define GOES_BACK(c) true
#else
#define GOES_BACK(c) IS_THERE(c)
#endif
#endif

#ifdef MUTANT_hasty /* there was no room a moment ago, and that will do */
#define IS_IN_THE_WAY(p) true
#else
#define IS_IN_THE_WAY(p) (wanted - p >= LIMIT && !IS_DONE(p))
#endif

#define WALK(truth, goes_on)                                                                       \
    if :: position = truth :: position = 0 fi;                                                     \
    do :: goes_on -> position++ :: else -> break od

inline turn(c, to)
{
    assert(who[c] == me && status[c] != EMPTY && status[c] != READY); /* P5 */
    who[c] = 0;
    status[c] = to;
    if
    :: to == EMPTY ->
        at[c] = at[c] + CELLS;
        kind[c] = INSIDE;
        inside[c] = 0;
        in_cell[c] = 0
    :: else
    fi
}

active [N] proctype process()
{
    byte m, b, position, wanted;
    bool asks, holds, has_returned, is_last_look;
    {
        skip;
begin:
        atomic {
            if
            :: !IS_PUTTER -> goto first_look
            :: IS_PUTTER && me == 1 && m < ROUNDS -> m++
            :: IS_PUTTER && me == 2 && m == 0 -> m = ROUNDS + 1
            :: IS_PUTTER && m >= (me == 1 -> ROUNDS : 1) -> stay(); goto end
            fi;
            if
            :: KIND(m) == APART -> owner[m] = me; data[m] = m
            :: else
            fi
        };

        /* ---- put ---- */

claim:
        atomic {
            wanted = 0;
            WALK(claims, !IS(EMPTY, position) && !IS_BEHIND(position));
            if
            :: IS(EMPTY, position) && position - HEAD < LIMIT
            :: else -> wanted = position; goto find_head
            fi;
#ifdef MUTANT_store_to_claim /* with a store */
        };
        atomic {
#endif
            status[here] = CLAIMED;
            who[here] = me;
            note_claim(here);
            if
            :: true
            :: me == 2 -> goto forgo
            fi
        };
/* fill */
        atomic {
            if
            :: KIND(m) == INSIDE -> inside[here] = m; goto publish
            :: KIND(m) == BESIDE && IS_SHARED(block[here]) -> goto write
            :: KIND(m) == BESIDE && !IS_SHARED(block[here]) -> owner[m] = me
            :: KIND(m) == APART -> kind[here] = APART
            fi;
#ifdef MUTANT_give_first /* it is the family's before the cell names it */
            owner[m] = FAMILY
        };
        atomic {
#endif
#ifndef MUTANT_keep /* the cell's old block stays, too */
            discard(block[here]);
#endif
            block[here] = m
        };
/* give */
        atomic {
            owner[m] = FAMILY;
            if
            :: KIND(m) == APART -> goto publish
            :: else
            fi
        };
write:
#ifdef MUTANT_publish_first /* and it is written then */
        atomic { turn(here, READY); note_publish(here) };
        atomic { kind[here] = BESIDE; data[block[here]] = m; goto begin };
#else
        atomic { kind[here] = BESIDE; data[block[here]] = m };
#endif
publish:
        atomic { turn(here, READY); note_publish(here); position = 0; goto begin };
forgo:
        atomic {
            turn(here, EMPTY);
            position = 0;
            if
            :: KIND(m) == APART -> free_block(m)
            :: else
            fi;
            goto begin
        };
find_head:
        atomic { WALK(HEAD, IS_DONE(position)) };
/* look_at_head */
        atomic {
            if
            :: !IS_IN_THE_WAY(position) -> goto claim
            :: else
            fi;
            if
            :: (IS(CLAIMED, position) || IS_PASSED_ON(position)) && IS_DEAD(who[here]) ->
                who[here] = me;
                goto settle
            :: (IS(CLAIMED, position) || IS_PASSED_ON(position)) && !IS_DEAD(who[here])
            :: else -> assert(claims - HEAD == LIMIT) /* P7 */
            fi;
            position = 0;
            wanted = 0;
            if
            :: goto claim
            :: KIND(m) == APART -> free_block(m); stay(); goto end
            :: KIND(m) != APART -> stay(); goto end
            fi
        };

        /* ---- get ---- */

first_look:
        atomic {
            is_last_look = home[1] && (PUTTERS < 2 || home[2]);
            if
            :: asks = true; WALK(BEGIN, IS_DONE(position))
            :: asks = false; WALK(BEGIN, IS_DONE(position))
            :: lent > HEAD -> asks = false; position = lent
            fi
        };
look:
        atomic {
            if
            :: IS(READY, position)
            :: (IS(CLAIMED, position) || IS_PASSED_ON(position)) && asks && IS_DEAD(who[here]) ->
#ifndef MUTANT_anonymous /* he settles what the dead one left, and does not say so */
                who[here] = me;
#endif
                goto settle
            :: MAY_PASS(position) && !(asks && IS_DEAD(who[here])) ->
                holds = true;
                position++;
                goto look
            :: IS_DONE(position) -> position++; goto look
            :: IS(EMPTY, position) && asks && !holds ->
                assert(HEAD == claims); /* P7 */
                if
                :: is_last_look ->
                    assert(!IS_LEFT(0) && !IS_LEFT(1)); /* P3 */
                    stay();
                    goto end
                :: else -> position = 0; goto first_look
                fi
            :: else -> holds = false; position = 0; goto first_look
            fi;
#ifdef MUTANT_store_to_take /* with a store */
        };
        atomic {
#endif
#ifdef MUTANT_no_position /* the CAS sees that a message is there, not which */
        };
        atomic {
            if
            :: status[here] == READY -> position = at[here]
            :: else -> goto look
            fi;
#endif
            status[here] = TAKEN;
            who[here] = me;
            note_take(here);
            asks = false;
            holds = false
        };
#ifndef MUTANT_read_late /* he finishes it first */
/* read */
        atomic {
            check_read(here);
            if
            :: kind[here] == APART -> goto own
            :: kind[here] != APART -> goto finish
            :: kind[here] == BESIDE -> goto own
            :: !has_returned -> has_returned = true
            :: lent <= position -> goto lend
            fi
        };
/* return */
        atomic { turn(here, READY); note_return(here); m = 0; position = 0; goto first_look };
lend:
        atomic {
            lent = position + 1;
            status[here] = LENT;
            if
            :: kind[here] == APART -> goto own
            :: kind[here] != APART -> goto finish
            fi
        };
#ifdef MUTANT_own_late /* he finishes it first */
own:
        atomic { b = block[here]; note_finish(here); turn(here, EMPTY) };
        atomic { assert(IS_SHARED(b)); owner[b] = me; block[here] = 0; goto free };
#else
own:
        atomic { b = block[here]; assert(IS_SHARED(b)); owner[b] = me; block[here] = 0 };
#endif
#endif
finish:
        atomic {
            note_finish(here);
            turn(here, EMPTY);
#ifdef MUTANT_read_late
        };
        atomic {
            assert(data[block[here]] == m);
#endif
            position = 0;
            if
            :: b == 0 -> m = 0; goto first_look
            :: else
            fi
        };
free:
        atomic {
            assert(owner[b] == me && data[b] == m); /* P6 */
            free_block(b);
            b = 0;
            m = 0;
            goto first_look
        };

        /* ---- the dead ---- */

settle:
        atomic {
            if
            :: status[here] == CLAIMED -> discard(block[here])
            :: status[here] != CLAIMED && GOES_BACK(here) -> note_return(here); turn(here, READY)
            :: status[here] != CLAIMED && !GOES_BACK(here) -> note_loss(here); turn(here, EMPTY)
            fi;
            if
            :: IS(CLAIMED, position)
            :: !IS(CLAIMED, position) && IS_PUTTER -> goto claim
            :: !IS(CLAIMED, position) && !IS_PUTTER -> goto look
            fi
        };
/* settled */
        atomic {
            turn(here, EMPTY);
            if
            :: IS_PUTTER -> goto claim
            :: !IS_PUTTER -> goto look
            fi
        }
    } unless { /* what comes from the reaper, between any two steps */
        atomic { death[me]?_; dead[me] = true; stay() }
    };
end:
    false
}

/* ---- death ----------------------------------------------------------------------------------- */

active proctype reaper()
{
end:
    do
    :: death[1]!true
    :: death[2]!true
    :: death[3]!true
    :: death[4]!true
    od
}
