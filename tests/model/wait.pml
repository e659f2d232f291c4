/* wait.pml - who sleeps at a queue's ends (src/queue/wait.c), and processes that may die at any step.
 *
 * Idea. The first putter puts ROUNDS messages, the second one; takers take for ever. With -DCLOSES
 * the first putter closes the queue at his end. Beside them a reaper kills whom he wants, when he
 * wants. A step here is one atomic operation or one system call there, or several that nobody can
 * tell apart; to open a gate (a load, and the waking) is one. The cells are those of ring.pml;
 * messages have no faces here. The judge sees all, and changes nothing.
 *
 *     step here          in src/queue/wait.c, src/queue/chain.c and src/ring/ring.c
 *     -----------------  ------------------------------------------------------------------
 *     put                sleep_and_try: kin__gate_ticket; kin__chain_claim: queue->closed
 *     claim              kin__ring_claim: its looks and its CAS; KIN__STEP ring.claimed
 *     open_claimed       kin__queue_claim: kin__gate_open (R1)
 *     publish            kin__ring_publish_run; KIN__STEP ring.published
 *     open_published     kin__queue_publish: kin__gate_open (R1)
 *     find_head          full: kin__ring_find_head; of a metered queue recount
 *     look_at_head       full: look_at; kin__alive, kin__ring_take_over
 *     get                sleep_and_try: kin__gate_ticket
 *     look               look: look_at; take_seen: the CAS; kin__alive, kin__ring_take_over
 *     seal               kin__chain_take: kin__ring_seal
 *     open_taken         KIN__STEP ring.taken; kin__queue_take: kin__gate_open (R2)
 *     own                kin__claim_own: kin__block_take; KIN__STEP message.taken
 *     finish             kin__ring_finish: the store; KIN__STEP ring.finished
 *     open_finished      kin__queue_finished: kin__gate_open (R2)
 *     open_closed        the same (R3)
 *     give_back          kin__ring_return
 *     open_returned      kin__queue_return: kin__gate_open
 *     settle             resolve_claimed, resolve_taken: KIN__STEP ring.resolved, ring.returning
 *     nap, sleep         kin__gate_sleep
 *     close              kin_queue_close: the store; the openings
 *
 * What must hold, of those who live.
 *   P1  Who sleeps for good at the takers' gate sleeps beside an empty queue; at the putters' gate,
 *       beside a message that nobody takes. So the ones never wait for the others.
 *   P2  Nobody sleeps for good when one who lives has closed the queue.
 *   P3  Naps are for accidents. With -DLONG_NAPS one ends by itself when nobody is awake; if nobody
 *       has died, there is nothing to do for him.
 *   P4  No run goes round in circles (pan -l, -DLONG_NAPS).
 */
#ifndef PUTTERS
#define PUTTERS 2 /* or 1 */
#endif
#ifndef TAKERS
#define TAKERS 1 /* or 2 */
#endif
#ifndef ROUNDS
#define ROUNDS 2 /* of the first putter */
#endif
#define CELLS 2
#ifndef LIMIT
#define LIMIT CELLS
#endif
#define N (PUTTERS + TAKERS)

#define me (_pid + 1)
#define IS_PUTTER(x) ((x) <= PUTTERS)
#define ROUNDS_OF(x) (x == 1 -> ROUNDS : 1)

mtype = { EMPTY, CLAIMED, READY, TAKEN, SEALED };

/* ---- the queue ------------------------------------------------------------------------------- */

byte at[CELLS] = { 0, 1 }; /* a cell's word of state: position, status, who */
mtype status[CELLS] = EMPTY;
byte who[CELLS];
bool owned[CELLS]; /* its taker has made the message's block his own */
byte claims;       /* the first position that was not claimed */
bool closed;

#define CELL(p) ((p) % CELLS)
#define here CELL(position)
#define IS(what, p) (at[CELL(p)] == (p) && status[CELL(p)] == what)
#define IS_HELD(p) (IS(CLAIMED, p) || IS(TAKEN, p))
#define IS_DONE(p) (at[CELL(p)] > (p))
#define HEAD (at[0] < at[1] -> at[0] : at[1]) /* all before it is done */

#define IS_USED(c) (status[c] == CLAIMED || status[c] == READY || status[c] == TAKEN)
#ifdef METERED /* what is in use is counted, and need not be in a row */
#define HAS_ROOM (IS_USED(0) + IS_USED(1) < LIMIT)
#else
#define HAS_ROOM (claims - HEAD < LIMIT)
#endif

/* ---- the gates: each process has one where it sleeps ------------------------------------------ */

bool ticket[5]; /* he has one, and his gate was not opened since */
bool asleep[5], napping[5];
bool dead[5], home[5]; /* home: has ended, or is dead */
chan death[5] = [0] of { bit };

#define AT_REST(x) (home[x] || asleep[x] && ticket[x])
#define NOBODY_AWAKE (AT_REST(1) && AT_REST(2) && (N < 3 || AT_REST(3)) && (N < 4 || AT_REST(4)))
#define SOMEBODY_NAPS (napping[1] || napping[2] || napping[3] || napping[4])

inline open_of(x, putters)
{
    ticket[x] = ticket[x] && IS_PUTTER(x) != putters
}

inline open(putters)
{
#ifdef MUTANT_wake_one /* one of them is enough */
    if
    :: ticket[1] && IS_PUTTER(1) == putters -> ticket[1] = false
    :: ticket[2] && IS_PUTTER(2) == putters -> ticket[2] = false
    :: ticket[3] && IS_PUTTER(3) == putters -> ticket[3] = false
    :: ticket[4] && IS_PUTTER(4) == putters -> ticket[4] = false
    :: else
    fi
#else
    d_step {
        open_of(1, putters);
        open_of(2, putters);
        open_of(3, putters);
        open_of(4, putters)
    }
#endif
}

/* ---- the judge ------------------------------------------------------------------------------- */

bool all_closed; /* one who lives has told everybody */

#define IS_LEFT(c) (status[c] == READY || status[c] == TAKEN && !owned[c])
#define SOMETHING (IS_LEFT(0) || IS_LEFT(1))
#define SOMEBODY_DIED (dead[1] || dead[2] || dead[3] || dead[4])

inline judge_sleeper()
{
    assert(IS_PUTTER(me) == SOMETHING); /* P1 */
    assert(!all_closed)                 /* P2 */
}

inline judge_napper()
{
    assert(SOMEBODY_DIED || (IS_PUTTER(me) -> !HAS_ROOM : !SOMETHING)); /* P3 */
    assert(SOMEBODY_DIED || !all_closed)
}

inline stay() /* the end, or death */
{
    home[me] = true;
    ticket[me] = false;
    asleep[me] = false;
    napping[me] = false;
    sent = 0;
    position = 0;
    wanted = 0;
    holds = false;
    has_returned = false
}

/* ---- a process ------------------------------------------------------------------------------- */

#ifdef MUTANT_hasty /* there was no room a moment ago; that will do */
#define IS_IN_THE_WAY(p) true
#else
#define IS_IN_THE_WAY(p) (wanted - p >= LIMIT && !IS_DONE(p))
#endif

#ifdef MUTANT_no_nap /* who finds it held sleeps until he is woken */
#define GO_NAP goto sleep
#else
#define GO_NAP goto nap
#endif

inline be_empty(c)
{
    at[c] = at[c] + CELLS;
    status[c] = EMPTY;
    who[c] = 0;
    owned[c] = false
}

active [N] proctype process()
{
    byte sent, position, wanted;
    bool holds, has_returned;
    {
        skip;
begin:
        atomic {
            if
            :: !IS_PUTTER(me) -> goto get
            :: IS_PUTTER(me) && sent < ROUNDS_OF(me) -> sent++
            :: IS_PUTTER(me) && sent == ROUNDS_OF(me) ->
#ifdef CLOSES
                if
                :: me == 1 -> goto close
                :: else
                fi;
#endif
                stay();
                goto end
            fi
        };

        /* ---- put ---- */

put:
        atomic {
#ifndef MUTANT_look_first /* he takes the ticket when he has looked */
            ticket[me] = true;
#endif
            if
            :: closed -> stay(); goto end
            :: else
            fi
        };
claim:
        atomic {
            position = claims;
            if
            :: IS(SEALED, position) -> stay(); goto end
            :: IS(EMPTY, position) && HAS_ROOM
            :: else -> wanted = position; goto find_head
            fi;
            status[here] = CLAIMED;
            who[here] = me;
            claims++;
            wanted = 0;
            ticket[me] = false
        };
#ifndef MUTANT_quiet_claim /* he opens it when he has put, and not before */
/* open_claimed */
        open(false);
#endif
/* publish */
        atomic {
            status[here] = READY;
            who[here] = 0;
            position = 0
#ifdef MUTANT_quiet_publish /* he opened it when he claimed; that will do */
            ;
            goto begin
#endif
        };
/* open_published */
        atomic { open(false); goto begin };
find_head:
#ifdef METERED
        atomic {
            position = (IS_HELD(HEAD) -> HEAD : HEAD + 1);
            if
            :: HAS_ROOM -> goto claim
#ifdef MUTANT_hasty
            :: else -> goto sleep
#else
            :: !HAS_ROOM && IS_HELD(position) -> goto nap
            :: !HAS_ROOM && !IS_HELD(position) -> goto sleep
#endif
            fi
        };
#else
        position = HEAD;
/* look_at_head */
        atomic {
            if
            :: !IS_IN_THE_WAY(position) -> goto claim
            :: else
            fi;
            if
            :: IS_HELD(position) && dead[who[here]] -> who[here] = me; goto settle
            :: IS_HELD(position) && !dead[who[here]] -> GO_NAP
            :: else -> goto sleep
            fi
        };
#endif

        /* ---- get ---- */

get:
#ifndef MUTANT_look_first
        ticket[me] = true;
#endif
first_look:
        position = HEAD;
look:
        atomic {
            if
            :: IS(READY, position)
            :: IS_HELD(position) && dead[who[here]] -> who[here] = me; goto settle
            :: IS(TAKEN, position) && !dead[who[here]] -> holds = true; position++; goto look
            :: IS_DONE(position) -> position++; goto look
            :: IS(EMPTY, position) && closed -> goto seal
            :: IS(EMPTY, position) && !closed && !holds -> goto sleep
            :: IS(SEALED, position) && position == HEAD -> stay(); goto end
            :: else -> GO_NAP
            fi;
            status[here] = TAKEN;
            who[here] = me;
            holds = false;
            ticket[me] = false
        };
#ifndef MUTANT_quiet_take /* he opens it when he is done, and not before */
/* open_taken */
        open(true);
#endif
/* own */
        atomic {
            if
            :: owned[here] = true
            :: !has_returned -> has_returned = true; goto give_back
            fi
        };
/* finish */
        atomic {
            be_empty(here);
            position = 0
#ifdef MUTANT_quiet_finish /* he opened it when he took; that will do */
            ;
            goto get
#endif
        };
/* open_finished */
        open(true);
/* open_closed */
        atomic {
            if
#ifndef MUTANT_quiet_end /* who naps beside a closed queue looks some time */
            :: closed -> open(false)
#endif
            :: else
            fi;
            goto get
        };
give_back:
        atomic { status[here] = READY; who[here] = 0; position = 0 };
/* open_returned */
        atomic { open(false); goto get };
seal:
        atomic {
            if
            :: IS(EMPTY, claims) -> status[CELL(claims)] = SEALED
            :: else
            fi;
            holds = false;
            goto first_look
        };

        /* ---- the dead ---- */

settle:
        atomic {
            if
            :: status[here] == TAKEN && !owned[here] -> status[here] = READY; who[here] = 0
            :: else -> be_empty(here)
            fi;
            if
            :: IS_PUTTER(me) -> goto claim
            :: else -> goto look
            fi
        };

        /* ---- sleep ---- */

nap:
        atomic {
            position = 0;
            wanted = 0;
            holds = false;
#ifdef LONG_NAPS
            napping[me] = true;
            asleep[me] = true
        };
        atomic {
            if
            :: !ticket[me]
            :: ticket[me] && NOBODY_AWAKE -> judge_napper()
            fi;
            napping[me] = false;
            asleep[me] = false;
#endif
            goto again
        };
sleep:
        atomic {
            position = 0;
            wanted = 0;
            holds = false;
#ifdef MUTANT_look_first
            ticket[me] = true;
#endif
            asleep[me] = true
        };
        atomic {
            if
            :: !ticket[me]
            :: ticket[me] && NOBODY_AWAKE && !SOMEBODY_NAPS -> judge_sleeper(); stay(); goto end
            fi;
            asleep[me] = false
        };
again:
        atomic {
            ticket[me] = false;
            if
            :: IS_PUTTER(me) -> goto put
            :: else -> goto get
            fi
        };

        /* ---- the end ---- */

close:
#ifdef MUTANT_close_late /* all are woken, and it is closed then */
        open(true);
        open(false);
        atomic { closed = true; all_closed = true; stay(); goto end }
#else
        closed = true;
        open(false);
        atomic { open(true); all_closed = true; stay(); goto end }
#endif
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
