/* Some processes, or threads, put and get for a moment, and write down when
 * each call began and ended, and what it said. Whatever that is, a simple queue
 * must be able to say it, too (history.h). KIN_TRIALS says how many such
 * moments there are of each kind (default 1000). */
#include "harness.h"
#include "history.h"
#include "queue/room.h"

#include <pthread.h>
#include <sched.h>
#include <unistd.h>

enum { CROWD_MOST = 4, CALLS = 8, FIRST_BEFORE = 1000, SIZE_MOST = 5000 };

#define OVER UINT32_MAX

/* ---- a moment of a queue's life
 * --------------------------------------------------------------- */

struct scene;

struct lane {
    struct scene *scene;
    uint64_t random;
    uint32_t next; /* value of the next message */
    unsigned n;
    struct op ops[OPS_MOST / CROWD_MOST];
    unsigned hand_n;
    uint32_t hand[CALLS]; /* got, not acknowledged */
};

struct scene {
    unsigned room;
    bool ack, by_bytes, threads;
    bool joint; /* two messages a call, all of 8 bytes */
    unsigned crowd;
    int before, taken; /* messages put before the moment, and got again */
    kin_queue *queue;
    _Atomic uint64_t clock;
    _Atomic uint32_t moment; /* the number of that which goes on, or OVER; they sleep on it */
    _Atomic uint32_t present;
    _Atomic uint32_t done; /* with their moments; he sleeps on it who watches */
    _Atomic int odd;       /* what a call said that it should not say; 1: a message is
                      not what was put */
    struct lane lanes[CROWD_MOST];
    struct history history;
};

static uint64_t draw(uint64_t *random)
{
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    return *random >> 11;
}

/* Between the steps of a call, now and then, it is somebody else's turn. */
static void dawdle(const char *step)
{
    (void)step;
    static _Thread_local uint64_t random;
    random = random != 0 ? random : (uint64_t)kin__os_now() | 1;
    uint64_t choice = draw(&random);
    if (choice % 4 == 0) {
        sched_yield();
    } else if (choice % 4 == 1) {
        for (uint64_t i = choice / 4 % 256; i > 0; i--) {
            kin__os_pause();
        }
    }
}

static size_t size_of(const struct scene *s, uint32_t value)
{
    static const size_t sizes[] = { 8, 200, SIZE_MOST };
    return s->joint ? 8 : sizes[value % 3];
}

static ssize_t put_messages(const struct scene *s, uint32_t value, int n)
{
    uint32_t bytes[SIZE_MOST / 4] = { value, value, value + 1, value + 1 };
    if (n == 2) {
        return kin_queue_put_array(s->queue, bytes, 8, 2, 0);
    }
    size_t size = size_of(s, value);
    bytes[size / 4 - 1] = value;
    int rv = kin_queue_put_bytes(s->queue, bytes, size, 0);
    return rv < 0 ? rv : 1;
}

static ssize_t get_messages(struct scene *s, uint32_t ret_values[2], int n)
{
    uint32_t bytes[SIZE_MOST / 4];
    ssize_t rv = n == 2 ? kin_queue_get_array(s->queue, bytes, 8, 2, 0)
                        : kin_queue_get_bytes(s->queue, bytes, sizeof bytes, 0);
    ssize_t got = rv > 0 && n == 1 ? 1 : rv;
    for (ssize_t i = 0; i < got; i++) {
        size_t size = n == 2 ? 8 : (size_t)rv;
        ret_values[i] = bytes[i * 2];
        uint32_t last = bytes[(size_t)i * 2 + size / 4 - 1];
        s->odd |= size != size_of(s, ret_values[i]) || last != ret_values[i];
    }
    return got;
}

/* ---- one of the crowd
 * ------------------------------------------------------------------------ */

static void note(struct lane *l, struct op op, const uint32_t *values, ssize_t n)
{
    op.end = atomic_fetch_add(&l->scene->clock, 1);
    op.refused = n < 0;
    if (n < 0 && n != (op.kind == PUT ? KIN_EFULL : KIN_EEMPTY)) {
        l->scene->odd = (int)n;
    }
    for (ssize_t i = 0; i < n || i == 0; i++) {
        op.value = n > 0 ? values[i] : 0;
        op.follows = i > 0;
        l->ops[l->n++] = op;
    }
}

static void put(struct lane *l)
{
    uint32_t values[2] = { l->next, l->next + 1 };
    struct op op = { .kind = PUT, .begin = atomic_fetch_add(&l->scene->clock, 1) };
    ssize_t n = put_messages(l->scene, l->next, l->scene->joint ? 2 : 1);
    note(l, op, values, n);
    l->next += 2;
}

static void get(struct lane *l)
{
    uint32_t values[2];
    struct op op = { .kind = GET, .begin = atomic_fetch_add(&l->scene->clock, 1) };
    ssize_t n = get_messages(l->scene, values, l->scene->joint ? 2 : 1);
    note(l, op, values, n);
    if (l->scene->ack && n > 0) {
        l->hand[l->hand_n++] = values[0];
    }
}

static void acknowledge(struct lane *l)
{
    struct op op = { .kind = ACK, .begin = atomic_fetch_add(&l->scene->clock, 1) };
    note(l, op, l->hand, kin_queue_ack(l->scene->queue) == 0 ? 1 : KIN_ESTATE);
    memmove(l->hand, l->hand + 1, --l->hand_n * sizeof *l->hand);
}

static void live_a_moment(struct lane *l)
{
    for (int i = 0; i < CALLS; i++) {
        uint64_t choice = draw(&l->random) % 4;
        if (choice == 0 && l->hand_n > 0) {
            acknowledge(l);
        } else if (choice % 2 == 0) {
            put(l);
        } else {
            get(l);
        }
    }
    while (l->hand_n > 0) {
        acknowledge(l);
    }
}

static void await(_Atomic uint32_t *word, uint32_t least)
{
    for (uint32_t seen = *word; seen < least; seen = *word) {
        (void)kin__os_wait(word, seen, INT64_MAX);
    }
}

static int live(void *ctx)
{
    struct lane *l = ctx;
    struct scene *s = l->scene;
    kin__step_hook(dawdle);
    for (uint32_t moment = 1;; moment++) {
        await(&s->moment, moment);
        if (s->moment == OVER) {
            return 0;
        }
        s->present++;
        while (s->present < moment * s->crowd) { /* all begin at once */
            sched_yield();
        }
        live_a_moment(l);
        s->done++;
        kin__os_wake(&s->done, 1);
    }
}

static void *live_in_thread(void *lane)
{
    live(lane);
    return NULL;
}

/* ---- the moment, from outside
 * ---------------------------------------------------------------- */

static void begin(struct scene *s)
{
    struct history *h = &s->history;
    h->before_n = h->n = h->after_n = 0;
    kin_queue_options options = { .maxsize = s->by_bytes ? 0 : s->room,
                                  .maxbytes = s->by_bytes ? s->room * kin__meter_cost(8) : 0,
                                  .ack = s->ack };
    CHECK_OK(kin_queue_new(&s->queue, &options));
    uint32_t value = FIRST_BEFORE;
    uint32_t got[2];
    for (uint64_t i = test_random() % 4; i > 0; i--) { /* each begins elsewhere in the ring */
        CHECK_EQ(put_messages(s, value, 1), 1);
        CHECK_EQ(get_messages(s, got, 1), 1);
        CHECK(!s->ack || kin_queue_ack(s->queue) == 0);
    }
    for (int i = 0; i < s->before; i++) {
        h->before[h->before_n++] = value;
        CHECK_EQ(put_messages(s, value++, 1), 1);
    }
    for (int i = 0; i < s->taken; i++) {
        CHECK_EQ(get_messages(s, got, 1), 1);
        CHECK_EQ(got[0], h->before[i]);
    }
    h->before_n -= (unsigned)s->taken;
    memmove(h->before, h->before + s->taken, h->before_n * sizeof *h->before);
    for (unsigned i = 0; i < s->crowd; i++) {
        s->lanes[i].n = 0;
        s->lanes[i].next = i * 100 + 1;
    }
}

static void end(struct scene *s)
{
    struct history *h = &s->history;
    for (unsigned i = 0; i < s->crowd; i++) {
        memcpy(h->ops + h->n, s->lanes[i].ops, s->lanes[i].n * sizeof *h->ops);
        h->n += s->lanes[i].n;
    }
    uint32_t got[2];
    while (get_messages(s, got, 1) == 1) {
        h->after[h->after_n++] = got[0];
    }
    kin_queue_free(s->queue);
}

static void tell(const struct history *h)
{
    static const char *const verbs[] = { "put", "get", "ack" };
    for (unsigned i = 0; i < h->n; i++) {
        const struct op *op = &h->ops[i];
        printf("# %4d-%4d %s%s %u%s\n", (int)op->begin, (int)op->end, op->follows ? "  and " : "",
               verbs[op->kind], op->value, op->refused ? " refused" : "");
    }
    for (unsigned i = 0; i < h->after_n; i++) {
        printf("# left: %u\n", h->after[i]);
    }
    fflush(stdout);
}

static uint32_t trials(void)
{
    const char *text = getenv("KIN_TRIALS");
    return text != NULL ? (uint32_t)atoi(text) : 1000;
}

static void judge(struct scene *s, uint32_t n)
{
    struct rules rules = { .room = s->room, .ack = s->ack, .counted = s->ack || s->by_bytes };
    for (uint32_t i = 1; i <= n; i++) {
        begin(s);
        s->moment++;
        kin__os_wake(&s->moment, INT32_MAX);
        await(&s->done, i * s->crowd);
        end(s);
        CHECK_(s->odd == 0, "moment %u: %s", i, kin_errname(s->odd));
        if (!is_linear(&s->history, rules)) {
            tell(&s->history);
            ck_abort_msg("moment %u: no simple queue says that", i);
        }
    }
}

static void look_at(struct scene scene)
{
    struct scene *s = test_shared(sizeof *s);
    *s = scene;
    pid_t pids[CROWD_MOST];
    pthread_t threads[CROWD_MOST];
    kin__self();
    for (unsigned i = 0; i < s->crowd; i++) {
        s->lanes[i] = (struct lane){ .scene = s, .random = test_random() | 1 };
        if (s->threads) {
            CHECK_EQ(pthread_create(&threads[i], NULL, live_in_thread, &s->lanes[i]), 0);
        } else {
            pids[i] = test_child(live, &s->lanes[i]);
        }
    }
    judge(s, trials());
    s->moment = OVER;
    kin__os_wake(&s->moment, INT32_MAX);
    for (unsigned i = 0; i < s->crowd; i++) {
        CHECK_EQ(s->threads ? pthread_join(threads[i], NULL) : test_join(pids[i]), 0);
    }
    kin__step_hook(NULL);
}

/* ---- all kinds
 * -------------------------------------------------------------------------------
 */

TEST_WITHIN(120, a_queue_without_a_bound)
{
    look_at((struct scene){ .crowd = 3 });
}

TEST_WITHIN(120, a_queue_that_grows)
{
    look_at((struct scene){ .crowd = 3, .before = 60 });
}

TEST_WITHIN(120, a_queue_that_grew_and_shrinks)
{
    look_at((struct scene){ .crowd = 3, .before = 67, .taken = 62 });
}

TEST_WITHIN(120, a_queue_for_one)
{
    look_at((struct scene){ .crowd = 2, .room = 1 });
}

TEST_WITHIN(120, a_queue_for_two)
{
    look_at((struct scene){ .crowd = 4, .room = 2 });
}

TEST_WITHIN(120, a_queue_for_three_whose_messages_come_in_twos)
{
    look_at((struct scene){ .crowd = 3, .room = 3, .joint = true });
}

TEST_WITHIN(120, a_queue_for_some_bytes)
{
    look_at((struct scene){ .crowd = 3, .room = 3, .by_bytes = true, .joint = true });
}

TEST_WITHIN(120, a_queue_with_ack)
{
    look_at((struct scene){ .crowd = 3, .ack = true });
}

TEST_WITHIN(120, a_queue_with_ack_for_two)
{
    look_at((struct scene){ .crowd = 3, .room = 2, .ack = true });
}

TEST_WITHIN(120, threads_at_a_queue_for_two)
{
    look_at((struct scene){ .crowd = 3, .room = 2, .threads = true });
}
