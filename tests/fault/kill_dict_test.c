/* Processes that are killed at each step of every change to a shared dict. What is there afterwards
 * is what was there before, or what would be there after; readers who take no lock see one of them,
 * and whoever writes next waits for nobody and leaves no block behind. */
#include "collection/table.h"
#include "harness.h"
#include <kin/domain.h>

#include <signal.h>

#define TEXT "a text that takes a block of its own"

struct scene {
    int before, popped; /* how many were put in, and how many of them taken out again */
    void (*victim)(void *ctx);
    const char *only; /* steps that begin so */
    kin_shared_dict *dict;
    kin_obj old, new_; /* items */
    uint64_t blocks;
};

static uint64_t count_blocks(void)
{
    kin_usage_info info;
    CHECK_OK(kin_usage(&info));
    return info.blocks;
}

/* With one seed: so all of them grow and shrink at the same number of keys. */
static kin_shared_dict *make_dict(int before, int popped)
{
    kin_shared_dict *d = NULL;
    CHECK_OK(kin_shared_dict_new(&d, NULL));
    kin__fill(&((kin__table *)(void *)d)->seed, 42);
    for (int i = 0; i < before; i++) {
        CHECK_OK(kin_shared_dict_set(d, kin_int(i), i % 2 == 0 ? kin_int(i) : kin_str(TEXT)));
    }
    for (int i = 0; i < popped; i++) {
        CHECK_OK(kin_shared_dict_pop(d, kin_int(i), NULL));
    }
    return d;
}

static kin_obj items_of(kin_shared_dict *d)
{
    kin_obj items;
    CHECK_OK(kin_shared_dict_items(d, &items));
    return items;
}

/* The same, as readers see it; what one way shows, the other one shows, too. */
static kin_obj items_seen(kin_shared_dict *d)
{
    kin_obj key, value, found;
    uint64_t pos = 0;
    kin_obj items = kin_list();
    while (kin_shared_dict_next(d, &pos, &key, &value) == 1) {
        CHECK_OK(kin_shared_dict_get(d, kin_retain(key), &found));
        CHECK(kin_equal(found, value));
        kin_release(found);
        CHECK_OK(kin_append(&items, kin_tuple(key, value)));
    }
    return items;
}

static void set_up(void *ctx)
{
    struct scene *s = ctx;
    s->blocks = count_blocks();
    s->dict = make_dict(s->before, s->popped);
}

static void look(void *ctx, const char *step)
{
    struct scene *s = ctx;
    kin_obj seen = items_seen(s->dict);
    bool done = kin_equal(seen, s->new_);
    CHECK_(done || kin_equal(seen, s->old), "readers after %s see %s", step, kin_repr(seen));
    kin_obj now = items_of(s->dict); /* by the lock, so the change is ended now */
    CHECK_(kin_equal(now, s->new_) || (!done && kin_equal(now, s->old)), "after %s there is %s",
           step, kin_repr(now));
    CHECK_EQ(kin_shared_dict_len(s->dict), kin_len(now));
    CHECK_OK(kin_shared_dict_set(s->dict, kin_str("next"), kin_str(TEXT)));
    CHECK_OK(kin_shared_dict_pop(s->dict, kin_str("next"), NULL));
    kin_shared_dict_free(s->dict);
    CHECK_(count_blocks() == s->blocks, "%d blocks are left after %s",
           (int)(count_blocks() - s->blocks), step);
    kin_release(seen);
    kin_release(now);
}

/* How many kills there were. */
static int kill_in(struct scene scene)
{
    struct scene *s = test_shared(sizeof *s);
    *s = scene;
    s->dict = make_dict(s->before, s->popped);
    s->old = items_of(s->dict);
    s->victim(s);
    s->new_ = items_of(s->dict);
    kin_shared_dict_free(s->dict);
    int kills = kill_loop(s->only, s, .setup = set_up, .victim = s->victim, .check = look);
    kin_shared_dict_free(s->dict);
    kin_release(s->old);
    kin_release(s->new_);
    return kills;
}

/* ---- what they do ---------------------------------------------------------------------------- */

static kin_shared_dict *dict_of(void *ctx)
{
    return ((struct scene *)ctx)->dict;
}

static void set_small(void *ctx)
{
    (void)kin_shared_dict_set(dict_of(ctx), kin_str("new"), kin_int(1));
}

static void set_text(void *ctx)
{
    (void)kin_shared_dict_set(dict_of(ctx), kin_str("new"), kin_str(TEXT));
}

static void replace_small(void *ctx)
{
    (void)kin_shared_dict_set(dict_of(ctx), kin_int(0), kin_int(-1));
}

static void replace_text(void *ctx)
{
    (void)kin_shared_dict_set(dict_of(ctx), kin_int(1), kin_str(TEXT TEXT));
}

static void pop_last_but_one(void *ctx)
{
    const struct scene *s = ctx;
    (void)kin_shared_dict_pop(s->dict, kin_int(s->before - 2), NULL);
}

static void pop_last(void *ctx)
{
    kin_obj key, value;
    if (kin_shared_dict_popitem(dict_of(ctx), &key, &value) == 0) {
        kin_release(value);
    }
}

static void pop_first(void *ctx)
{
    const struct scene *s = ctx;
    (void)kin_shared_dict_pop(s->dict, kin_int(s->popped), NULL);
}

static void clear(void *ctx)
{
    (void)kin_shared_dict_clear(dict_of(ctx));
}

static void set_default(void *ctx)
{
    kin_obj o;
    if (kin_shared_dict_setdefault(dict_of(ctx), kin_str("new"), kin_str(TEXT), &o) >= 0) {
        kin_release(o);
    }
}

static void add(void *ctx)
{
    (void)kin_shared_dict_add(dict_of(ctx), kin_int(0), kin_int(5), NULL);
}

static void add_text(void *ctx)
{
    (void)kin_shared_dict_add(dict_of(ctx), kin_int(1), kin_str(TEXT), NULL);
}

static void exchange(void *ctx)
{
    (void)kin_shared_dict_compare_and_set(dict_of(ctx), kin_int(1), kin_str(TEXT), kin_str("x"));
}

static kin_obj to_another(kin_obj value, void *ctx)
{
    (void)value;
    (void)ctx;
    KIN__STEP("test.applying");
    return kin_str(TEXT TEXT);
}

static void apply(void *ctx)
{
    (void)kin_shared_dict_apply(dict_of(ctx), kin_int(0), to_another, NULL);
}

/* ---- a small dict: at every step of every room ----------------------------------------------- */

TEST_WITHIN(120, who_puts_in_a_key_may_die_anywhere)
{
    CHECK_GE(kill_in((struct scene){ .before = 0, .victim = set_small }), 10);
    CHECK_GE(kill_in((struct scene){ .before = 3, .victim = set_text }), 10);
    CHECK_GE(kill_in((struct scene){ .before = 2, .victim = set_default }), 10);
    CHECK_GE(kill_in((struct scene){ .before = 64, .victim = set_text }), 10); /* another node */
}

TEST_WITHIN(120, who_replaces_a_value_may_die_anywhere)
{
    CHECK_GE(kill_in((struct scene){ .before = 3, .victim = replace_small }), 2);
    CHECK_GE(kill_in((struct scene){ .before = 3, .victim = replace_text }), 6);
    CHECK_GE(kill_in((struct scene){ .before = 3, .victim = add }), 2);
    CHECK_GE(kill_in((struct scene){ .before = 3, .victim = add_text }), 6);
    CHECK_GE(kill_in((struct scene){ .before = 3, .victim = exchange }), 6);
    CHECK_GE(kill_in((struct scene){ .before = 3, .victim = apply }), 6);
}

TEST_WITHIN(120, who_takes_a_key_out_may_die_anywhere)
{
    CHECK_GE(kill_in((struct scene){ .before = 3, .victim = pop_last_but_one }), 8);
    CHECK_GE(kill_in((struct scene){ .before = 4, .victim = pop_last }), 8);
    CHECK_GE(kill_in((struct scene){ .before = 1, .victim = pop_last }), 8); /* the only one */
    CHECK_GE(kill_in((struct scene){ .before = 66, .popped = 63, .victim = pop_first }), 8);
    CHECK_GE(kill_in((struct scene){ .before = 5, .victim = clear }), 8);
}

/* ---- where the index grows and shrinks ------------------------------------------------------- */

static uint64_t root_of(kin_shared_dict *d)
{
    return kin__peek(&((kin__table *)(void *)d)->directory);
}

/* With how many keys the nth next one makes the index anew, by directories or in them. */
static int before_split(int nth)
{
    kin_shared_dict *d = make_dict(0, 0);
    int n = 0;
    for (uint64_t root = 0; nth > 0; n++) {
        CHECK_OK(kin_shared_dict_set(d, kin_int(n), kin_int(n)));
        uint64_t now = root_of(d);
        nth -= now != root;
        root = now;
    }
    kin_shared_dict_free(d);
    return n - 1;
}

static void set_next(void *ctx)
{
    const struct scene *s = ctx;
    (void)kin_shared_dict_set(s->dict, kin_int(s->before), kin_int(1));
}

TEST_WITHIN(300, who_makes_the_index_grow_may_die_anywhere)
{
    for (int nth = 2; nth <= 6; nth++) { /* to 8, 16, 32, 64 buckets, and two segments */
        int n = before_split(nth);
        CHECK_GE(kill_in((struct scene){ .before = n, .victim = set_next, .only = "change." }), 8);
    }
    int n = before_split(7); /* the directory grows */
    CHECK_GE(kill_in((struct scene){ .before = n, .victim = set_next, .only = "change." }), 8);
    CHECK_GE(kill_in((struct scene){ .before = 28, .victim = set_next }), 10);
}

/* Of n keys, after how many are taken out the next one makes the index smaller. */
static int before_shrink(int n, int nth)
{
    kin_shared_dict *d = make_dict(n, 0);
    int i = 0;
    uint64_t root = root_of(d);
    for (; nth > 0; i++) {
        CHECK_OK(kin_shared_dict_pop(d, kin_int(i), NULL));
        uint64_t now = root_of(d);
        nth -= now != root;
        root = now;
    }
    kin_shared_dict_free(d);
    return i - 1;
}

TEST_WITHIN(300, who_makes_the_index_shrink_may_die_anywhere)
{
    int n = before_split(6) + 1;
    for (int nth = 1; nth <= 3; nth++) {
        struct scene s = { .before = n, .popped = before_shrink(n, nth), .victim = pop_first };
        s.only = "change.";
        CHECK_GE(kill_in(s), 8);
    }
}

TEST_WITHIN(300, who_clears_a_large_dict_may_die_anywhere)
{
    int n = before_split(6) + 1;
    CHECK_GE(kill_in((struct scene){ .before = n, .victim = clear, .only = "change." }), 4);
    CHECK_GE(kill_in((struct scene){ .before = n, .victim = clear, .only = "radix." }), 4);
    CHECK_GE(kill_in((struct scene){ .before = n, .victim = clear, .only = "table." }), 3);
}

/* ---- the end --------------------------------------------------------------------------------- */

static void free_it(void *ctx)
{
    kin_shared_dict_free(dict_of(ctx));
}

static void another_frees_it(void *ctx, const char *step)
{
    struct scene *s = ctx;
    kin_shared_dict_free(s->dict);
    CHECK_(count_blocks() == s->blocks, "%d blocks are left after %s",
           (int)(count_blocks() - s->blocks), step);
}

static void say_nothing(int level, const char *text, void *ctx)
{
    (void)level;
    (void)text;
    (void)ctx;
}

TEST_WITHIN(120, who_frees_a_dict_may_die_anywhere)
{
    struct scene *s = test_shared(sizeof *s);
    kin_log_set_handler(say_nothing, NULL); /* where the dead had ended it */
    *s = (struct scene){ .before = 70 };
    CHECK_GE(kill_loop("change.", s, .setup = set_up, .victim = free_it, .check = another_frees_it),
             6);
    CHECK_GE(kill_loop("table.", s, .setup = set_up, .victim = free_it, .check = another_frees_it),
             1);
    CHECK_GE(kill_loop("radix.", s, .setup = set_up, .victim = free_it, .check = another_frees_it),
             2);
    CHECK_GE(kill_loop("lock.", s, .setup = set_up, .victim = free_it, .check = another_frees_it),
             1);
    s->before = 2;
    CHECK_GE(kill_loop("block.", s, .setup = set_up, .victim = free_it, .check = another_frees_it),
             4);
    kin_log_set_handler(NULL, NULL);
}
