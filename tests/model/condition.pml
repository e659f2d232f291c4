/* condition.pml - a condition (src/sync/condition.c, line.c), and processes that may die at any step.
 *
 * Idea. The first process does two things of its choice, the others one: wait, for ever or for a
 * while; notify the one who has waited longest, or all. The first may end the condition, the second
 * only waits for ever. Beside them a reaper kills whom he wants, when he wants, and sweeps the chunk that a
 * dead maker had not given away. A step here is one atomic operation or one system call there; but
 * a search of the cells is one, for who searches has the lock. The lock is taken in one step, when it
 * is free or its holder is dead: lock.pml shows that it can be. A chunk has one cell here, so that each
 * cell is behind a link of its own. The judge sees all, and changes nothing.
 *
 *     step here          in src/sync/condition.c and src/sync/line.c
 *     -----------------  ------------------------------------------------------------------
 *     begin, go_on       kin_condition_acquire, kin_condition_release
 *     check              check: kin__line_is_closing
 *     claim_free         kin__line_enter: find(claim_free), which follows links
 *     claim_dead         kin__line_enter: find(claim_dead): kin__alive, the CAS
 *     link               claim_new, follow_or_make: KIN__STEP condition.chunk, the CAS
 *     give, claim_new    KIN__STEP condition.linked, kin__block_give; then claim_free
 *     number             KIN__STEP condition.claimed, the fetch_add
 *     ready, register    kin__line_enter: the store of the word, the store of the claim
 *     drop               KIN__STEP condition.registered, drop
 *     is_told, is_open   KIN__STEP condition.dropped, sleep_in_line: kin__line_is_told, is_open
 *     say                kin__line_sleep: the CAS
 *     sleep, wake_up     KIN__STEP condition.asleep, kin__gate_sleep
 *     come_back          retake: has_lock, of a condition whose lock is its own
 *     retake, learn      retake: take; come_back: kin__line_is_notified
 *     leave              come_back: is_open, kin__line_leave; KIN__STEP condition.back
 *     oldest             kin__line_notify: find(note_oldest)
 *     notify, is_alive   notify_cell: is_in_line; kin__alive and the CAS of who frees it
 *     wake               wake: the CAS
 *     wake_sleeper       wake: kin__os_change_and_wake; KIN__STEP condition.notified
 *     close              kin__line_close: CLOSING; KIN__STEP condition.closing
 *     tell               close_cell: its loads, and wake; KIN__STEP condition.told
 *     told_all           kin__head_end; KIN__STEP condition.ended
 *
 * What must hold, of those who live, until somebody ends the condition. He "waits" who has let go of
 * the lock and has not got it again.
 *   P1  A notification goes to one who waited, had none and lived when the call began; of those who
 *       live still, to him who has waited longest.
 *   P2  Who waited when the call began and lives at its end has one, if all were to be notified or
 *       nobody was.
 *   P3  Who has one returns with it, also when his time was over.
 *   P4  Who sleeps for ever has none; and nobody sleeps so after one who lives has told all of the end.
 *   P5  Nobody returns but with a notification, or at the end of his time.
 *   P6  All others come to an end: no deadlock; no run goes round in circles (pan -l).
 */
#ifndef N
#define N 3 /* at most */
#endif
#ifndef ROUNDS
#define ROUNDS 2 /* of the first */
#endif

#define me (_pid + 1)
#define ROUNDS_OF(who) (who == 1 -> ROUNDS : 1)
#define HAS_CHOICE (me != 2)
#define MAY_CLOSE (me == 1)

mtype = { WAIT, WAIT_AWHILE, NOTIFY, NOTIFY_ALL };
mtype = { IDLE, AWAKE, ASLEEP, NOTIFIED, CLOSED }; /* a cell's word */
mtype = { NONE, MAKERS, FAMILYS, SWEPT };          /* what a link leads to */

/* ---- the family's memory, and the kernel's part -------------------------------------------- */

#define WHO(claim) ((claim) & 3)
#define ORDER(claim) ((claim) >> 2) /* 0: not in the line */
#define CLAIM(order, who) (((order) << 2) | (who))

byte lock;  /* who has it */
byte order; /* of the last who came */
bool closing;
byte claim[N + 1]; /* of a cell; there is none behind the last */
mtype word[N + 1] = IDLE;
mtype chunk[N + 1] = NONE;
byte maker[N + 1];

chan death[4] = [0] of { bit };
bool dead[4], home[4];
byte asleep[4]; /* 1 + the cell on whose word he sleeps */
bool timed[4];  /* and the kernel wakes him some time */

#define IS_IN_LINE(k) (ORDER(claim[k]) != 0 && (word[k] == AWAKE || word[k] == ASLEEP))
#define AT_REST(who) (home[who] || asleep[who] && !timed[who])
#define NOBODY_AWAKE (AT_REST(1) && AT_REST(2) && (N < 3 || AT_REST(3)))

inline wake_all(k)
{
    asleep[1] = (asleep[1] == k + 1 -> 0 : asleep[1]);
    asleep[2] = (asleep[2] == k + 1 -> 0 : asleep[2]);
    asleep[3] = (asleep[3] == k + 1 -> 0 : asleep[3])
}

#define IS_THERE(k) (chunk[k] == MAKERS || chunk[k] == FAMILYS)

inline follow(k)
{
#ifndef MUTANT_no_share /* who follows a link does not make the chunk the family's */
    chunk[k] = (chunk[k] == MAKERS -> FAMILYS : chunk[k])
#else
    skip
#endif
}

/* ---- the judge --------------------------------------------------------------------------------- */

byte came[4];    /* he waits; the lower, the longer */
byte comers;
bool told[4];    /* has a notification */
bool due[4];     /* waited without one when the call began */
bool all_closed; /* one who lives has told everybody of the end */

inline begin_call()
{
    d_step {
        due[1] = came[1] && !told[1] && !dead[1];
        due[2] = came[2] && !told[2] && !dead[2];
        due[3] = came[3] && !told[3] && !dead[3]
    }
}

#define IS_LEFT(who) (due[who] && !told[who] && !dead[who])
#define WAITED_LONGER(other, who) (IS_LEFT(other) && came[other] < came[who])

inline was_notified(who)
{
    assert(closing || due[who] && !told[who]); /* P1 */
    assert(closing || what == NOTIFY_ALL ||
           !WAITED_LONGER(1, who) && !WAITED_LONGER(2, who) && !WAITED_LONGER(3, who));
    told[who] = true
}

inline end_call(n)
{
    d_step {
        assert(closing || n > 0 && what == NOTIFY ||
               !IS_LEFT(1) && !IS_LEFT(2) && !IS_LEFT(3)); /* P2 */
        due[1] = false;
        due[2] = false;
        due[3] = false
    }
}

inline returned()
{
    came[me] = 0;
    told[me] = false;
    timed[me] = false
}

inline forget() /* what is of no matter any more, so that equal states are the same */
{
    k = 0;
    cell = 0;
    tried = 0;
    claimed = 0;
    woken = 0;
    timed_out = false;
    notified = false;
    what = NOTIFY
}

inline stay()
{
    home[me] = true;
    asleep[me] = 0;
    rounds = 0;
    returned();
    forget()
}

/* ---- a process -------------------------------------------------------------------------------- */

#ifdef MUTANT_count_dead /* the dead are notified like the living */
#define LIVES(who) true
#else
#define LIVES(who) !dead[who]
#endif

#ifdef MUTANT_no_order /* whose cell comes first is notified */
#define IS_OLDER(order, than) false
#else
#define IS_OLDER(order, than) (order < than)
#endif

active [N] proctype process()
{
    byte rounds, k, cell, claimed, woken;
    byte tried; /* the order of who was the oldest last time */
    bool timed_out, notified;
    mtype what = NOTIFY;
    {
        skip;
begin:
        atomic {
            if
            :: rounds == ROUNDS_OF(me) -> stay(); goto end
            :: rounds < ROUNDS_OF(me) && MAY_CLOSE -> rounds++; goto close
            :: rounds < ROUNDS_OF(me) && (lock == 0 || dead[lock]) -> rounds++; lock = me
            fi;
            if
            :: what = WAIT
            :: HAS_CHOICE -> what = WAIT_AWHILE
            :: HAS_CHOICE -> what = NOTIFY
            :: HAS_CHOICE -> what = NOTIFY_ALL
            fi
        };
/* check */
        atomic {
            if
            :: closing -> goto tell
            :: !closing && what == NOTIFY -> begin_call(); goto oldest
            :: !closing && what == NOTIFY_ALL -> begin_call(); goto notify
            :: else
            fi
        };

        /* ---- wait ---- */

/* claim_free */
        atomic {
            do
            :: IS_THERE(k) && claim[k] != 0 -> follow(k); k++
            :: IS_THERE(k) && claim[k] == 0 -> follow(k); claim[k] = CLAIM(0, me); goto number
            :: else -> k = 0; break
            od
        };
/* claim_dead */
        atomic {
            do
            :: IS_THERE(k) && !dead[WHO(claim[k])] -> k++
            :: IS_THERE(k) && dead[WHO(claim[k])] -> claim[k] = CLAIM(0, me); goto number
            :: else -> break
            od
        };
/* link: all cells before it are taken */
        d_step {
            assert(k < N);
            claim[k] = 0;
            word[k] = IDLE;
            maker[k] = me;
            chunk[k] = MAKERS
        };
/* give */
        d_step {
            chunk[k] = FAMILYS;
            maker[k] = 0
        };
/* claim_new */
        atomic { claim[k] == 0 -> claim[k] = CLAIM(0, me) };
number:
        atomic { order++; claimed = CLAIM(order, me) };
#ifdef MUTANT_drop_first /* he lets go of the lock before he is in the line */
        atomic { lock = 0; comers++; came[me] = comers };
#endif
/* ready */
        word[k] = AWAKE;
/* register */
        claim[k] = claimed;
#ifndef MUTANT_drop_first
/* drop */
        atomic { lock = 0; comers++; came[me] = comers };
#endif
is_told:
        if
        :: word[k] != AWAKE && word[k] != ASLEEP -> goto come_back
        :: else
        fi;
/* is_open */
        if
        :: closing -> goto come_back
        :: else
        fi;
/* say */
        atomic {
            if
            :: word[k] == AWAKE -> word[k] = ASLEEP
            :: word[k] == ASLEEP
            :: else -> goto is_told
            fi
        };
/* sleep */
        atomic {
            timed[me] = (what == WAIT_AWHILE);
            if
#ifdef MUTANT_no_compare /* he sleeps without looking */
            :: asleep[me] = k + 1
#else
            :: word[k] == ASLEEP -> asleep[me] = k + 1
            :: else -> goto is_told
#endif
            fi
        };
/* wake_up */
        atomic {
            if
            :: !asleep[me] -> goto is_told
            :: asleep[me] && what == WAIT_AWHILE -> asleep[me] = 0; timed_out = true
            :: asleep[me] && what == WAIT && NOBODY_AWAKE -> /* for ever */
                assert(!told[me] && !all_closed);      /* P4 */
                stay();
                goto end
            fi
        };
come_back:
        atomic {
            if
            :: closing -> returned(); forget(); goto begin
            :: else
            fi
        };
/* retake */
        atomic { lock == 0 || dead[lock] -> lock = me };
/* learn */
#ifdef MUTANT_no_look /* he believes his clock */
        notified = !timed_out;
#else
        notified = (word[k] == NOTIFIED);
#endif
/* leave */
        atomic {
            if
            :: !closing ->
                assert(notified == told[me]);  /* P3 */
                assert(notified || timed_out); /* P5 */
                claim[k] = (claim[k] == claimed -> 0 : claim[k])
            :: else
            fi;
            returned();
            goto go_on
        };

        /* ---- notify ---- */

oldest:
        atomic {
            k = 0;
            claimed = 0;
            do
            :: IS_THERE(k) ->
                follow(k);
                if
                :: IS_IN_LINE(k) && ORDER(claim[k]) > tried &&
                       (claimed == 0 || IS_OLDER(ORDER(claim[k]), claimed)) ->
                    claimed = ORDER(claim[k]);
                    cell = k
                :: else
                fi;
                k++
            :: else -> break
            od;
            k = 0;
            tried = claimed;
            if
            :: claimed == 0 -> goto notified_all
            :: else -> claimed = 0
            fi
        };
notify:
        atomic {
            follow(cell);
            if
            :: IS_THERE(cell) && IS_IN_LINE(cell) -> claimed = claim[cell]
            :: IS_THERE(cell) && !IS_IN_LINE(cell) -> goto next
            :: else -> goto notified_all
            fi
        };
/* is_alive */
        atomic {
            if
            :: LIVES(WHO(claimed))
            :: else -> claim[cell] = (claim[cell] == claimed -> 0 : claim[cell]); goto next
            fi
        };
/* wake */
        atomic {
            if
            :: word[cell] == AWAKE ->
                word[cell] = NOTIFIED;
                was_notified(WHO(claimed));
                woken++;
                goto next
            :: word[cell] == ASLEEP
            :: else -> goto next
            fi
        };
/* wake_sleeper */
        atomic {
            word[cell] = NOTIFIED;
            was_notified(WHO(claimed));
            woken++;
#ifdef MUTANT_split /* he writes, and wakes then */
        };
        atomic {
#endif
#ifndef MUTANT_no_wake
            wake_all(cell)
#endif
        };
next:
        atomic {
            claimed = 0;
            if
            :: what == NOTIFY_ALL -> cell++; goto notify
            :: what == NOTIFY && woken == 0 -> goto oldest
            :: else
            fi
        };
notified_all:
        end_call(woken);
go_on:
        atomic { lock = 0; forget(); goto begin };

        /* ---- the end ---- */

close:
#ifndef MUTANT_close_late /* the sleepers are told, and it is written down then */
        closing = true;
#endif
tell:
        atomic { /* C does not say which load is first */
            follow(k);
            if
            :: IS_THERE(k) && ORDER(claim[k]) != 0 -> claimed = claim[k]
            :: IS_THERE(k) && (word[k] == AWAKE || word[k] == ASLEEP) -> claimed = 0
            :: IS_THERE(k) && (ORDER(claim[k]) == 0 || word[k] != AWAKE && word[k] != ASLEEP) ->
                goto tell_next
            :: !IS_THERE(k) -> goto told_all
            fi
        };
        if
        :: claimed != 0 && (word[k] == AWAKE || word[k] == ASLEEP)
        :: claimed == 0 && ORDER(claim[k]) != 0
        :: else -> goto tell_next
        fi;
        atomic {
            if
            :: word[k] == AWAKE -> word[k] = CLOSED; goto tell_next
            :: word[k] == ASLEEP
            :: else -> goto tell_next
            fi
        };
        atomic { word[k] = CLOSED; wake_all(k) };
tell_next:
        atomic { k++; claimed = 0; goto tell };
told_all:
        atomic {
            closing = true;
            all_closed = true;
            lock = (lock == me -> 0 : lock);
            forget();
            goto begin
        }
    } unless { /* what comes from the reaper, between any two steps */
        atomic { death[me]?_; dead[me] = true; stay() }
    };
end:
    false
}

/* ---- death ---------------------------------------------------------------------------------- */

inline sweep(k)
{
    atomic { k < N && chunk[k] == MAKERS && dead[maker[k]] -> chunk[k] = SWEPT; maker[k] = 0 }
}

active proctype reaper()
{
    do
    :: death[1]!true
    :: death[2]!true
    :: death[3]!true
    :: sweep(0)
    :: sweep(1)
    :: sweep(2)
    :: break
    od;
end:
    false
}
