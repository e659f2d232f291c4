/* lock.pml - the word of a lock (src/sync/mutex.c), and processes that may die at any step.
 *
 * Idea. The first process takes the lock twice, the others once; the second may be impatient. Beside
 * them a reaper kills whom he wants, when he wants. A step here is one atomic operation or one
 * system call there, and between two of them anything may happen. What a process sees of the others is
 * the word, whether they live, and that it was woken; the judge sees all, and changes nothing.
 *
 *     step here       in src/sync/mutex.c
 *     --------------  ---------------------------------------------------------------------
 *     begin           kin_lock_acquire: kin__mutex_take_free
 *     look            wait_for: the load
 *     judge           may_take: kin__alive, R6; KIN__STEP lock.taking
 *     take            take: the CAS (that of keep is not here: R5)
 *     nap             nap: the deadline, hunger, giving up
 *     say             sleep_until: the CAS that sets the bits; KIN__STEP lock.waiting
 *     sleep           kin__os_wait, which compares and sleeps at once
 *     wake_up         how kin__os_wait ends: woken, at the nap's end, at the deadline
 *     hold            kin_lock_release: the load; KIN__STEP lock.held
 *     release         kin__mutex_release (room.h): the CAS; KIN__STEP lock.released
 *     wake            kin__mutex_release: kin__mutex_wake
 *
 * What must hold.
 *   P1  Of those who live one at most has the lock.
 *   P2  Who takes it is told KIN_OWNER_DIED when its last holder died with it, and only then.
 *   P3  Naps are for accidents. With -DLONG_NAPS one ends only when nobody is awake; then somebody
 *       must have died or given up who had something to pass on: the lock, a wake-up, or a
 *       plea. Else a wake-up was lost.
 *   P4  All who live get it or give up. With -DLONG_NAPS no run goes round in circles (pan -l);
 *       with naps that end any time none does if each gets its turn some time (-DFAIR, pan -a -f).
 */
#ifndef N
#define N 3 /* at most */
#endif
#ifndef ROUNDS
#define ROUNDS 2 /* of the first */
#endif

#define me (_pid + 1)
#define ROUNDS_OF(who) (who == 1 -> ROUNDS : 1)

mtype = { FOREVER, AWHILE, OVER, TRY }; /* how long to wait; OVER: the deadline is past */

/* ---- the word, and the kernel's part ------------------------------------------------------- */

#define SLEEPERS 1
#define HUNGRY 2
#define OURS (me << 2)
#define HOLDER(word) ((word) >> 2)

byte word;
bool dead[4], home[4]; /* home: has ended, or is dead */
bool asleep[4];        /* in the futex's queue */
chan death[4] = [0] of { bit };

#define AT_REST(who) (home[who] || asleep[who])
#define NOBODY_AWAKE (AT_REST(1) && AT_REST(2) && (N < 3 || AT_REST(3)))

inline wake_this(who)
{
    asleep[who] = false;
    woken[who] = true
}

inline wake_one() /* the kernel takes the first; here it may be any */
{
    if
    :: asleep[1] -> wake_this(1)
    :: asleep[2] -> wake_this(2)
    :: asleep[3] -> wake_this(3)
    :: else
    fi
}

inline wake_all()
{
    if :: asleep[1] -> wake_this(1) :: else fi;
    if :: asleep[2] -> wake_this(2) :: else fi;
    if :: asleep[3] -> wake_this(3) :: else fi
}

/* ---- the judge ------------------------------------------------------------------------------ */

byte holder;       /* 0: nobody who lives */
bool died_with_it; /* the last holder; nobody has taken it since */
bool waking[4];    /* has released it, and is about to wake the next */
bool woken[4];     /* was; and has neither taken it nor slept again */
bool pleading[4];  /* has set the hungry bit, and not taken it since */
bool accident;     /* somebody ended who had something to pass on */

inline took(code)
{
    assert(holder == 0);          /* P1 */
    assert(code == died_with_it); /* P2 */
    holder = me;
    died_with_it = false;
    woken[me] = false;
    pleading[me] = false
}

inline gave_up()
{
    accident = accident || pleading[me];
    woken[me] = false;
    pleading[me] = false
}

inline died()
{
    accident = accident || holder == me || waking[me] || woken[me] || pleading[me];
    died_with_it = died_with_it || holder == me;
    holder = (holder == me -> 0 : holder);
    dead[me] = true
}

/* ---- a process ------------------------------------------------------------------------------ */

#ifdef MUTANT_no_bit /* who takes it after a sleep says no more that others may sleep */
#define KEPT_BIT 0
#else
#define KEPT_BIT ((seen & SLEEPERS) | (slept -> SLEEPERS : 0))
#endif

#ifdef MUTANT_robbery /* he takes it from the living */
#define IS_DEAD(who) true
#else
#define IS_DEAD(who) dead[who]
#endif

#ifdef MUTANT_no_cas /* he takes it with a store */
#define IS_STILL_SEEN true
#else
#define IS_STILL_SEEN (word == seen)
#endif

#ifdef MUTANT_no_compare /* the kernel does not look before he sleeps */
#define IS_STILL_SAID true
#else
#define IS_STILL_SAID (word == said)
#endif

#ifdef MUTANT_no_nap /* he sleeps until he is woken */
#define NAP_ENDS false
#else
#ifdef LONG_NAPS
#define NAP_ENDS NOBODY_AWAKE
#else
#define NAP_ENDS true
#endif
#endif

#ifdef MUTANT_plea_is_claim /* what is pleaded for is the hungry one's, dead or alive */
#define MAKES_HUNGRY(said) false
#else
#define MAKES_HUNGRY(said) (HOLDER(said) == 0)
#endif

#ifdef MUTANT_no_news /* nobody is told of a death */
#define DIED false
#else
#define DIED true
#endif

#ifdef MUTANT_swallow
#define OWES_BIT false
#else /* who gives up after a sleep says again that others may sleep */
#define OWES_BIT (slept && !(seen & SLEEPERS))
#endif

inline forget() /* what is of no matter any more, so that equal states are the same */
{
    seen = 0;
    said = 0;
    hungry = false;
    slept = false;
    code = false;
    time = FOREVER
}

inline stay()
{
    home[me] = true;
    asleep[me] = false;
    waking[me] = false;
    woken[me] = false;
    pleading[me] = false;
    rounds = 0;
    forget()
}

active [N] proctype process()
{
    byte rounds, seen, said;
    bool hungry, slept, code;
    mtype time = FOREVER;
    {
        skip;
begin:
        atomic {
            if
            :: rounds == ROUNDS_OF(me) -> stay(); goto end
            :: rounds < ROUNDS_OF(me) -> rounds++
            fi;
            if
            :: word == 0 -> word = OURS; took(false); goto hold
            :: word != 0
            :: word != 0 && me == 2 -> time = AWHILE
            :: word != 0 && me == 2 -> time = TRY
            fi
        };
look:
        seen = word;
/* judge */
        if
        :: HOLDER(seen) == 0 && (!(seen & HUNGRY) || hungry || time == TRY) -> code = false
        :: HOLDER(seen) != 0 && IS_DEAD(HOLDER(seen)) -> code = DIED
        :: else -> goto nap
        fi;
/* take */
        atomic {
            if
            :: IS_STILL_SEEN -> word = OURS | KEPT_BIT; took(code); forget(); goto hold
            :: else -> code = false; goto look
            fi
        };
nap:
        atomic {
            if
            :: time == AWHILE -> time = OVER
            :: time == AWHILE || time == FOREVER
            :: time == AWHILE || time == FOREVER -> hungry = true
            :: time == OVER || time == TRY
            fi;
            if
            :: time == AWHILE || time == FOREVER
            :: (time == OVER || time == TRY) && HOLDER(seen) == 0 -> hungry = true; goto look
            :: (time == OVER || time == TRY) && HOLDER(seen) != 0 ->
                if
                :: OWES_BIT && word != seen -> goto look
                :: OWES_BIT && word == seen -> word = seen | SLEEPERS
                :: !OWES_BIT
                fi;
                gave_up();
                forget();
                goto begin
            fi
        };
/* say */
        atomic {
            said = seen | SLEEPERS | (hungry -> HUNGRY : 0);
            if
            :: said == seen
            :: said != seen && word == seen -> word = said
            :: said != seen && word != seen -> said = 0; goto look
            fi;
            pleading[me] = pleading[me] || hungry;
            seen = 0
        };
/* sleep */
        atomic {
            slept = true;
            if
            :: IS_STILL_SAID -> asleep[me] = true; woken[me] = false
            :: else -> said = 0; goto look
            fi
        };
/* wake_up */
        atomic {
            if
            :: !asleep[me]
            :: asleep[me] && NAP_ENDS ->
#ifdef LONG_NAPS
                assert(accident); /* P3 */
#endif
                hungry = hungry || MAKES_HUNGRY(said)
            :: asleep[me] && time == AWHILE ->
                hungry = hungry || MAKES_HUNGRY(said);
                time = OVER
            fi;
            asleep[me] = false;
            said = 0;
            goto look
        };
hold:
        seen = word;
release:
        atomic {
            if
            :: word == seen ->
                word = (seen & HUNGRY -> HUNGRY | SLEEPERS : 0);
                holder = 0;
                waking[me] = seen & SLEEPERS
            :: else -> seen = word; goto release
            fi
        };
/* wake */
        atomic {
            if
#ifndef MUTANT_no_wake
            :: seen & HUNGRY -> wake_all()
            :: !(seen & HUNGRY) && (seen & SLEEPERS) -> wake_one()
#endif
            :: else
            fi;
            waking[me] = false;
            seen = 0;
            goto begin
        }
    } unless { /* what comes from the reaper, between any two steps */
        atomic { death[me]?_; died(); stay() }
    };
end:
    false
}

/* ---- death ------------------------------------------------------------------------------------ */

active proctype reaper()
{
    do
    :: death[1]!true
    :: death[2]!true
    :: death[3]!true
    :: break
    od;
end:
    false
}

#ifdef FAIR
ltl all_end { <> (home[1] && home[2] && (N < 3 || home[3])) }
#endif
