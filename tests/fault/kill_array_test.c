/* Somebody is killed at every step of putting or getting many messages at once, and of writing and
 * reading them in place. */
#include "domain/room.h"
#include "harness.h"
#include "queue/room.h"

enum { RUN = 5, LARGE = 1000 };

struct scene {
    kin_queue_options options;
    size_t size;
    int before;
    kin_queue *queue;
    uint64_t blocks;
    _Atomic int done; /* how many messages his calls that returned have put, or got */
};

static uint64_t blocks_in_use(void)
{
    kin_usage_info info;
    CHECK_OK(kin_usage(&info));
    return info.blocks;
}

static void write_number(void *at, size_t size, int number)
{
    memset(at, number, size);
    memcpy(at, &number, sizeof number);
}

static int put_number(struct scene *s, int number)
{
    unsigned char bytes[LARGE];
    write_number(bytes, s->size, number);
    return kin_queue_put_bytes(s->queue, bytes, s->size, 0);
}

static int get_number(struct scene *s)
{
    unsigned char bytes[LARGE];
    unsigned char expected[LARGE];
    int number;
    ssize_t size = kin_queue_get_bytes(s->queue, bytes, sizeof bytes, 0);
    if (size < 0) {
        CHECK_ERROR((int)size, KIN_EEMPTY);
        return -1;
    }
    CHECK_EQ(size, s->size);
    memcpy(&number, bytes, sizeof number);
    write_number(expected, s->size, number);
    CHECK_MEM(bytes, expected, s->size);
    return number;
}

static void fill(void *ctx)
{
    struct scene *s = ctx;
    s->blocks = blocks_in_use();
    CHECK_OK(kin_queue_new(&s->queue, &s->options));
    for (int i = 0; i < s->before; i++) {
        CHECK_OK(put_number(s, i));
    }
    s->done = 0;
}

static void works_and_goes(struct scene *s, const char *step)
{
    for (int i = 0; i < 200; i++) {
        CHECK_OK(put_number(s, i));
        CHECK_EQ(get_number(s), i);
    }
    CHECK_EQ(get_number(s), -1);
    kin_queue_free(s->queue);
    CHECK_(blocks_in_use() == s->blocks, "killed at %s: %llu blocks in use, there were %llu", step,
           (unsigned long long)blocks_in_use(), (unsigned long long)s->blocks);
}

static void run_loop(const struct scene *scene, const struct kill_ops *ops)
{
    struct scene *s = test_shared(sizeof *s);
    *s = *scene;
    kin__self();
    CHECK_GT(test_kill_loop(NULL, s, ops), 5);
    kin_queue_free(s->queue);
}

/* ---- putting --------------------------------------------------------------------------------- */

static void put_an_array(void *ctx)
{
    struct scene *s = ctx;
    unsigned char items[RUN * LARGE];
    for (int i = 0; i < RUN; i++) {
        write_number(items + (size_t)i * s->size, s->size, 100 + i);
    }
    s->done += (int)kin_queue_put_array(s->queue, items, s->size, RUN, 0);
}

static void put_in_place(void *ctx)
{
    struct scene *s = ctx;
    for (int i = 0; i < 2; i++) {
        void *place;
        if (kin_queue_reserve(s->queue, LARGE, &place) < 0) {
            return;
        }
        write_number(place, s->size, 100 + i);
        s->done += kin_queue_commit(s->queue, place, s->size, 0) == 0;
    }
}

/* Of his, the first ones are there, and of these as many as he was told. */
static void what_was_put_is_there(void *ctx, const char *step)
{
    struct scene *s = ctx;
    for (int i = 0; i < s->before; i++) {
        CHECK_EQ(get_number(s), i);
    }
    int number;
    int expected = 100;
    while ((number = get_number(s)) >= 0) {
        CHECK_(number == expected, "killed at %s: %d came, not %d", step, number, expected);
        expected++;
    }
    CHECK_(expected - 100 >= s->done, "killed at %s: %d came, and %d were put", step,
           expected - 100, s->done);
    works_and_goes(s, step);
}

static const kin_queue_options kinds[] = {
    { .maxsize = 0 },
    { .maxsize = RUN },
    { .maxbytes = RUN * (LARGE + 64) },
    { .joinable = true },
};

enum { KINDS = sizeof kinds / sizeof *kinds };

static void kill_producers(void (*victim)(void *))
{
    const struct kill_ops ops = { .setup = fill, .victim = victim, .check = what_was_put_is_there };
    for (int i = 0; i < 2 * KINDS; i++) {
        run_loop(&(struct scene){ .options = kinds[i / 2], .size = i % 2 ? LARGE : 8 }, &ops);
    }
}

TEST_WITHIN(60, who_puts_an_array_may_die_anywhere)
{
    kill_producers(put_an_array);
}

TEST_WITHIN(60, who_puts_an_array_may_die_anywhere_while_the_queue_grows)
{
    const struct kill_ops ops = { .setup = fill,
                                  .victim = put_an_array,
                                  .check = what_was_put_is_there };
    run_loop(&(struct scene){ .size = 8, .before = 62 }, &ops);
    run_loop(&(struct scene){ .size = LARGE, .before = 62 }, &ops);
}

TEST_WITHIN(60, who_writes_in_place_may_die_anywhere)
{
    kill_producers(put_in_place);
}

/* ---- getting --------------------------------------------------------------------------------- */

static void get_an_array(void *ctx)
{
    struct scene *s = ctx;
    unsigned char items[RUN * LARGE];
    s->done += (int)kin_queue_get_array(s->queue, items, s->size, RUN - 1, 0);
}

static void get_objects(void *ctx)
{
    struct scene *s = ctx;
    kin_obj objects[RUN];
    ssize_t n = kin_queue_get_many(s->queue, objects, RUN - 1, 0);
    s->done += (int)n;
    for (ssize_t i = 0; i < n; i++) {
        kin_release(objects[i]);
    }
}

static void read_in_place(void *ctx)
{
    struct scene *s = ctx;
    for (int i = 0; i < RUN - 1; i++) {
        kin_message message;
        s->done += kin_queue_peek(s->queue, &message, 0) == 0;
        (void)kin_queue_consume(s->queue, &message);
    }
}

/* Each message comes once, or was got; what he had in his hand may be gone, or back, and then it
 * may come late. */
static void nothing_comes_twice(void *ctx, const char *step)
{
    struct scene *s = ctx;
    bool seen[RUN] = { false };
    for (int number; (number = get_number(s)) >= 0;) {
        CHECK_(number < s->before && !seen[number], "killed at %s: %d came again", step, number);
        CHECK_(number >= s->done, "killed at %s: %d came, and was got before", step, number);
        seen[number] = true;
    }
    CHECK_(seen[RUN - 1], "killed at %s: the one that he had no hand in is gone", step);
    works_and_goes(s, step);
}

static void kill_takers(void (*victim)(void *))
{
    const struct kill_ops ops = { .setup = fill, .victim = victim, .check = nothing_comes_twice };
    for (int i = 0; i < 2 * KINDS; i++) {
        run_loop(
            &(struct scene){ .options = kinds[i / 2], .size = i % 2 ? LARGE : 8, .before = RUN },
            &ops);
    }
}

TEST_WITHIN(60, who_gets_an_array_may_die_anywhere)
{
    kill_takers(get_an_array);
}

TEST_WITHIN(60, who_gets_many_objects_may_die_anywhere)
{
    kill_takers(get_objects);
}

TEST_WITHIN(60, who_reads_in_place_may_die_anywhere)
{
    kill_takers(read_in_place);
}

/* ---- freeing --------------------------------------------------------------------------------- */

static void free_it(void *ctx)
{
    kin_queue_free(((struct scene *)ctx)->queue);
}

/* Who comes next finds it closed or freed, and can free the rest. */
static void the_rest_can_be_freed(void *ctx, const char *step)
{
    struct scene *s = ctx;
    char bytes[LARGE] = { 0 };
    ssize_t rv = kin_queue_get_bytes(s->queue, bytes, sizeof bytes, KIN_FOREVER);
    while (rv > 0) { /* killed right after he closed it: the messages are there still */
        if (s->options.ack) {
            CHECK_OK(kin_queue_ack(s->queue));
        }
        rv = kin_queue_get_bytes(s->queue, bytes, sizeof bytes, KIN_FOREVER);
    }
    CHECK_(rv == KIN_ECLOSED || rv == KIN_EFREED, "killed at %s: get gave %zd", step, rv);
    int put = put_number(s, 1);
    CHECK_(put == KIN_ECLOSED || put == KIN_EFREED, "killed at %s: put gave %d", step, put);
    if (rv != KIN_EFREED) {
        kin_queue_free(s->queue);
    }
    CHECK_(blocks_in_use() == s->blocks, "killed at %s: %llu blocks in use, there were %llu", step,
           (unsigned long long)blocks_in_use(), (unsigned long long)s->blocks);
}

TEST_WITHIN(60, who_frees_may_die_anywhere)
{
    struct scene *s = test_shared(sizeof *s);
    kin__self();
    const kin_queue_options options[] = { { .ack = true, .maxbytes = 10000 }, { .maxsize = 5 } };
    for (int i = 0; i < 2; i++) {
        *s = (struct scene){ .options = options[i], .size = LARGE, .before = 3 };
        CHECK_GT(kill_loop("queue.", s, .setup = fill, .victim = free_it,
                           .check = the_rest_can_be_freed),
                 1);
        CHECK_GT(
            kill_loop("lock.", s, .setup = fill, .victim = free_it, .check = the_rest_can_be_freed),
            1);
    }
}
