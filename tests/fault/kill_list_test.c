/* Processes that are killed at every step of a change to a shared list: it is the old one or the
 * new one then, nothing is locked, and no block is lost. */
#include "domain/room.h"
#include "harness.h"
#include <kin.h>
#include <signal.h>

struct scene {
    kin_shared_list *list;
    int64_t n;      /* strs in it at first: "0", "1", ... */
    int64_t popped; /* of them, at the beginning */
    int (*change)(kin_shared_list *list);
    uint64_t blocks;
    char before[2000], after[2000];  /* what it is then... */
    int64_t many_before, many_after; /* ...and of how many */
};

static uint64_t blocks_in_use(void)
{
    kin_usage_info info;
    CHECK_OK(kin_usage(&info));
    return info.blocks;
}

static kin_obj strs(int64_t n)
{
    kin_obj all = kin_list();
    for (int64_t i = 0; i < n; i++) {
        CHECK_OK(kin_append(&all, kin_strf("%d", (int)i)));
    }
    return all;
}

static void write_down(kin_shared_list *list, char text[2000])
{
    kin_obj all;
    CHECK_OK(kin_shared_list_copy(list, &all));
    char *seen = kin_repr(all);
    snprintf(text, 2000, "%s", seen);
    free(seen);
    kin_release(all);
}

static void make(void *ctx)
{
    struct scene *s = ctx;
    s->blocks = blocks_in_use();
    CHECK_OK(kin_shared_list_new(&s->list, KIN_OPT(kin_shared_list_options, .items = strs(s->n))));
    for (int64_t i = 0; i < s->popped; i++) {
        CHECK_OK(kin_shared_list_pop(s->list, 0, NULL));
    }
}

static void change(void *ctx)
{
    struct scene *s = ctx;
    (void)s->change(s->list);
}

static void everything_is_given_back(struct scene *s, const char *step)
{
    WAIT_UNTIL(kin__count_alive() == 1);
    kin_shared_list_free(s->list);
    CHECK_(blocks_in_use() == s->blocks, "killed at %s: %llu blocks in use, there were %llu", step,
           (unsigned long long)blocks_in_use(), (unsigned long long)s->blocks);
}

/* Without the lock, and then with it. */
static void it_is_old_or_new(void *ctx, const char *step)
{
    struct scene *s = ctx;
    kin_obj o;
    int64_t n = kin_shared_list_len(s->list);
    CHECK_(n == s->many_before || n == s->many_after, "killed at %s: %d items", step, (int)n);
    CHECK_EQ(kin_shared_list_get(s->list, -1, &o), n > 0 ? 0 : KIN_ERANGE);
    if (n > 0) {
        kin_release(o);
    }
    char text[2000];
    write_down(s->list, text);
    CHECK_(strcmp(text, s->before) == 0 || strcmp(text, s->after) == 0, "killed at %s: %s", step,
           text);
    CHECK_OK(kin_shared_list_append(s->list, kin_str("one more")));
    CHECK_OK(kin_shared_list_pop(s->list, -1, NULL));
    everything_is_given_back(s, step);
}

static void kill_in_rest(int64_t n, int64_t popped, int (*change_it)(kin_shared_list *list))
{
    struct scene *s = test_shared(sizeof *s);
    kin__self();
    s->n = n;
    s->popped = popped;
    s->change = change_it;
    make(s);
    write_down(s->list, s->before);
    s->many_before = kin_shared_list_len(s->list);
    CHECK_OK(change_it(s->list));
    write_down(s->list, s->after);
    s->many_after = kin_shared_list_len(s->list);
    kin_shared_list_free(s->list);
    CHECK_GT(kill_loop(NULL, s, .setup = make, .victim = change, .check = it_is_old_or_new), 8);
    everything_is_given_back(s, "no step");
}

static void kill_in(int64_t n, int (*change_it)(kin_shared_list *list))
{
    kill_in_rest(n, 0, change_it);
}

static int append(kin_shared_list *list)
{
    return kin_shared_list_append(list, kin_str("new"));
}

TEST_WITHIN(60, who_appends_may_die_anywhere)
{
    kill_in(3, append);
}

TEST_WITHIN(60, who_appends_the_first_may_die_anywhere)
{
    kill_in(0, append);
}

TEST_WITHIN(60, who_appends_a_node_may_die_anywhere)
{
    kill_in(64, append);
}

static int set(kin_shared_list *list)
{
    return kin_shared_list_set(list, 1, kin_str("new"));
}

TEST_WITHIN(60, who_sets_may_die_anywhere)
{
    kill_in(3, set);
}

static int pop_last(kin_shared_list *list)
{
    return kin_shared_list_pop(list, -1, NULL);
}

static int pop_first(kin_shared_list *list)
{
    return kin_shared_list_pop(list, 0, NULL);
}

TEST_WITHIN(60, who_pops_the_last_may_die_anywhere)
{
    kill_in(65, pop_last);
}

TEST_WITHIN(60, who_pops_the_first_may_die_anywhere)
{
    kill_in(3, pop_first);
}

TEST_WITHIN(60, who_pops_the_only_one_may_die_anywhere)
{
    kill_in(1, pop_last);
    kill_in_rest(6, 5, pop_last); /* which lies behind the first position */
}

static int insert_first(kin_shared_list *list)
{
    return kin_shared_list_insert(list, 0, kin_str("new"));
}

static int insert_second(kin_shared_list *list)
{
    return kin_shared_list_insert(list, 1, kin_str("new"));
}

TEST_WITHIN(60, who_inserts_may_die_anywhere)
{
    kill_in(5, insert_first);
    kill_in(5, insert_second);
}

static int pop_second(kin_shared_list *list)
{
    return kin_shared_list_pop(list, 1, NULL);
}

TEST_WITHIN(60, who_takes_out_of_the_middle_may_die_anywhere)
{
    kill_in(5, pop_second);
}

static int extend_by_few(kin_shared_list *list)
{
    return kin_shared_list_extend(list, strs(5));
}

static int extend_by_many(kin_shared_list *list)
{
    return kin_shared_list_extend(list, strs(20));
}

TEST_WITHIN(60, who_extends_may_die_anywhere)
{
    kill_in(60, extend_by_few);
}

TEST_WITHIN(120, who_extends_by_many_may_die_anywhere)
{
    kill_in(60, extend_by_many);
}

static int set_slice(kin_shared_list *list)
{
    return kin_shared_list_set_slice(list, kin_slice(kin_int(1), kin_int(11), kin_none()), strs(9));
}

static int del_slice(kin_shared_list *list)
{
    return kin_shared_list_del_slice(list, kin_slice(kin_none(), kin_none(), kin_int(2)));
}

TEST_WITHIN(120, who_replaces_a_slice_may_die_anywhere)
{
    kill_in(12, set_slice);
}

TEST_WITHIN(120, who_takes_out_a_slice_may_die_anywhere)
{
    kill_in(20, del_slice);
}

static int sort(kin_shared_list *list)
{
    return kin_shared_list_sort(list, NULL, NULL);
}

TEST_WITHIN(60, who_sorts_may_die_anywhere)
{
    kill_in(70, sort);
}

static int repeat(kin_shared_list *list)
{
    return kin_shared_list_repeat(list, 3);
}

TEST_WITHIN(60, who_repeats_may_die_anywhere)
{
    kill_in(3, repeat);
}

static int clear(kin_shared_list *list)
{
    return kin_shared_list_clear(list);
}

TEST_WITHIN(60, who_clears_may_die_anywhere)
{
    kill_in(70, clear);
}

/* ---- freeing --------------------------------------------------------------------------- */

static void free_it(void *ctx)
{
    kin_shared_list_free(((struct scene *)ctx)->list);
}

static void another_frees_it(void *ctx, const char *step)
{
    struct scene *s = ctx;
    WAIT_UNTIL(kin__count_alive() == 1);
    if (blocks_in_use() != s->blocks) {
        everything_is_given_back(s, step);
    }
}

TEST_WITHIN(60, who_frees_may_die_anywhere)
{
    struct scene *s = test_shared(sizeof *s);
    kin__self();
    s->n = 70;
    CHECK_GT(kill_loop(NULL, s, .setup = make, .victim = free_it, .check = another_frees_it), 8);
}

/* ---- in a function of the user's ------------------------------------------------------------- */

static kin_obj die(kin_obj value, void *ctx)
{
    (void)value;
    (void)ctx;
    raise(SIGKILL);
    return kin_none();
}

static int apply_and_die(void *list)
{
    return kin_shared_list_apply(list, 0, die, NULL);
}

TEST(who_dies_in_a_function_of_his_leaves_the_old_item)
{
    struct scene *s = test_shared(sizeof *s);
    kin__self();
    s->n = 2;
    make(s);
    CHECK_EQ(test_join(test_child(apply_and_die, s->list)), -SIGKILL);
    CHECK_OK(kin_shared_list_set(s->list, 0, kin_str("0")));
    write_down(s->list, s->after);
    CHECK_STR(s->after, "['0', '1']");
    everything_is_given_back(s, "apply");
}
