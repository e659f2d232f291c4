/* Writers that are killed every few milliseconds, and readers who take no lock, on one shared list.
 * It holds texts "n n", n counting up without a gap: what comes first and last only grows, and each
 * text is whole. KIN_STORM_SECONDS says for how long (default 2). */
#include "domain/room.h"
#include "harness.h"
#include <kin.h>

#include <signal.h>

enum { WRITERS = 2, READERS = 2, LONGEST = 300 };

struct storm {
    kin_shared_list *list;
    _Atomic int over;
    _Atomic long steps, looks;
};

static kin_obj text(int64_t n)
{
    return kin_strf("%lld %lld", (long long)n, (long long)n);
}

static int64_t number(kin_obj o)
{
    long long n = -1;
    long long again = -2;
    CHECK_(kin_type_of(o) == KIN_TYPE_STR, "an item of type %d", kin_type_of(o));
    CHECK_EQ(sscanf(kin_as_str(o), "%lld %lld", &n, &again), 2);
    CHECK_EQ(n, again);
    kin_release(o);
    return n;
}

static bool by_number(kin_obj a, kin_obj b, void *ctx)
{
    (void)ctx;
    return atoll(kin_as_str(a)) < atoll(kin_as_str(b));
}

static kin_obj the_same(kin_obj value, void *ctx)
{
    (void)ctx;
    return value;
}

/* All that leaves the numbers as they are, but for the last, which appends, and pops where the list
 * is long. Two writers may do the former at once, and only the first does the latter. */
static int change(struct storm *s, bool is_first)
{
    kin_obj o;
    switch (test_random() % (is_first ? 8 : 3)) {
    case 0:
        return kin_shared_list_sort(s->list, by_number, NULL);
    case 1:
        return kin_shared_list_apply(s->list, (int64_t)(test_random() % 3), the_same, NULL);
    case 2:
        return kin_shared_list_repeat(s->list, 1);
    default:
        break;
    }
    /* What a dead first writer was popping may go only when we have the lock: so 5 stay. */
    int64_t n = kin_shared_list_len(s->list);
    if (n > LONGEST || (n > 6 && test_random() % 2)) {
        return kin_shared_list_pop(s->list, 0, NULL);
    }
    int rv = kin_shared_list_get(s->list, -1, &o);
    int64_t last = rv < 0 ? 0 : number(o);
    return rv < 0 ? rv : kin_shared_list_append(s->list, text(last + 1));
}

static int write_until_over(struct storm *s, bool is_first)
{
    while (!s->over) {
        CHECK_OK(change(s, is_first));
        s->steps++;
    }
    return 0;
}

static int first_writer(void *s)
{
    return write_until_over(s, true);
}

static int second_writer(void *s)
{
    return write_until_over(s, false);
}

static int reader(void *ctx)
{
    struct storm *s = ctx;
    int64_t first = 0;
    int64_t last = 0;
    while (!s->over) {
        kin_obj o;
        CHECK_OK(kin_shared_list_get(s->list, 0, &o));
        int64_t n = number(o);
        CHECK_GE(n, first);
        first = n;
        CHECK_OK(kin_shared_list_get(s->list, -1, &o));
        n = number(o);
        CHECK_GE(n, last);
        CHECK_GE(n, first);
        last = n;
        CHECK_GE(kin_shared_list_len(s->list), 5);
        s->looks++;
    }
    return 0;
}

static double seconds(void)
{
    const char *wish = getenv("KIN_STORM_SECONDS");
    return wish != NULL ? atof(wish) : 2;
}

TEST_WITHIN(600, readers_see_whole_items_while_writers_die)
{
    static int (*const bodies[])(void *) = { first_writer, second_writer, reader, reader };
    struct storm *s = test_shared(sizeof *s);
    pid_t pids[WRITERS + READERS];
    kin_obj items = kin_list();
    for (int i = 0; i < 100; i++) {
        CHECK_OK(kin_append(&items, text(i)));
    }
    kin__self();
    CHECK_OK(kin_shared_list_new(&s->list, KIN_OPT(kin_shared_list_options, .items = items)));
    for (int i = 0; i < WRITERS + READERS; i++) {
        pids[i] = test_child(bodies[i], s);
    }
    int deaths = 0;
    double end = kin_now() + seconds();
    while (kin_now() < end || deaths < 10) {
        long steps = s->steps;
        WAIT_UNTIL(s->steps > steps + 20);
        int i = deaths++ % WRITERS;
        kill(pids[i], SIGKILL);
        CHECK_EQ(test_join(pids[i]), -SIGKILL);
        pids[i] = test_child(bodies[i], s);
    }
    s->over = 1;
    for (int i = 0; i < WRITERS + READERS; i++) {
        CHECK_EQ(test_join(pids[i]), 0);
    }
    printf("# %d deaths, %ld steps, %ld looks\n", deaths, s->steps, s->looks);
    kin_shared_list_free(s->list);
    kin_usage_info info;
    CHECK_OK(kin_usage(&info));
    CHECK_EQ(info.blocks, 0);
}
