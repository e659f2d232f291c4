/* Somebody's stray writes hit the family's memory: page directory, headers of small pages, rings,
 * queues, locks, events, messages. Every public call may then fail with any code; but none may
 * crash, and none may hang. What a seed does, it does again: --seed. */
#include "domain/map.h"
#include "harness.h"
#include "queue/room.h"
#include <kin/sync.h>

#include <signal.h>
#include <unistd.h>

enum { TARGETS = 64, DEATHLY = 30 /* s */ };

struct target {
    char *at;
    size_t size;
};

struct scene {
    kin_queue *queue;
    kin_queue *bounded;
    kin_lock *lock;
    kin_event *event;
    char *small;
    char *large;
    struct target targets[TARGETS];
    unsigned count;
    unsigned round;
};

static void aim(struct scene *s, void *at, size_t size)
{
    if (s->count < TARGETS) {
        s->targets[s->count++] = (struct target){ at, size };
    }
}

static void aim_at_queue(struct scene *s, kin_queue *queue)
{
    aim(s, queue, sizeof *queue);
    kin__ring ring = kin__ring_at(atomic_load(&queue->first));
    while (ring.at != NULL) {
        aim(s, ring.at, sizeof *ring.at + 8 * sizeof(kin__cell));
        aim(s, ring.at, kin__block_size(ring.at));
        ring = kin__ring_at(kin__ring_next(&ring));
    }
}

static void put_all_kinds(kin_queue *queue)
{
    static char bytes[100000];
    for (int i = 0; i < 30; i++) {
        (void)kin_queue_put(queue, kin_list(kin_int(i), kin_str("a text that is long enough")), 0);
        (void)kin_queue_put_bytes(queue, bytes, (size_t)i * 100, 0);
        (void)kin_queue_put(queue, kin_buffer(kin_alloc(50), 50), 0);
    }
    (void)kin_queue_put_bytes(queue, bytes, sizeof bytes, 0);
    (void)kin_queue_put(queue, kin_dict(kin_str("k"), kin_tuple(kin_float(1.5), kin_none())), 0);
}

static void build(struct scene *s)
{
    CHECK_OK(kin_queue_new(&s->queue, NULL));
    CHECK_OK(kin_queue_new(&s->bounded, KIN_OPT(kin_queue_options, .maxsize = 20)));
    CHECK_OK(kin_lock_new(&s->lock, NULL));
    CHECK_OK(kin_event_new(&s->event, NULL));
    s->small = kin_alloc(100);
    s->large = kin_alloc(200000);
    put_all_kinds(s->queue);
    put_all_kinds(s->bounded);
    uint64_t top = atomic_load(&base()->top);
    aim(s, page_at(0), top * sizeof(page));
    aim_at_queue(s, s->queue);
    aim_at_queue(s, s->bounded);
    aim(s, s->lock, 64);
    aim(s, s->event, 64);
    for (uint64_t i = 0; i < top; i++) {
        uint64_t state = atomic_load(&page_at(i)->state);
        if (PAGE_KIND(state) == PAGE_SMALL) {
            aim(s, page_data(i), kin__classes[PAGE_CLASS(state)].data);
            aim(s, page_data(i), PAGE_SIZE); /* messages, too */
        }
    }
}

/* ---- stray writes ---------------------------------------------------------------------------- */

static void scribble_on(const struct target *t)
{
    uint64_t *word = (uint64_t *)(void *)t->at + test_random() % (t->size / 8);
    uint64_t other = *((uint64_t *)(void *)t->at + test_random() % (t->size / 8));
    switch (test_random() % 6) {
    case 0:
        *word = test_random();
        break;
    case 1:
        *word ^= (uint64_t)1 << test_random() % 64;
        break;
    case 2:
        *word += test_random() % 5 - 2;
        break;
    case 3:
        *word = other; /* what is right elsewhere */
        break;
    case 4:
        *word = (*word & 0xffffffff) | test_random() << 32;
        break;
    default:
        *word = test_random() % 2 ? 0 : UINT64_MAX;
        break;
    }
}

static void scribble(const struct scene *s)
{
    uint64_t writes = 1 + test_random() % 8;
    writes = test_random() % 4 == 0 ? writes * 30 : writes;
    while (writes-- > 0) {
        scribble_on(&s->targets[test_random() % s->count]);
    }
}

/* ---- every call ------------------------------------------------------------------------------ */

static void use_queue(kin_queue *queue)
{
    static char bytes[200000];
    kin_obj o;
    for (int i = 0; i < 5; i++) {
        (void)kin_queue_qsize(queue);
        (void)kin_queue_put(queue, kin_list(kin_int(1), kin_str("text")), 0);
        (void)kin_queue_put_bytes(queue, bytes, 3000, 0);
        (void)kin_queue_put_bytes(queue, bytes, 3, 0);
        if (kin_queue_get(queue, &o, 0) == 0) {
            kin_release(o);
        }
        (void)kin_queue_get_bytes(queue, bytes, 30, 0);
        (void)kin_queue_get_bytes(queue, bytes, sizeof bytes, 0);
    }
    for (int i = 0; i < 150 && kin_queue_get(queue, &o, 0) == 0; i++) {
        (void)kin_hash(o);
        kin_release(o);
    }
    put_all_kinds(queue);
    (void)kin_queue_close(queue);
    for (int i = 0; i < 20 && kin_queue_get(queue, &o, 0) == 0; i++) {
        kin_release(o);
    }
}

static void use_memory(void)
{
    void *blocks[40];
    kin_usage_info info;
    (void)kin_usage(&info);
    for (int i = 0; i < 40; i++) {
        blocks[i] = kin_alloc(i % 10 == 0 ? 100000 : (size_t)i * 50 + 1);
    }
    for (int i = 0; i < 40; i++) {
        kin_free(blocks[i]);
    }
    kin__sweep(ID_OF(5, 0));
    (void)kin_usage(&info);
}

static void use_sync(struct scene *s)
{
    (void)kin_lock_acquire(s->lock, 0);
    (void)kin_lock_locked(s->lock);
    (void)kin_lock_release(s->lock);
    (void)kin_event_wait(s->event, 0);
    (void)kin_event_set(s->event);
    (void)kin_event_is_set(s->event);
    (void)kin_event_clear(s->event);
    kin_event *event = NULL;
    kin_lock *lock = NULL;
    kin_queue *queue = NULL;
    if (kin_event_new(&event, NULL) == 0) {
        kin_event_free(event);
    }
    if (kin_lock_new(&lock, NULL) == 0) {
        kin_lock_free(lock);
    }
    if (kin_queue_new(&queue, NULL) == 0) {
        kin_queue_free(queue);
    }
}

static void free_all(struct scene *s)
{
    kin_lock_free(s->lock);
    kin_event_free(s->event);
    kin_free(s->small);
    kin_free(s->large);
    kin_queue_free(s->bounded);
    kin_queue_free(s->queue);
}

static int suffer(void *ctx)
{
    struct scene *s = ctx;
    for (unsigned i = 0; i < 1000 * s->round; i++) {
        (void)test_random(); /* another stretch of it for each round */
    }
    alarm(DEATHLY);
    kin_log_set_level(KIN_LOG_OFF);
    build(s);
    scribble(s);
    switch (test_random() % 3) { /* what comes first meets the freshest scribble */
    case 0:
        use_memory();
        use_queue(s->queue);
        use_queue(s->bounded);
        break;
    case 1:
        use_queue(s->bounded);
        use_queue(s->queue);
        use_memory();
        break;
    default:
        free_all(s);
        break;
    }
    use_sync(s);
    scribble(s);
    use_queue(s->queue);
    use_memory();
    free_all(s);
    use_memory();
    return 0;
}

static unsigned rounds(void)
{
    const char *text = getenv("KIN_SCRIBBLES");
    return text != NULL ? (unsigned)atoi(text) : 300;
}

/* Each round in a family of its own. */
TEST_WITHIN(600, no_scribble_makes_a_call_crash_or_hang)
{
    for (unsigned i = 0; i < rounds(); i++) {
        struct scene s = { .round = i };
        int rv = test_join(test_child(suffer, &s));
        CHECK_(rv == 0, "round %u ended with %d", i, rv);
    }
}
