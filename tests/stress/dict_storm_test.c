/* Eight processes on one shared dict, while a random one of them is killed and replaced every few
 * milliseconds. KIN_STORM_SECONDS says for how long (default 3).
 *
 * Counters by add lose nothing but what a killed one had in hand: so the sum is at least what was
 * acknowledged, and at most what was begun. Of all other keys the value says which key it belongs
 * to; they are put in and taken out all the time, so the index grows and shrinks. */
#include "domain/room.h"
#include "harness.h"
#include <kin/collection.h>
#include <kin/domain.h>

#include <signal.h>

enum { PROCESSES = 8, COUNTERS = 4, KEYS = 900 };

struct storm {
    kin_shared_dict *dict;
    _Atomic long begun, acknowledged, turns;
    _Atomic int over, wrong;
    char what[300];
};

static bool complain(struct storm *s, const char *what, int rv)
{
    if (atomic_fetch_add(&s->wrong, 1) == 0) {
        snprintf(s->what, sizeof s->what, "%s: %d (%s)", what, rv, kin_errmsg());
    }
    return false;
}

static kin_obj value_of(int key)
{
    return key % 2 == 0 ? kin_int(key) : kin_strf("the value of the key, which is %d", key);
}

/* Whether it is that key's value; takes it. */
static bool fits(int key, kin_obj value)
{
    kin_obj expected = value_of(key);
    bool same = kin_equal(value, expected);
    kin_release(expected);
    kin_release(value);
    return same;
}

static bool count(struct storm *s, uint64_t choice)
{
    s->begun++;
    int rv = kin_shared_dict_add(s->dict, kin_strf("counter %d", (int)(choice % COUNTERS)),
                                 kin_int(1), NULL);
    s->acknowledged += rv == 0;
    return rv == 0 || complain(s, "add", rv);
}

static bool put_and_take(struct storm *s, uint64_t choice)
{
    int key = (int)(choice / 8 % KEYS);
    kin_obj o = kin_none();
    bool take = choice % 8 < (choice / (8 * KEYS) % 2 != 0 ? 3 : 5);
    int rv = take ? kin_shared_dict_pop(s->dict, kin_int(key), &o)
                  : kin_shared_dict_set(s->dict, kin_int(key), value_of(key));
    if (rv < 0 && rv != KIN_ENOTFOUND) {
        return complain(s, "set and pop", rv);
    }
    return !take || rv < 0 || fits(key, o) || complain(s, "what was popped", key);
}

static bool look(struct storm *s, uint64_t choice)
{
    int key = (int)(choice % KEYS);
    kin_obj o = kin_none();
    int rv = kin_shared_dict_get(s->dict, kin_int(key), &o);
    if (rv < 0) {
        return rv == KIN_ENOTFOUND || complain(s, "get", rv);
    }
    return fits(key, o) || complain(s, "what was got", key);
}

/* Counters are there all the time once they are: each comes exactly once. */
static bool walk(struct storm *s)
{
    kin_obj key, value;
    uint64_t pos = 0;
    int counters = 0;
    int rv;
    while ((rv = kin_shared_dict_next(s->dict, &pos, &key, &value)) == 1) {
        bool is_counter = kin_type_of(key) == KIN_TYPE_STR;
        counters += is_counter;
        bool fine = is_counter ? kin_type_of(value) == KIN_TYPE_INT
                               : fits((int)kin_as_int(key), kin_retain(value));
        kin_release(key);
        kin_release(value);
        if (!fine) {
            return complain(s, "what was come across", 0);
        }
    }
    return (rv == 0 && counters == COUNTERS) || complain(s, "counters on a walk", counters);
}

static int take_part(void *ctx)
{
    struct storm *s = ctx;
    uint64_t random = (uint64_t)kin__os_now() | 1;
    while (!s->over) {
        random = random * UINT64_C(6364136223846793005) + 1442695040888963407u;
        uint64_t choice = random >> 20;
        bool fine = choice % 50 == 0
                        ? walk(s)
                        : count(s, choice) && put_and_take(s, choice / 64) && look(s, choice / 512);
        if (!fine) {
            return 1;
        }
        s->turns++;
    }
    return 0;
}

static double seconds(void)
{
    const char *text = getenv("KIN_STORM_SECONDS");
    return text != NULL ? atof(text) : 3;
}

static int64_t sum_of_counters(kin_shared_dict *d)
{
    int64_t sum = 0;
    for (int i = 0; i < COUNTERS; i++) {
        kin_obj o = kin_none();
        CHECK_OK(kin_shared_dict_get(d, kin_strf("counter %d", i), &o));
        sum += kin_as_int(o);
    }
    return sum;
}

TEST_WITHIN(1100, the_living_go_on_while_others_are_killed)
{
    struct storm *s = test_shared(sizeof *s);
    pid_t pids[PROCESSES];
    kin__self();
    kin_usage_info before, after;
    CHECK_OK(kin_usage(&before));
    CHECK_OK(kin_shared_dict_new(&s->dict, NULL));
    for (int i = 0; i < COUNTERS; i++) {
        CHECK_OK(kin_shared_dict_set(s->dict, kin_strf("counter %d", i), kin_int(0)));
    }
    for (int i = 0; i < PROCESSES; i++) {
        pids[i] = test_child(take_part, s);
    }
    long kills = 0;
    for (double until = kin_now() + seconds(); kin_now() < until; kills++) {
        CHECK_OK(kin_sleep(0.001 + (double)(test_random() % 4000) / 1e6));
        pid_t *doomed = &pids[test_random() % PROCESSES];
        kill(*doomed, SIGKILL);
        int status = test_join(*doomed);
        CHECK_(status == -SIGKILL, "a process ended with %d: %s", status, s->what);
        *doomed = test_child(take_part, s);
        long turns = s->turns;
        if (kills % 64 == 0) {
            WAIT_UNTIL(s->turns > turns);
        }
    }
    s->over = 1;
    for (int i = 0; i < PROCESSES; i++) {
        int status = test_join(pids[i]);
        CHECK_(status == 0, "a process ended with %d: %s", status, s->what);
    }
    CHECK_(s->wrong == 0, "%s", s->what);
    int64_t sum = sum_of_counters(s->dict);
    printf("# %ld turns, %ld kills, %ld additions\n", s->turns, kills, (long)sum);
    CHECK_GE(sum, s->acknowledged);
    CHECK_LE(sum, s->begun);
    kin_obj keys;
    CHECK_OK(kin_shared_dict_keys(s->dict, &keys));
    CHECK_EQ(kin_shared_dict_len(s->dict), kin_len(keys));
    kin_release(keys);
    kin_shared_dict_free(s->dict);
    CHECK_OK(kin_usage(&after));
    CHECK_EQ(after.blocks, before.blocks);
}
