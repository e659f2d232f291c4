#include "harness.h"

#include "obj/room.h"
#include <kin/domain.h>

#define kin_memory_KIND KIN__RAW
typedef long kin_memory;
#define kin_lock_KIND KIN__LOCK
typedef long kin_lock;

TEST(a_shared_thing_is_the_same_pointer_at_the_other_end)
{
    long *thing = kin_alloc(sizeof *thing);
    CHECK_NOT_NULL(thing);
    kin_obj o = kin_shared(thing);
    CHECK_EQ(kin_type_of(o), KIN_TYPE_SHARED);
    CHECK_PTR(kin_as_shared(o), thing);
    CHECK_PTR(kin_as(kin_memory, o), thing);
    void *again = NULL;
    CHECK_OK(kin_to_shared(o, &again));
    CHECK_PTR(again, thing);
    CHECK_OK(kin_to_shared(o, NULL));
    CHECK(kin_equal(o, kin_shared(thing)));
    CHECK_EQ(kin_hash(o), kin_hash(kin_shared(thing)));
    kin_obj args = kin_args(o);
    CHECK_PTR(kin_arg_shared(args, 0), thing);
    kin_release(args);
    kin_free(thing);
}

TEST(a_shared_thing_of_another_type_is_null)
{
    void *thing = kin_alloc(10);
    CHECK_NULL(kin_as(kin_lock, kin_shared(thing)));
    CHECK_CONTAINS(kin_errmsg(), "another type");
    CHECK_NULL(kin_as(kin_memory, kin_int(1)));
    CHECK_CONTAINS(kin_errmsg(), "an int is not a shared thing");
    kin_free(thing);
}

TEST(what_was_freed_is_noticed)
{
    void *thing = kin_alloc(10);
    kin_obj o = kin_shared(thing);
    kin_free(thing);
    void *again = &o;
    CHECK_ERROR(kin_to_shared(o, &again), KIN_EFREED);
    CHECK_PTR(again, &o);
    CHECK_NULL(kin_as_shared(o));
    CHECK_NULL(kin_as(kin_memory, o));
    CHECK_EQ(kin_error_code(kin_shared(thing)), KIN_EFREED);
    char *s = kin_repr(o);
    CHECK_STR(s, "<shared, freed>");
    kin__os_free(s);
    void *next = kin_alloc(10); /* most likely at the same place */
    CHECK_NULL(kin_as_shared(o));
    kin_free(next);
}

TEST(what_is_not_shared_is_refused)
{
    long local = 1;
    CHECK_EQ(kin_error_code(kin_shared(&local)), KIN_EINVAL);
    CHECK_EQ(kin_error_code(kin_shared(NULL)), KIN_EINVAL);
    char *thing = kin_alloc(100);
    CHECK_EQ(kin_error_code(kin_shared(thing + 1)), KIN_EINVAL);
    kin_free(thing);
}

TEST(shared_memory_prints)
{
    void *thing = kin_alloc(10);
    char *s = kin_repr(kin_shared(thing));
    CHECK_CONTAINS(s, "<memory at 0x");
    kin__os_free(s);
    kin_free(thing);
}

/* ---- buffers ----------------------------------------------------------------------- */

static uint64_t blocks(void)
{
    kin_usage_info usage;
    CHECK_OK(kin_usage(&usage));
    return usage.blocks;
}

TEST(a_buffer_frees_what_nobody_took)
{
    uint64_t before = blocks();
    char *memory = kin_alloc(1000);
    kin_obj o = kin_buffer(memory, 900);
    CHECK_EQ(kin_len(o), 900);
    char *shown = kin_repr(o);
    CHECK_STR(shown, "<buffer of 900 bytes>");
    kin__os_free(shown);
    CHECK_EQ(blocks(), before + 1);
    kin_release(o);
    CHECK_EQ(blocks(), before);
}

TEST(a_buffer_is_taken_once)
{
    uint64_t before = blocks();
    char *memory = kin_alloc(1000);
    memory[0] = 'x';
    kin_obj o = kin_buffer(memory, 900);
    size_t size = 0;
    char *taken = kin_take_buffer(o, &size);
    CHECK_PTR(taken, memory);
    CHECK_EQ(size, 900);
    CHECK_NULL(kin_take_buffer(o, &size));
    CHECK_CONTAINS(kin_errmsg(), "taken or sent before");
    kin_release(o);
    CHECK_EQ(taken[0], 'x');
    CHECK_EQ(blocks(), before + 1);
    kin_free(taken);
}

TEST(only_memory_of_kin_alloc_makes_a_buffer)
{
    char local[10] = { 0 };
    CHECK_EQ(kin_error_code(kin_buffer(local, 10)), KIN_EINVAL);
    CHECK_EQ(kin_error_code(kin_buffer(NULL, 0)), KIN_EINVAL);
    char *memory = kin_alloc(100);
    CHECK_EQ(kin_error_code(kin_buffer(memory, 101)), KIN_EINVAL);
    kin_free(memory);
    CHECK_EQ(kin_error_code(kin_buffer(memory, 1)), KIN_EFREED);
    CHECK_NULL(kin_take_buffer(kin_int(1), NULL));
    void *lock = kin__block_new(32, KIN__LOCK);
    CHECK_EQ(kin_error_code(kin_buffer(lock, 1)), KIN_EINVAL);
    CHECK_OK(kin__block_free(lock));
}

TEST(a_buffer_equals_itself_alone)
{
    kin_obj o = kin_buffer(kin_alloc(10), 10);
    kin_obj other = kin_buffer(kin_alloc(10), 10);
    CHECK(kin_equal(o, o));
    CHECK(!kin_equal(o, other));
    CHECK_EQ(kin_hash(o), -1);
    kin_release(o);
    kin_release(other);
}

/* ---- functions --------------------------------------------------------------------- */

static kin_obj nothing(kin_obj args)
{
    (void)args;
    return kin_none();
}

TEST(a_function_goes_in_and_out)
{
    kin_obj o = kin_func(nothing);
    CHECK(kin_as_func(o) == nothing);
    CHECK(kin_equal(o, kin_func(nothing)));
    CHECK_OK(kin_to_func(o, NULL));
    CHECK_EQ(kin_error_code(kin_func(NULL)), KIN_EINVAL);
    CHECK(kin_as_func(kin_int(5)) == NULL);
}

TEST(a_function_packs_and_unpacks)
{
    uint64_t words[2];
    kin_fn function = NULL;
    CHECK_OK(kin__func_pack(nothing, words));
    CHECK_OK(kin__func_unpack(words, &function));
    CHECK(function == nothing);
    uint64_t unknown[2] = { words[0] + 1, words[1] };
    CHECK_ERROR(kin__func_unpack(unknown, &function), KIN_ENOTFOUND);
    uint64_t outside[2] = { words[0], UINT64_C(1) << 40 };
    CHECK_ERROR(kin__func_unpack(outside, &function), KIN_ECORRUPT);
    CHECK_ERROR(kin__func_pack((kin_fn)(uintptr_t)words, words), KIN_ENOTFOUND);
}
