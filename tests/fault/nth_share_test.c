/* Values, arrays and segments when memory is out, and when system calls fail. */
#include "domain/room.h"
#include "harness.h"
#include <kin/domain.h>
#include <kin/share.h>
#include <signal.h>
#include <unistd.h>

static uint64_t blocks_before;

static uint64_t blocks(void)
{
    kin_usage_info info;
    CHECK_OK(kin_usage(&info));
    return info.blocks;
}

static void begin(void *ctx)
{
    (void)ctx;
    blocks_before = blocks();
}

static void nothing_is_left(void *ctx, int error)
{
    (void)ctx;
    (void)error;
    CHECK_EQ(blocks(), blocks_before);
}

static int use_a_value(void *ctx)
{
    (void)ctx;
    kin_value *v = NULL;
    kin_obj o = kin_none();
    int rv = kin_value_new(&v, 'Q', kin_bigint("\1\2\3\4\5\6\7\x88", 8, false), NULL);
    rv = rv < 0 ? rv : kin_value_get(v, &o);
    rv = rv < 0 ? rv : kin_value_set(v, o);
    kin_value_free(v);
    return rv;
}

static int use_an_array(void *ctx)
{
    (void)ctx;
    kin_array *a = NULL, *b = NULL;
    kin_obj o = kin_none(), text = kin_none();
    int rv = kin_array_new(&a, 'u', 20, kin_str("a text"), NULL);
    rv = rv < 0 ? rv : kin_array_copy(a, &b);
    rv = rv < 0 ? rv : kin_array_slice(b, 0, 3, &o);
    rv = rv < 0 ? rv : kin_array_set_slice(b, 3, 6, o);
    rv = rv < 0 ? rv : kin_array_value(b, &text);
    kin_release(text);
    kin_array_free(a);
    kin_array_free(b);
    return rv;
}

static int slice_ints(void *ctx)
{
    (void)ctx;
    kin_array *a = NULL;
    kin_obj o = kin_none();
    int rv = kin_array_new(&a, 'i', 0, kin_range(0, 100), NULL);
    rv = rv < 0 ? rv : kin_array_slice(a, 0, 100, &o);
    kin_release(o);
    kin_array_free(a);
    return rv;
}

TEST(values_and_arrays_without_memory_are_not_half_made)
{
    kin__self();
    CHECK_EQ(fault_loop(KIN__FAULT_MEMORY, NULL, .setup = begin, .attempt = use_a_value,
                        .check = nothing_is_left),
             3);
    CHECK_GE(fault_loop(KIN__FAULT_MEMORY, NULL, .setup = begin, .attempt = use_an_array,
                        .check = nothing_is_left),
             7);
    CHECK_GE(fault_loop(KIN__FAULT_MEMORY, NULL, .setup = begin, .attempt = slice_ints,
                        .check = nothing_is_left),
             5);
}

static int die_with_it(void *ctx)
{
    (void)kin_array_acquire(ctx, 0);
    raise(SIGKILL);
    return 1;
}

static void let_its_holder_die(void *ctx)
{
    CHECK_EQ(test_join(test_child(die_with_it, ctx)), -SIGKILL);
}

static int slice_it(void *ctx)
{
    kin_obj o = kin_none();
    int rv = kin_array_slice(ctx, 0, 100, &o);
    CHECK(rv < 0 || rv == KIN_OWNER_DIED);
    kin_release(o);
    return rv;
}

static void the_next_is_told(void *ctx, int error)
{
    (void)error;
    CHECK_EQ(kin_array_acquire(ctx, 0), KIN_OWNER_DIED);
    CHECK_OK(kin_array_release(ctx));
}

TEST(a_slice_without_memory_does_not_swallow_the_news_of_a_death)
{
    kin_array *a = NULL;
    CHECK_OK(kin_array_new(&a, 'i', 0, kin_range(0, 100), NULL));
    CHECK_GE(fault_loop(KIN__FAULT_MEMORY, a, .setup = let_its_holder_die, .attempt = slice_it,
                        .check = the_next_is_told),
             2);
    kin_array_free(a);
}

static int move(void *ctx)
{
    (void)ctx;
    char *first = kin_alloc(100);
    if (first == NULL) {
        return kin__failure();
    }
    first[0] = 'x';
    char *second = kin_realloc(first, 200);
    CHECK_EQ(second != NULL ? second[0] : first[0], 'x'); /* it is there, or still there */
    int rv = second != NULL ? 0 : kin__failure();
    kin_free(second != NULL ? second : first);
    return rv;
}

TEST(what_cannot_move_stays)
{
    kin__self();
    CHECK_EQ(fault_loop(KIN__FAULT_MEMORY, NULL, .setup = begin, .attempt = move,
                        .check = nothing_is_left),
             2);
}

/* ---- segments: their names must not stay -------------------------------------------- */

static const char *ours(void)
{
    static char name[64];
    snprintf(name, sizeof name, "kin-nth-test-%d", (int)getpid());
    return name;
}

static int use_a_segment(void *ctx)
{
    kin_shm *made = NULL, *found = NULL;
    int rv = kin_shm_create(&made, ctx, 100);
    rv = rv < 0 ? rv : kin_shm_open(&found, kin_shm_name(made));
    rv = rv < 0 ? rv : kin_shm_unlink_at_exit(made, true);
    kin_shm_free(found);
    if (made != NULL) {
        CHECK_OK(kin_shm_unlink(kin_shm_name(made)));
    }
    kin_shm_free(made);
    return rv;
}

static int use_a_list(void *ctx)
{
    kin_shareable_list *made = NULL, *found = NULL;
    kin_obj o = kin_none(), text = kin_none();
    int rv = kin_shareable_list_new(&made, kin_list(kin_str("text"), kin_int(3)), ctx);
    rv = rv < 0 ? rv : kin_shareable_list_open(&found, ctx);
    rv = rv < 0 ? rv : kin_shareable_list_get(found, 0, &o);
    rv = rv < 0 ? rv : kin_shareable_list_set(found, 1, kin_bytes("12345678", 8));
    rv = rv < 0 ? rv : kin_shareable_list_format(found, &text);
    kin_release(o);
    kin_release(text);
    kin_shareable_list_free(found);
    if (made != NULL) {
        CHECK_OK(kin_shm_unlink(ours()));
    }
    kin_shareable_list_free(made);
    return rv;
}

static void no_name_is_left(void *ctx, int error)
{
    nothing_is_left(ctx, error);
    char path[128];
    snprintf(path, sizeof path, "/dev/shm/%s", ours());
    CHECK(access(path, F_OK) != 0);
}

TEST(segments_fail_without_leaving_a_name)
{
    kin__self();
    char name[64];
    snprintf(name, sizeof name, "%s", ours());
    for (int kind = KIN__FAULT_CALL; kind <= KIN__FAULT_MEMORY; kind++) {
        CHECK_GE(fault_loop((enum kin__fault_kind)kind, name, .setup = begin,
                            .attempt = use_a_segment, .check = no_name_is_left),
                 3);
        CHECK_GE(fault_loop((enum kin__fault_kind)kind, name, .setup = begin, .attempt = use_a_list,
                            .check = no_name_is_left),
                 5);
    }
    CHECK_GE(fault_loop(KIN__FAULT_CALL, NULL, .setup = begin, .attempt = use_a_segment,
                        .check = no_name_is_left),
             4);
}
