/* Processes that allocate, free and hand over blocks, and all the time one of them is SIGKILLed and
 * replaced. Nothing may hang, no block may be two things at once, and in the end nothing is lost:
 * there is what stands in the exchange, and what kin_alloc had returned to the dead. */
#include "domain/map.h"
#include "harness.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CROWD = 6, PLACES = 64 };

struct storm {
    _Atomic kin__ref places[PLACES]; /* the exchange: blocks of the family, or 0 */
    _Atomic uint64_t rounds;
    _Atomic int errors;
    _Atomic int over;
};

static uint64_t next_random(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state >> 33;
}

static size_t random_size(uint64_t *random)
{
    static const size_t most[] = { 16, 100, 1000, 5000, 30000, 60000, 200000, 1000000 };
    uint64_t kind = next_random(random) % 64;
    size_t limit = most[kind < 60 ? kind % 5 : 4 + kind % 4];
    return 16 + next_random(random) % limit;
}

/* First and last word of a block say what it is. */
static void sign(char *p, size_t size)
{
    uint64_t mark = (uint64_t)(uintptr_t)p ^ size;
    memcpy(p, &mark, sizeof mark);
    memcpy(p + size - sizeof mark, &mark, sizeof mark);
}

static bool is_signed(const char *p)
{
    size_t size = kin__block_size(p);
    uint64_t mark = (uint64_t)(uintptr_t)p ^ size;
    return size >= 16 && memcmp(p, &mark, sizeof mark) == 0 &&
           memcmp(p + size - sizeof mark, &mark, sizeof mark) == 0;
}

/* Puts a block into the exchange, and frees the one that lay there. Who is killed between two steps
 * must leave nothing of the family's behind that nobody knows: so a block is ours until it stands
 * there, and only then it is given; and until it is, nobody may put another one in its place. */
static void exchange(struct storm *s, size_t place, char *mine)
{
    kin__ref old = atomic_load(&s->places[place]);
    if (old != 0 && kin__block_take(old)) {
        char *taken = kin__block_at(old, 0, NULL);
        s->errors += !is_signed(taken) || kin__block_free(taken) < 0;
    }
    kin__ref ref = kin__block_ref(mine);
    bool gone = old == 0 || kin__block_at(old, 0, NULL) == NULL;
    if (gone && atomic_compare_exchange_strong(&s->places[place], &old, ref)) {
        s->errors += !kin__block_share(ref);
    } else {
        s->errors += kin__block_free(mine) < 0;
    }
}

static void live(struct storm *s, uint64_t random)
{
    enum { HELD = 24 };
    char *held[HELD] = { NULL };
    for (uint64_t i = 0; !s->over; i++) {
        size_t k = next_random(&random) % HELD;
        if (held[k] != NULL) {
            s->errors += !is_signed(held[k]);
            if (next_random(&random) % 4 == 0) {
                exchange(s, next_random(&random) % PLACES, held[k]);
            } else {
                s->errors += kin__block_free(held[k]) < 0;
            }
        }
        size_t size = random_size(&random);
        held[k] = kin__block_new(size, KIN__RAW);
        s->errors += held[k] == NULL;
        if (held[k] != NULL) {
            sign(held[k], size);
        }
        atomic_fetch_add_explicit(&s->rounds, 1, memory_order_relaxed);
    }
    for (int k = 0; k < HELD; k++) {
        s->errors += held[k] != NULL && kin__block_free(held[k]) < 0;
    }
}

static struct storm *storm;

static void *live_in_thread(void *seed)
{
    live(storm, (uint64_t)(uintptr_t)seed);
    return NULL;
}

/* Every other process has two threads. */
static int live_a_life(void *seed)
{
    pthread_t thread;
    uintptr_t random = *(uintptr_t *)seed;
    bool two = random % 2 && pthread_create(&thread, NULL, live_in_thread, (void *)~random) == 0;
    live(storm, random);
    if (two) {
        pthread_join(thread, NULL);
    }
    return 0;
}

static pid_t be_born(void)
{
    uintptr_t seed = (uintptr_t)test_random();
    return test_child(live_a_life, &seed);
}

static double storm_seconds(void)
{
    const char *text = getenv("KIN_STORM_SECONDS");
    return text != NULL ? atof(text) : 3;
}

static kin_usage_info usage(void)
{
    kin_usage_info info;
    CHECK_OK(kin_usage(&info));
    return info;
}

/* No page is in the hands of the dead, none is lost. */
static void check_pages(void)
{
    uint64_t top = atomic_load(&base()->top);
    for (uint64_t i = 0; i < top; i++) {
        uint64_t state = atomic_load(&page_at(i)->state);
        CHECK_NE(PAGE_KIND(state), PAGE_CLAIMED);
        CHECK_NE(PAGE_KIND(state), PAGE_TAIL);
        CHECK_NE(PAGE_KIND(state), PAGE_LARGE);
        CHECK(PAGE_KIND(state) != PAGE_SMALL || PAGE_OWNER(state) == 0 ||
              PAGE_OWNER(state) == kin__self());
    }
}

TEST_WITHIN(200, the_domain_survives_the_storm)
{
    storm = test_shared(sizeof *storm);
    kin__self();
    pid_t pids[CROWD];
    for (int i = 0; i < CROWD; i++) {
        pids[i] = be_born();
    }
    unsigned kills = 0;
    double end = kin_now() + storm_seconds();
    while (kin_now() < end) {
        size_t victim = test_random() % CROWD;
        kin__os_sleep_until(kin__os_now() + (int64_t)(test_random() % 8000000));
        kill(pids[victim], SIGKILL);
        CHECK_EQ(test_join(pids[victim]), -SIGKILL);
        pids[victim] = be_born();
        kills++;
    }
    storm->over = 1;
    for (int i = 0; i < CROWD; i++) {
        CHECK_EQ(test_join(pids[i]), 0);
    }
    CHECK_EQ(storm->errors, 0);
    uint64_t there = 0;
    CHECK_EQ(usage().processes, 1);
    for (int i = 0; i < PLACES; i++) {
        char *p = kin__block_at(storm->places[i], 0, NULL);
        if (p != NULL && kin__block_is_shared(storm->places[i])) {
            CHECK(is_signed(p));
            there++;
        }
    }
    printf("# %llu rounds, %u kills, %llu pages, %llu blocks in the exchange\n",
           (unsigned long long)storm->rounds, kills, (unsigned long long)atomic_load(&base()->top),
           (unsigned long long)there);
    CHECK_EQ(usage().blocks, there);
    for (int i = 0; i < PLACES; i++) {
        kin__block_discard(storm->places[i]);
    }
    CHECK_EQ(usage().blocks, 0);
    check_pages();
}
