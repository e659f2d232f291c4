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

TEST(a_place_inside_a_block_is_refused_and_the_sentence_arrives)
{
    char *block = kin_alloc(1000);
    for (size_t i = 1; i < 1000; i++) {
        CHECK_EQ(kin_error_code(kin_shared(block + i)), KIN_EINVAL);
    }
    CHECK_EQ(kin_error_code(kin_args(kin_list(kin_shared(block + 16)))), KIN_EINVAL);
    CHECK_CONTAINS(kin_errmsg(), "kin_shared: ");
    CHECK_CONTAINS(kin_errmsg(), "not the beginning");
    CHECK_ERROR(kin_call(NULL, kin_args(kin_shared(block + 16)), NULL), KIN_EINVAL);
    kin_obj list = kin_list();
    CHECK_ERROR(kin_append(&list, kin_shared(block + 16)), KIN_EINVAL);
    CHECK_CONTAINS(kin_errmsg(), "kin_append: ");
    CHECK_CONTAINS(kin_errmsg(), "not the beginning");
    kin_release(list);
    CHECK_EQ(kin_error_code(kin_shared(&block)), KIN_EINVAL);
    CHECK_CONTAINS(kin_errmsg(), "not in the family's memory");
    kin_free(block);
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

/* ---- what was sent by a fork ------------------------------------------------------- */

static kin_obj a_buffer(void)
{
    return kin_buffer(kin_alloc(100), 100);
}

TEST(buffers_that_were_sent_are_not_freed_wherever_they_are)
{
    uint64_t before = blocks();
    void *memory[5];
    kin_obj o[5];
    for (int i = 0; i < 5; i++) {
        memory[i] = kin_alloc(100);
        o[i] = kin_buffer(memory[i], 100);
    }
    kin__obj_sent(kin_args_kw(kin_args(o[0], kin_list(kin_int(1), kin_tuple(o[1])),
                                       kin_dict(kin_str("x"), kin_list(o[2]), kin_int(1), o[3])),
                              kin_dict(kin_str("named"), kin_list(o[4]))));
    CHECK_EQ(blocks(), before + 5);
    for (int i = 0; i < 5; i++) {
        kin_free(memory[i]);
    }
    CHECK_EQ(blocks(), before);
    kin__obj_sent(a_buffer());
    CHECK_EQ(blocks(), before + 1);
    kin__obj_sent(kin_none());
    kin__obj_sent(kin__obj_invalid(KIN_ENOMEM));
}

TEST(what_others_hold_of_a_sent_object_is_empty_too)
{
    uint64_t before = blocks();
    kin_obj buffer = a_buffer();
    kin_obj list = kin_list(kin_retain(buffer), kin_str("kept"));
    kin__obj_sent(kin_args(kin_retain(list), kin_list(kin_retain(list))));
    CHECK_NULL(kin_take_buffer(buffer, NULL));
    CHECK_CONTAINS(kin_errmsg(), "taken or sent before");
    CHECK_STR(kin_as_str(kin_at(list, 1)), "kept");
    kin__obj_sent(kin_at(list, 0)); /* borrowed */
    CHECK_EQ(kin_len(list), 2);
    kin_release(buffer);
    kin_release(list);
    CHECK_EQ(blocks(), before + 1);
}

TEST(a_sent_object_may_hold_itself)
{
    uint64_t before = blocks();
    kin_obj ring = kin_list(a_buffer(), kin_none());
    CHECK_OK(kin_setitem(&ring, kin_int(1), kin_retain(ring)));
    kin__obj_sent(kin_args(kin_retain(ring)));
    CHECK_NULL(kin_take_buffer(kin_at(ring, 0), NULL));
    CHECK_OK(kin_setitem(&ring, kin_int(1), kin_none()));
    kin_release(ring);
    CHECK_EQ(blocks(), before + 1);
}

TEST(sending_something_deep_needs_no_memory)
{
    uint64_t before = blocks();
    for (unsigned nth = 0; nth < 2; nth++) {
        kin_obj o = kin_list(a_buffer());
        for (int i = 0; i < 100000; i++) {
            o = kin_list(o, kin_int(i));
        }
        kin__fault_arm(KIN__FAULT_MEMORY, nth);
        kin__obj_sent(o);
        CHECK_EQ(kin__fault_fired(), nth == 1);
        kin__fault_arm(KIN__FAULT_MEMORY, 0);
        CHECK_EQ(blocks(), before + nth + 1);
    }
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
