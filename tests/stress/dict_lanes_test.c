/* Four processes change small values of one shared dict by every verb there is, so in lanes and
 * under the lock, while some are killed and others stopped for a moment. A fifth, who is not
 * killed, takes the counters out, and clears what is beside them. KIN_STORM_SECONDS says for how
 * long (default 2).
 *
 * What was taken out and what is there add up to all that was acknowledged; only a killed one may
 * have added one more. */
#include "domain/room.h"
#include "harness.h"
#include <kin/collection.h>
#include <kin/domain.h>

#include <signal.h>

enum { PROCESSES = 4, COUNTERS = 3, KEYS = 300 };

struct storm {
    kin_shared_dict *dict;   /* counters, and keys that come and go: so that entries move */
    kin_shared_dict *beside; /* a key for each process; cleared now and then */
    _Atomic long begun, acknowledged, taken, verbs[3], clears;
    _Atomic long last[PROCESSES]; /* what each has set */
    _Atomic int over, wrong;
    char what[300];
};

struct part {
    struct storm *storm;
    int index;
};

static bool complain(struct storm *s, const char *what, int64_t rv)
{
    if (atomic_fetch_add(&s->wrong, 1) == 0) {
        snprintf(s->what, sizeof s->what, "%s: %lld (%s)", what, (long long)rv, kin_errmsg());
    }
    return false;
}

/* ---- one more -------------------------------------------------------------------------------- */

static kin_obj one_more(kin_obj value, void *ctx)
{
    (void)ctx;
    return kin_int(kin_is_none(value) ? 1 : kin_as_int(value) + 1);
}

static int add_in_a_lane(kin_shared_dict *d, kin_obj key)
{
    return kin_shared_dict_add(d, key, kin_int(1), NULL);
}

static int add_by_a_function(kin_shared_dict *d, kin_obj key)
{
    return kin_shared_dict_apply(d, key, one_more, NULL);
}

static int add_by_comparing(kin_shared_dict *d, kin_obj key)
{
    int rv = 0;
    while (rv == 0) {
        kin_obj now;
        rv = kin_shared_dict_get(d, key, &now);
        if (rv == KIN_ENOTFOUND) {
            return add_in_a_lane(d, key);
        }
        rv = rv < 0 ? rv
                    : kin_shared_dict_compare_and_set(d, key, now, kin_int(kin_as_int(now) + 1));
    }
    return rv < 0 ? rv : 0;
}

static bool count(struct storm *s, uint64_t choice)
{
    static int (*const ways[])(kin_shared_dict *, kin_obj) = { add_in_a_lane, add_by_a_function,
                                                               add_by_comparing };
    unsigned way = choice % 8 < 6 ? 0 : (unsigned)(choice % 8) - 5;
    s->begun++;
    int rv = ways[way](s->dict, kin_int(-1 - (int)(choice / 8 % COUNTERS)));
    s->acknowledged += rv == 0;
    s->verbs[way]++;
    return rv == 0 || complain(s, "one more", rv);
}

/* ---- beside it ------------------------------------------------------------------------------- */

/* What one has set is there, or was cleared; never an older one. */
static bool set_and_look(struct storm *s, int index)
{
    kin_obj seen;
    long number = ++s->last[index];
    int rv = kin_shared_dict_set(s->beside, kin_int(index), kin_int(number));
    if (rv < 0) {
        return complain(s, "set", rv);
    }
    rv = kin_shared_dict_get(s->beside, kin_int(index), &seen);
    if (rv < 0) {
        return rv == KIN_ENOTFOUND || complain(s, "get", rv);
    }
    return kin_as_int(seen) == number || complain(s, "what was set", kin_as_int(seen) - number);
}

/* Not the text of before: 2 in 3 are ints, and each says whose it is. */
static bool come_and_go(struct storm *s, uint64_t choice)
{
    int key = (int)(choice / 2 % KEYS);
    kin_obj o = kin_none();
    int rv = choice % 2 != 0
                 ? kin_shared_dict_pop(s->dict, kin_int(key), &o)
                 : kin_shared_dict_set(s->dict, kin_int(key),
                                       choice / 2 % 3 != 0 ? kin_int(key)
                                                           : kin_strf("a text that takes a block"));
    if (rv < 0) {
        return rv == KIN_ENOTFOUND || complain(s, "set and pop", rv);
    }
    bool fits = choice % 2 == 0 || kin_type_of(o) == KIN_TYPE_STR || kin_as_int(o) == key;
    kin_release(o);
    return fits || complain(s, "what was popped", key);
}

static int take_part(void *ctx)
{
    struct part part = *(struct part *)ctx;
    struct storm *s = part.storm;
    uint64_t random = (uint64_t)kin__os_now() | 1;
    bool fine = true;
    while (!s->over && fine) {
        random = random * UINT64_C(6364136223846793005) + 1442695040888963407u;
        uint64_t choice = random >> 20;
        fine = count(s, choice) && count(s, choice / 64) && set_and_look(s, part.index) &&
               (choice / 4096 % 4 != 0 || come_and_go(s, choice / 16384));
    }
    return !fine;
}

/* ---- who is not killed ----------------------------------------------------------------------- */

static bool take_counter(struct storm *s, int i)
{
    kin_obj o;
    int rv = kin_shared_dict_pop(s->dict, kin_int(-1 - i), &o);
    if (rv == 0) {
        s->taken += kin_as_int(o);
    }
    return rv == 0 || rv == KIN_ENOTFOUND || complain(s, "pop", rv);
}

static int take_out(void *ctx)
{
    struct storm *s = ctx;
    bool fine = true;
    for (int i = 0; !s->over && fine; i++) {
        fine = take_counter(s, i % COUNTERS);
        if (i % 16 == 0 && fine) {
            fine = kin_shared_dict_clear(s->beside) == 0 || complain(s, "clear", 0);
            s->clears++;
        }
        (void)kin_sleep(0.0001);
    }
    return !fine;
}

/* ---- the storm ------------------------------------------------------------------------------- */

static double seconds(void)
{
    const char *text = getenv("KIN_STORM_SECONDS");
    return text != NULL ? atof(text) : 2;
}

static void join_well(struct storm *s, pid_t pid)
{
    int status = test_join(pid);
    CHECK_(status == 0, "a process ended with %d: %s", status, s->what);
}

/* How many were killed. */
static long strike(struct storm *s, pid_t pids[PROCESSES])
{
    static struct part parts[PROCESSES];
    long kills = 0;
    for (double until = kin_now() + seconds(); kin_now() < until && !s->wrong;) {
        unsigned i = (unsigned)(test_random() % PROCESSES);
        CHECK_OK(kin_sleep(0.0005 + (double)(test_random() % 3000) / 1e6));
        if (test_random() % 2 != 0) {
            kill(pids[i], SIGSTOP); /* perhaps in a lane */
            CHECK_OK(kin_sleep(0.0005));
            kill(pids[i], SIGCONT);
            continue;
        }
        kill(pids[i], SIGKILL);
        int status = test_join(pids[i]);
        CHECK_(status == -SIGKILL, "a process ended with %d: %s", status, s->what);
        parts[i] = (struct part){ s, (int)i };
        pids[i] = test_child(take_part, &parts[i]);
        kills++;
    }
    return kills;
}

static void rage(bool kills)
{
    struct storm *s = test_shared(sizeof *s);
    pid_t pids[PROCESSES];
    kin_usage_info before, after;
    kin__self();
    CHECK_OK(kin_usage(&before));
    CHECK_OK(kin_shared_dict_new(&s->dict, NULL));
    CHECK_OK(kin_shared_dict_new(&s->beside, NULL));
    for (int i = 0; i < PROCESSES; i++) {
        pids[i] = test_child(take_part, &(struct part){ s, i });
    }
    pid_t taker = test_child(take_out, s);
    long killed = 0;
    if (kills) {
        killed = strike(s, pids);
    } else {
        CHECK_OK(kin_sleep(seconds()));
    }
    s->over = 1;
    for (int i = 0; i < PROCESSES; i++) {
        join_well(s, pids[i]);
    }
    join_well(s, taker);
    for (int i = 0; i < COUNTERS; i++) {
        CHECK(take_counter(s, i));
    }
    printf("# %ld additions (%ld by a function, %ld by comparing), %ld clears, %ld kills\n",
           s->taken, s->verbs[1], s->verbs[2], s->clears, killed);
    CHECK_GE(s->taken, s->acknowledged);
    CHECK_LE(s->taken, s->begun);
    CHECK_LE(s->begun - s->acknowledged, killed);
    kin_shared_dict_free(s->dict);
    kin_shared_dict_free(s->beside);
    WAIT_UNTIL(kin__count_alive() == 1);
    CHECK_OK(kin_usage(&after));
    CHECK_EQ(after.blocks, before.blocks);
}

TEST_WITHIN(1100, nothing_is_lost_between_lanes_and_the_lock)
{
    rage(false);
}

TEST_WITHIN(1100, nothing_is_lost_while_some_are_killed_and_stopped)
{
    rage(true);
}
