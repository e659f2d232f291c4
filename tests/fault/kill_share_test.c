/* Processes that are killed while they make, write, move or end what is shared. */
#include "domain/room.h"
#include "harness.h"
#include <kin/domain.h>
#include <kin/share.h>

#include <signal.h>
#include <unistd.h>

struct world {
    kin_value *value;
    kin_array *array;
    char name[64];
    uint64_t blocks;
};

static uint64_t count_blocks(void)
{
    kin_usage_info usage;
    CHECK_OK(kin_usage(&usage));
    return usage.blocks;
}

static bool is_there(const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "/dev/shm/%s", name);
    return access(path, F_OK) == 0;
}

static struct world *new_world(void)
{
    struct world *w = test_shared(sizeof *w);
    snprintf(w->name, sizeof w->name, "kin-kill-test-%d", (int)getpid());
    CHECK_OK(kin_value_new(&w->value, 'q', kin_int(1), NULL));
    CHECK_OK(kin_array_new(&w->array, 'i', 4, kin_none(), NULL));
    w->blocks = count_blocks();
    return w;
}

static void end(struct world *w)
{
    kin_value_free(w->value);
    kin_array_free(w->array);
}

/* ---- making ------------------------------------------------------------------------- */

static void make_an_array(void *ctx)
{
    (void)ctx;
    kin_array *a = NULL;
    (void)kin_array_new(&a, 'i', 0, kin_range(0, 100), NULL);
    kin_array_free(a);
}

/* One may stay that was made and given, or whose lock had ended: its maker told nobody of it. */
static void at_most_one_stays(void *ctx, const char *step)
{
    struct world *w = ctx;
    (void)step;
    uint64_t blocks = count_blocks();
    CHECK_LE(blocks, w->blocks + 1);
    w->blocks = blocks;
}

TEST(the_maker_of_an_array_may_die_anywhere)
{
    struct world *w = new_world();
    CHECK_GE(kill_loop(NULL, w, .victim = make_an_array, .check = at_most_one_stays), 4);
    end(w);
}

/* ---- ending ------------------------------------------------------------------------- */

static int complaints;

static void count_complaints(int level, const char *text, void *ctx)
{
    (void)level;
    (void)text;
    (void)ctx;
    complaints++;
}

static void end_the_array(void *ctx)
{
    kin_array_free(((struct world *)ctx)->array);
}

static void make_it_anew(void *ctx)
{
    struct world *w = ctx;
    CHECK_OK(kin_array_new(&w->array, 'i', 4, kin_none(), NULL));
}

/* Whoever frees it again frees it quietly where there was something left to do. */
static void another_may_end_it(void *ctx, const char *step)
{
    struct world *w = ctx;
    bool ended = strcmp(step, "share.ending") != 0;
    complaints = 0;
    kin_array_free(w->array);
    CHECK_EQ(complaints, ended);
}

TEST(who_frees_an_array_may_die_anywhere)
{
    struct world *w = new_world();
    kin_array_free(w->array);
    kin_log_set_handler(count_complaints, NULL);
    CHECK_EQ(kill_loop("share.", w, .setup = make_it_anew, .victim = end_the_array,
                       .check = another_may_end_it),
             2);
    kin_log_set_handler(NULL, NULL);
    kin_value_free(w->value);
}

/* ---- writing ------------------------------------------------------------------------ */

struct row {
    kin_shareable_list *list;
};

static void set_items(void *ctx)
{
    struct row *row = ctx;
    (void)kin_shareable_list_set(row->list, 0, kin_int(7));
    (void)kin_shareable_list_set(row->list, 1, kin_str("short"));
}

/* What was being written may be half there, as Python's would be; it can be read, and written. */
static void items_can_be_used(void *ctx, const char *step)
{
    struct row *row = ctx;
    kin_obj o;
    (void)step;
    for (int64_t i = 0; i < 3; i++) {
        int rv = kin_shareable_list_get(row->list, i, &o);
        CHECK(rv == 0 || kin_errmsg()[0] != '\0');
        if (rv == 0) {
            kin_release(o);
        }
    }
    CHECK_OK(kin_shareable_list_get(row->list, 2, &o));
    CHECK_STR(kin_as_str(o), "the one beside");
    kin_release(o);
    CHECK_OK(kin_shareable_list_set(row->list, 0, kin_float(0.5)));
    CHECK_OK(kin_shareable_list_set(row->list, 1, kin_str("long again, to the end")));
    CHECK_OK(kin_shareable_list_get(row->list, 1, &o));
    CHECK_STR(kin_as_str(o), "long again, to the end");
    kin_release(o);
}

TEST(who_sets_an_item_of_a_list_may_die_in_it)
{
    struct row *row = test_shared(sizeof *row);
    CHECK_OK(kin_shareable_list_new(
        &row->list,
        kin_list(kin_int(1), kin_str("long enough, to the end"), kin_str("the one beside")), NULL));
    CHECK_EQ(kill_loop("share.item", row, .victim = set_items, .check = items_can_be_used), 2);
    CHECK_OK(kin_shm_unlink(kin_shm_name(kin_shareable_list_shm(row->list))));
    kin_shareable_list_free(row->list);
}

static void write_all(void *ctx)
{
    struct world *w = ctx;
    (void)kin_value_set(w->value, kin_int(0x0101010101010101));
    (void)kin_value_set(w->value, kin_int(1));
    (void)kin_array_set_slice(w->array, 0, 4, kin_range(0, 4));
}

static void all_can_be_used(void *ctx, const char *step)
{
    struct world *w = ctx;
    kin_obj o = kin_none();
    (void)step;
    CHECK_GE(kin_value_get(w->value, &o), 0);
    int64_t seen = kin_as_int(o);
    CHECK(seen == 1 || seen == 0x0101010101010101);
    CHECK_GE(kin_array_slice(w->array, 0, 4, &o), 0);
    kin_release(o);
    CHECK_EQ(kin_value_get(w->value, &o), 0);
    CHECK_EQ(kin_array_set(w->array, 0, kin_int(0)), 0);
}

TEST(a_writer_may_die_anywhere_and_the_next_goes_on)
{
    struct world *w = new_world();
    CHECK_GE(kill_loop(NULL, w, .victim = write_all, .check = all_can_be_used), 2);
    end(w);
}

static void set_raw(void *ctx)
{
    (void)kin_array_set_raw(((struct world *)ctx)->array, kin_bytes("fifteen letters", 15));
}

static void it_was_written(void *ctx, const char *step)
{
    struct world *w = ctx;
    (void)step;
    CHECK_MEM(kin_array_data(w->array), "fifteen letters", 15);
    CHECK_EQ(kin_array_set_raw(w->array, kin_bytes("", 0)), KIN_OWNER_DIED);
}

/* Not one by one, which took a hundred times as long. */
TEST(bytes_are_written_in_one_step)
{
    struct world *w = new_world();
    kin_array_free(w->array);
    CHECK_OK(kin_array_new(&w->array, 'c', 20, kin_none(), NULL));
    CHECK_EQ(kill_loop("share.put", w, .victim = set_raw, .check = it_was_written), 1);
    end(w);
}

/* ---- reading in vain ---------------------------------------------------------------- */

static int die_with_no_character_in_it(void *ctx)
{
    struct world *w = ctx;
    (void)kin_value_acquire(w->value, 0);
    *(uint32_t *)kin_value_ptr(w->value) = UINT32_MAX;
    raise(SIGKILL);
    return 1;
}

static void let_one_die(void *ctx)
{
    CHECK_EQ(test_join(test_child(die_with_no_character_in_it, ctx)), -SIGKILL);
}

static void read_it(void *ctx)
{
    kin_obj o;
    (void)kin_value_get(((struct world *)ctx)->value, &o);
}

static void the_next_is_told(void *ctx, const char *step)
{
    struct world *w = ctx;
    (void)step;
    CHECK_EQ(kin_value_acquire(w->value, 0), KIN_OWNER_DIED);
    CHECK_OK(kin_value_release(w->value));
}

TEST(who_reads_in_vain_after_a_death_may_die_anywhere)
{
    struct world *w = new_world();
    kin_value_free(w->value);
    CHECK_OK(kin_value_new(&w->value, 'w', kin_none(), NULL));
    CHECK_GE(
        kill_loop("lock.", w, .setup = let_one_die, .victim = read_it, .check = the_next_is_told),
        2);
    CHECK_GE(
        kill_loop("rlock.", w, .setup = let_one_die, .victim = read_it, .check = the_next_is_told),
        1);
    end(w);
}

/* ---- moving ------------------------------------------------------------------------- */

static void move(void *ctx)
{
    (void)ctx;
    kin_free(kin_realloc(kin_alloc(100), 1000));
}

static void at_most_two_stay(void *ctx, const char *step)
{
    struct world *w = ctx;
    (void)step;
    uint64_t blocks = count_blocks();
    CHECK_LE(blocks, w->blocks + 2);
    w->blocks = blocks;
}

TEST(who_moves_memory_may_die_anywhere)
{
    struct world *w = new_world();
    CHECK_GE(kill_loop(NULL, w, .victim = move, .check = at_most_two_stay), 4);
    CHECK_GE(kill_loop("alloc.", w, .victim = move, .check = at_most_two_stay), 1);
    end(w);
}

/* ---- names -------------------------------------------------------------------------- */

static void own_a_name(void *ctx)
{
    struct world *w = ctx;
    kin_shm *shm = NULL;
    if (kin_shm_create(&shm, w->name, 10) == 0 && kin_shm_unlink_at_exit(shm, true) == 0) {
        kin__os_leave(0);
    }
}

/* The next who wants that name gets it, unless the promise had not been made. */
static void the_name_is_free(void *ctx, const char *step)
{
    struct world *w = ctx;
    kin_shm *shm = NULL;
    bool promised = strcmp(step, "share.note") != 0;
    int rv = kin_shm_create(&shm, w->name, 10);
    CHECK_EQ(rv, promised ? 0 : KIN_EEXIST);
    kin_shm_free(shm);
    CHECK_OK(kin_shm_unlink(w->name));
    CHECK(!is_there(w->name));
    at_most_one_stays(w, step); /* the note: until a relative comes across it */
}

TEST(a_name_goes_wherever_its_owner_dies)
{
    struct world *w = new_world();
    CHECK_GE(kill_loop("sh", w, .victim = own_a_name, .check = the_name_is_free), 4);
    end(w);
}
