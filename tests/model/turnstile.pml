/* turnstile.pml - one who sleeps is woken for each message (src/sync/turnstile.c and
 * src/queue/wait.c), and processes that may die at any step.
 *
 * Idea. Putters put a message each, the first one ROUNDS; takers take for ever, or until they give
 * up. Beside them a reaper kills whom he wants, when he wants; of the dead the kernel does what it
 * does for a robust futex. A step here is one atomic operation or one system call there, or several
 * that nobody can tell apart. The cells are those of ring.pml without rounds: each message has its
 * own. The judge sees all, and changes nothing.
 *
 *     step here          in src/sync/turnstile.c and src/queue/wait.c
 *     -----------------  ------------------------------------------------------------------
 *     claim              kin__ring_claim: its CAS
 *     insure_put, hold   kin__turnstile_hold
 *     publish            kin__ring_publish_run
 *     open               kin__turnstile_release: the load; and its system call
 *     look               kin__chain_take, cell by cell
 *     watch              kin__turnstile_watch: kin__os_insure; the CAS
 *     finish             kin__ring_finish: the store
 *     settle, sleep      kin__turnstile_sleep
 *     look_back          kin__turnstile_leave: is there anything left?
 *     pass_on            kin__turnstile_leave, kin__os_cash_in: the CAS; kin__os_wake
 *     give_back          kin__queue_return: kin__ring_return; kin__turnstile_open
 *     the dead           the kernel's handle_futex_death, for what list_op_pending names
 *
 * What must hold, of those who live.
 *   P1  Nobody sleeps for good beside a message that nobody takes.
 *   P2  Naps are for accidents. With -DLONG_NAPS one ends by itself when nobody is awake; if nobody
 *       has died, there is nothing to do for him.
 *   P3  No run goes round in circles (pan -l, -DLONG_NAPS).
 *   P4  As long as nobody dies, naps, or gives something back, the first message wakes one at
 *       most. (Later ones may wake more: who leaves and who puts may both see to it.)
 *
 * The other end of a bounded queue is the same with room for messages, and is not modelled.
 */
#ifndef PUTTERS
#define PUTTERS 2 /* or 1 */
#endif
#ifndef TAKERS
#define TAKERS 2 /* or 1, 3 */
#endif
#ifndef ROUNDS
#define ROUNDS 1 /* of the first putter */
#endif
#define N (PUTTERS + TAKERS)
#define CELLS (PUTTERS + ROUNDS) /* the last one is never claimed */

#define me (_pid + 1)
#define IS_PUTTER(x) ((x) <= PUTTERS)
#define ROUNDS_OF(x) (x == 1 -> ROUNDS : 1)

mtype = { EMPTY, CLAIMED, READY, TAKEN, DONE };

mtype status[CELLS] = EMPTY;
byte who[CELLS];
byte claims;

#define IS_HELD (status[position] == TAKEN || status[position] == CLAIMED)
#define ASKS (dead[who[position]] && ask && !has)

/* ---- the word ------------------------------------------------------------------------------- */

#define TOP 8       /* somebody may sleep */
#define LEFT 16     /* by one who died: FUTEX_OWNER_DIED beside TOP */
#define HOLDER(w) ((w) % 8)
byte word;

bool asleep[6]; /* in the kernel's queue for the word */
bool napping[6];
bool insured[6]; /* list_op_pending leads to the word */
bool dead[6], home[6];
byte wakes;
chan death[6] = [0] of { bit };

#define AT_REST(x) (x > N || home[x] || asleep[x])
#define NOBODY_AWAKE (AT_REST(1) && AT_REST(2) && AT_REST(3) && AT_REST(4) && AT_REST(5))
#define SOMEBODY_NAPS (napping[1] || napping[2] || napping[3] || napping[4] || napping[5])
#define SOMEBODY_DIED (dead[1] || dead[2] || dead[3] || dead[4] || dead[5])

inline wake_one()
{
    if
    :: asleep[1] -> asleep[1] = false; wakes++
    :: asleep[2] -> asleep[2] = false; wakes++
    :: asleep[3] -> asleep[3] = false; wakes++
    :: asleep[4] -> asleep[4] = false; wakes++
    :: asleep[5] -> asleep[5] = false; wakes++
    :: !asleep[1] && !asleep[2] && !asleep[3] && !asleep[4] && !asleep[5]
    fi
}

/* ---- the judge ------------------------------------------------------------------------------- */

bool odd; /* a death, a nap, or a message given back: then P4 says nothing */
byte judged;
bool something;

inline look_for_something()
{
    judged = 0;
    something = false;
    do
    :: judged < CELLS ->
        something = something || status[judged] == READY || status[judged] == TAKEN;
        judged++
    :: judged == CELLS -> break
    od;
    judged = 0
}

inline stay() /* the end, or death */
{
    home[me] = true;
    asleep[me] = false;
    napping[me] = false;
    position = 0;
    sent = 0;
    ticket = 0;
    mine = false;
    held = false;
    ask = false;
    late = false;
    has = false;
    has_seen = false;
    has_returned = false
}

/* ---- a process ------------------------------------------------------------------------------- */

active [N] proctype process()
{
    byte position, sent, ticket;
    bool mine, held, ask, late, has, has_seen, has_returned;
    {
        skip;
begin:
        atomic {
            if
            :: IS_PUTTER(me) && sent < ROUNDS_OF(me) -> sent++
            :: IS_PUTTER(me) && sent == ROUNDS_OF(me) -> stay(); goto end
            :: !IS_PUTTER(me) -> goto get
            fi
        };

        /* ---- put ---- */

/* claim */
        atomic {
            position = claims;
            claims++;
            status[position] = CLAIMED;
            who[position] = me
        };
        atomic {
            ticket = word;
            if
            :: ticket == 0 -> goto publish
            :: else
            fi
        };
#ifdef MUTANT_no_hold /* he opens when he has put, and dies before */
        goto publish;
#endif
/* insure_put */
        insured[me] = true;
hold:
        atomic {
            if
            :: ticket == 0
            :: ticket != 0 && word == ticket ->
#ifndef MUTANT_only_insured /* he is insured, and the word does not name him */
                word = TOP + me
#endif
            :: ticket != 0 && word != ticket -> ticket = word; goto hold
            fi
        };
publish:
        atomic { status[position] = READY; who[position] = 0 };
/* open */
        atomic {
            if
            :: word == 0 -> goto opened
            :: else
            fi
        };
#ifdef MUTANT_split /* the word, and then the sleeper, and nobody insured */
        insured[me] = false;
        word = 0;
        wake_one();
#else
        atomic { word = 0; wake_one() };
#endif
opened:
        atomic { insured[me] = false; position = 0; ticket = 0; goto begin };

        /* ---- get ---- */

get:
        atomic { position = 0; held = false; ask = true; goto look }; /* not insured */
watch:
        insured[me] = true;
        atomic {
            if
#ifdef MUTANT_zealous /* he answers, though there was nothing: and so drives others round */
            :: HOLDER(word) == 0 || HOLDER(word) == me -> word = TOP + me; mine = true
#else
            :: word != TOP && (HOLDER(word) == 0 || HOLDER(word) == me) ->
                word = TOP + me; mine = true
#endif
            :: else -> mine = false
            fi;
#ifdef MUTANT_nameless /* a bit alone: who looked long ago may fall asleep beside what came since */
            word = TOP;
#endif
            ticket = word;
            position = 0;
            held = false
        };
look:
        atomic {
            if
            :: status[position] == READY && !has ->
                status[position] = TAKEN; who[position] = me; has = true; goto taken
            :: status[position] == READY && has -> held = true; has_seen = true; goto looked
            :: status[position] == DONE -> position++; goto look
            :: status[position] == EMPTY -> goto looked
            :: IS_HELD && ASKS ->
                if
                :: insured[me] -> goto cash_in
                :: else -> goto settle_death
                fi
            :: status[position] == TAKEN && !ASKS -> held = true; position++; goto look
            :: status[position] == CLAIMED && !ASKS -> held = true; goto looked
            fi
        };
cash_in:
        atomic {
            if
            :: word == TOP + me -> word = 0
            :: else -> goto cashed
            fi
        };
        atomic { wake_one() };
cashed:
        insured[me] = false;
settle_death:
        atomic {
            if
            :: status[position] == TAKEN && dead[who[position]] -> status[position] = READY
            :: status[position] == CLAIMED && dead[who[position]] -> status[position] = DONE
            :: else -> goto settled
            fi;
            who[position] = 0;
settled:
            position = 0;
            held = false;
            if
            :: insured[me] || !mine -> goto look
            :: else -> goto watch
            fi
        };
taken:
        atomic {
            if
            :: true
            :: !has_returned -> has_returned = true; odd = true; goto give_back
            fi
        };
/* finish */
        atomic {
            status[position] = DONE;
            who[position] = 0;
            if
            :: !insured[me] -> has = false; mine = false; ticket = 0; goto get
#ifdef MUTANT_selfish /* he has his message */
            :: insured[me] -> goto satisfied
#else
            :: insured[me] -> position = 0; held = false; ask = false; goto look /* look_back */
#endif
            fi
        };
give_back:
        atomic {
            status[position] = READY;
            who[position] = 0
        };
        atomic {
            if
            :: word != 0
            :: else -> goto returned
            fi
        };
        atomic { word = 0; wake_one() };
returned:
        atomic {
            if
            :: insured[me] -> position = 0; held = false; ask = false; goto look
            :: else -> has = false; mine = false; ticket = 0; goto get
            fi
        };
looked:
        atomic {
            position = 0;
            if
            :: has || late -> goto leave
            :: !has && !late && !insured[me] -> ask = false; goto watch
            :: else
            fi
        };
        atomic {
            ask = false;
            if
#ifndef MUTANT_no_nap /* who answers sleeps as the others do */
            :: held && mine -> napping[me] = true; odd = true; goto sleep
#else
            :: held && mine -> goto sleep
#endif
            :: held && !mine -> goto sleep
            :: !held && !mine -> goto sleep
            :: !held && mine
            fi
        };
/* settle */
        atomic {
            mine = false;
#ifdef MUTANT_store /* he does not look whether he answers still */
            word = TOP;
            ticket = TOP
#else
            if
            :: word == TOP + me -> word = TOP; ticket = TOP
            :: else -> goto watch
            fi
#endif
        };
sleep:
        atomic {
            if
            :: word == ticket -> asleep[me] = true
            :: else -> napping[me] = false; goto watch
            fi
        };
        atomic {
            if
            :: !asleep[me]
#ifdef LONG_NAPS
            :: asleep[me] && napping[me] && NOBODY_AWAKE ->
                look_for_something();
                assert(SOMEBODY_DIED || !something); /* P2 */
                asleep[me] = false;
                ask = true
#else
            :: asleep[me] && napping[me] -> asleep[me] = false; ask = true
#endif
            :: asleep[me] && !napping[me] && NOBODY_AWAKE && !SOMEBODY_NAPS ->
                look_for_something();
                assert(!something); /* P1 */
                assert(odd || SOMEBODY_DIED || claims > 1 || wakes <= 1); /* P4 */
                something = false;
                stay();
                goto end
#ifdef GIVES_UP
            :: asleep[me] && me == N -> asleep[me] = false; late = true; odd = true
#endif
            fi;
            something = false;
            napping[me] = false;
            ticket = 0;
            goto watch
        };
leave:
        atomic {
#ifdef MUTANT_careless /* what others hold is their affair */
            held = held && has_seen;
#endif
            if
            :: held && word == TOP + me -> word = 0
            :: !held && word == TOP + me -> word = TOP; goto satisfied
            :: else -> goto satisfied
            fi
        };
        atomic { wake_one() };
satisfied:
        atomic {
            insured[me] = false;
            has = false;
            has_seen = false;
            mine = false;
            ticket = 0;
            position = 0;
            held = false;
            if
            :: late -> stay(); goto end
            :: else -> goto get
            fi
        }
    } unless { /* what comes from the reaper, between any two steps; and what the kernel does */
        atomic {
            death[me]?_;
            dead[me] = true;
            asleep[me] = false;
            if
#ifndef MUTANT_uninsured /* it does nothing */
            :: insured[me] && word == TOP + me -> word = TOP + LEFT; wake_one()
#ifndef MUTANT_old_kernel /* as before Linux 5.5 */
            :: insured[me] && HOLDER(word) == 0 -> wake_one()
#endif
#endif
            :: else
            fi;
            insured[me] = false;
            stay()
        }
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
    :: death[5]!true
    od
}
