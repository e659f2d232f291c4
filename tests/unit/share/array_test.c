#include "domain/room.h"
#include "harness.h"
#include <kin/domain.h>
#include <kin/share.h>
#include <signal.h>

static kin_array *make(char code, size_t length, kin_obj initial)
{
    kin_array *a = NULL;
    CHECK_OK(kin_array_new(&a, code, length, initial, NULL));
    return a;
}

/* What a slice is, as Python writes it. */
#define CHECK_SLICE(a, from, to, text)                                                             \
    do {                                                                                           \
        kin_obj slice = { 0 };                                                                     \
        CHECK_OK(kin_array_slice(a, from, to, &slice));                                            \
        char *is = kin_repr(slice);                                                                \
        CHECK_STR(is, text);                                                                       \
        free(is);                                                                                  \
        kin_release(slice);                                                                        \
    } while (0)
#define CHECK_ALL(a, text) CHECK_SLICE(a, 0, INT64_MAX, text)

TEST(an_array_is_zeros_or_a_copy_of_what_it_was_given)
{
    kin_array *zeros = make('i', 3, kin_none());
    kin_array *list = make('i', 0, kin_range(0, 10));
    kin_array *tuple = make('d', 0, kin_tuple(kin_int(1), kin_float(2.5)));
    kin_array *bytes = make('h', 0, kin_bytes("\1\2\xff", 3));
    kin_array *letters = make('c', 0, kin_bytes("hey", 3));
    kin_array *text = make('u', 0, kin_str("h\xc3\xa9y"));
    kin_array *wide = make('w', 5, kin_str("h\xf0\x9f\x98\x80"));
    kin_array *shorter = make('i', 3, kin_list(kin_int(1)));
    kin_array *empty = make('i', 0, kin_none());
    CHECK_ALL(zeros, "[0, 0, 0]");
    CHECK_ALL(list, "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]");
    CHECK_ALL(tuple, "[1.0, 2.5]");
    CHECK_ALL(bytes, "[1, 2, 255]");
    CHECK_ALL(letters, "b'hey'");
    CHECK_ALL(text, "'h\xc3\xa9y'");
    CHECK_SLICE(wide, 0, 2, "'h\xf0\x9f\x98\x80'");
    CHECK_ALL(shorter, "[1, 0, 0]");
    CHECK_ALL(empty, "[]");
    CHECK_EQ(kin_array_len(list), 10);
    CHECK_EQ(kin_array_len(text), 3);
    CHECK_EQ(kin_array_itemsize(list), sizeof(int));
    CHECK_EQ(kin_array_typecode(tuple), 'd');
    int *data = kin_array_data(list);
    CHECK_EQ(data[9], 9);
    CHECK_EQ((uintptr_t)data % 64, 0);
    kin_array *all[] = { zeros, list, tuple, bytes, letters, text, wide, shorter, empty };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        kin_array_free(all[i]);
    }
    kin_array_free(NULL);
}

TEST(what_cannot_be_an_array_is_refused)
{
    kin_array *a = NULL;
    kin_obj o = kin_list(kin_str("no int"));
    CHECK_ERROR(kin_array_new(&a, 'i', 0, o, NULL), KIN_ETYPE);
    CHECK_ERROR(kin_array_new(&a, 'b', 0, kin_list(kin_int(200)), NULL), KIN_ERANGE);
    CHECK_ERROR(kin_array_new(&a, 'i', 2, kin_range(0, 3), NULL), KIN_ERANGE);
    CHECK_ERROR(kin_array_new(&a, 'i', 2, kin_str("text"), NULL), KIN_ETYPE);
    CHECK_ERROR(kin_array_new(&a, 'u', 0, kin_str("\xff"), NULL), KIN_EINVAL);
    CHECK_ERROR(kin_array_new(&a, 'i', 2, kin_int(3), NULL), KIN_ETYPE);
    CHECK_ERROR(kin_array_new(&a, 'x', 2, kin_none(), NULL), KIN_EINVAL);
    CHECK_ERROR(kin_array_new(&a, 0, 2, kin_none(), NULL), KIN_EINVAL);
    CHECK_ERROR(kin_array_new(&a, 'i', 2, (kin_obj){ 0 }, NULL), KIN_EINVAL);
    CHECK_ERROR(kin_array_new(NULL, 'i', 2, kin_none(), NULL), KIN_EINVAL);
    CHECK_ERROR(kin_array_new(&a, 'i', SIZE_MAX / 2, kin_none(), NULL), KIN_ENOMEM);
    kin_array_options reserved = { .reserved = { 1 } };
    CHECK_ERROR(kin_array_new(&a, 'i', 2, kin_none(), &reserved), KIN_EINVAL);
    CHECK_NULL(a);
}

/* 2^32 does not fit where an item's size is kept. */
TEST(a_struct_too_large_for_an_item_is_refused)
{
    kin_array *a = NULL;
    kin_array_options options = { .size = (size_t)UINT32_MAX + 1 };
    CHECK_ERROR(kin_array_new(&a, 0, 0, kin_bytes("abc", 3), &options), KIN_EINVAL);
    options.size = SIZE_MAX;
    CHECK_ERROR(kin_array_new(&a, 0, 1, kin_none(), &options), KIN_EINVAL);
    options.size = UINT32_MAX;
    CHECK_ERROR(kin_array_new(&a, 0, SIZE_MAX / 8, kin_none(), &options), KIN_ENOMEM);
    CHECK_NULL(a);
}

TEST(a_wrong_type_code_is_told_before_wrong_items)
{
    kin_array *a = NULL;
    CHECK_ERROR(kin_array_new(&a, 'x', 2, kin_str("text"), NULL), KIN_EINVAL);
    CHECK_CONTAINS(kin_errmsg(), "'x'");
    CHECK_ERROR(kin_array_new(&a, 'i', 0, kin_str("text"), &(kin_array_options){ .size = 4 }),
                KIN_EINVAL);
    CHECK_NULL(a);
}

TEST(items_are_found_from_both_ends_and_not_beyond)
{
    kin_array *a = make('i', 0, kin_list(kin_int(1), kin_int(2), kin_int(3)));
    kin_obj o = kin_none();
    CHECK_OK(kin_array_get(a, 0, &o));
    CHECK_EQ(kin_as_int(o), 1);
    CHECK_OK(kin_array_get(a, -1, &o));
    CHECK_EQ(kin_as_int(o), 3);
    CHECK_OK(kin_array_get(a, -3, &o));
    CHECK_EQ(kin_as_int(o), 1);
    static const int64_t beyond[] = { 3, -4, INT64_MAX, INT64_MIN };
    for (size_t i = 0; i < 4; i++) {
        CHECK_ERROR(kin_array_get(a, beyond[i], &o), KIN_ERANGE);
        CHECK_ERROR(kin_array_set(a, beyond[i], kin_int(9)), KIN_ERANGE);
    }
    CHECK_OK(kin_array_set(a, -2, kin_int(-20)));
    CHECK_ERROR(kin_array_set(a, 0, kin_str("text")), KIN_ETYPE);
    CHECK_ERROR(kin_array_set(a, 0, kin_int((int64_t)1 << 31)), KIN_ERANGE);
    CHECK_ERROR(kin_array_get(a, 0, NULL), KIN_EINVAL);
    CHECK_ALL(a, "[1, -20, 3]");
    CHECK_EQ(kin_rlock_depth(kin_array_lock(a)), 0);
    kin_array_free(a);
}

TEST(slices_are_pythons)
{
    kin_array *a = make('i', 0, kin_range(0, 5));
    CHECK_SLICE(a, 1, 3, "[1, 2]");
    CHECK_SLICE(a, -2, INT64_MAX, "[3, 4]");
    CHECK_SLICE(a, -100, -3, "[0, 1]");
    CHECK_SLICE(a, 3, 2, "[]");
    CHECK_SLICE(a, 7, 9, "[]");
    CHECK_SLICE(a, INT64_MIN, INT64_MAX, "[0, 1, 2, 3, 4]");
    CHECK_OK(kin_array_set_slice(a, 1, 3, kin_list(kin_int(10), kin_int(20))));
    CHECK_OK(kin_array_set_slice(a, -1, INT64_MAX, kin_tuple(kin_int(40))));
    CHECK_OK(kin_array_set_slice(a, 3, 3, kin_list()));
    CHECK_ALL(a, "[0, 10, 20, 3, 40]");
    CHECK_ERROR(kin_array_slice(a, 0, 1, NULL), KIN_EINVAL);
    kin_array_free(a);
}

TEST(a_slice_is_set_as_a_whole_or_not_at_all)
{
    kin_array *a = make('b', 0, kin_list(kin_int(1), kin_int(2), kin_int(3)));
    CHECK_ERROR(kin_array_set_slice(a, 0, 3, kin_list(kin_int(9), kin_int(9), kin_int(900))),
                KIN_ERANGE);
    CHECK_ERROR(kin_array_set_slice(a, 0, 3, kin_list(kin_int(9), kin_int(9))), KIN_ERANGE);
    CHECK_ERROR(kin_array_set_slice(a, 0, 3, kin_list(kin_int(9), kin_int(9), kin_list())),
                KIN_ETYPE);
    CHECK_ERROR(kin_array_set_slice(a, 0, 3, kin_none()), KIN_ETYPE);
    CHECK_ALL(a, "[1, 2, 3]");
    CHECK_EQ(kin_rlock_depth(kin_array_lock(a)), 0);
    kin_array_free(a);
}

TEST(arrays_of_characters_are_strings)
{
    kin_array *a = make('c', 6, kin_bytes("hello", 5));
    kin_obj o = { 0 };
    CHECK_OK(kin_array_value(a, &o));
    CHECK_EQ(kin_len(o), 5);
    kin_release(o);
    CHECK_OK(kin_array_set_value(a, kin_bytes("you", 3)));
    CHECK_ALL(a, "b'you\\x00o\\x00'");
    CHECK_OK(kin_array_value(a, &o));
    CHECK_MEM(kin_as_bytes(o), "you", 4);
    kin_release(o);
    CHECK_OK(kin_array_set_raw(a, kin_bytes("Y", 1)));
    CHECK_OK(kin_array_raw(a, &o));
    CHECK_EQ(kin_len(o), 6);
    CHECK_MEM(kin_as_bytes(o), "You\0o\0", 6);
    kin_release(o);
    CHECK_OK(kin_array_set_value(a, kin_bytes("sixsix", 6)));
    CHECK_ALL(a, "b'sixsix'");
    CHECK_ERROR(kin_array_set_value(a, kin_bytes("seven77", 7)), KIN_ERANGE);
    CHECK_ERROR(kin_array_set_raw(a, kin_bytes("seven77", 7)), KIN_ERANGE);
    CHECK_ERROR(kin_array_set_value(a, kin_str("text")), KIN_ETYPE);
    CHECK_ALL(a, "b'sixsix'");
    kin_array_free(a);

    kin_array *u = make('u', 4, kin_str("\xc3\xa9"));
    CHECK_OK(kin_array_value(u, &o));
    CHECK_STR(kin_as_str(o), "\xc3\xa9");
    kin_release(o);
    CHECK_OK(kin_array_set_value(u, kin_str("\xe4\xba\xba!")));
    CHECK_SLICE(u, 0, 2, "'\xe4\xba\xba!'");
    CHECK_ERROR(kin_array_raw(u, &o), KIN_ETYPE);
    CHECK_ERROR(kin_array_set_value(u, kin_bytes("b", 1)), KIN_ETYPE);
    ((uint32_t *)kin_array_data(u))[1] = 0x110000;
    CHECK_ERROR(kin_array_slice(u, 0, 4, &o), KIN_ERANGE);
    kin_array_free(u);

    kin_array *ints = make('i', 4, kin_none());
    CHECK_ERROR(kin_array_value(ints, &o), KIN_ETYPE);
    CHECK_ERROR(kin_array_set_value(ints, kin_bytes("b", 1)), KIN_ETYPE);
    kin_array_free(ints);
}

TEST(bytes_go_in_as_they_are_and_nowhere_else)
{
    enum { LENGTH = 100000 };
    char *bytes = malloc(LENGTH);
    for (int i = 0; i < LENGTH; i++) {
        bytes[i] = (char)(i * 7 + 1);
    }
    for (const char *code = "cB"; *code != '\0'; code++) {
        kin_array *a = make(*code, LENGTH + 2, kin_none());
        const char *data = kin_array_data(a);
        CHECK_OK(kin_array_set_slice(a, 1, -1, kin_bytes(bytes, LENGTH)));
        CHECK_MEM(data + 1, bytes, LENGTH);
        CHECK_EQ(data[0], 0);
        CHECK_EQ(data[LENGTH + 1], 0);
        CHECK_OK(kin_array_set_slice(a, 5, 5, kin_bytes("", 0)));
        CHECK_MEM(data + 1, bytes, LENGTH);
        kin_array_free(a);
    }
    kin_array *a = make('c', 0, kin_bytes(bytes, LENGTH));
    CHECK_OK(kin_array_set_raw(a, kin_bytes("end", 3)));
    CHECK_MEM(kin_array_data(a), "end", 3);
    CHECK_MEM((char *)kin_array_data(a) + 3, bytes + 3, LENGTH - 3);
    kin_array_free(a);
    a = NULL;
    CHECK_ERROR(kin_array_new(&a, 'b', 0, kin_bytes("\x80", 1), NULL), KIN_ERANGE);
    free(bytes);
}

TEST(an_array_of_structs)
{
    struct pair {
        int a;
        double b;
    } pairs[2] = { { 1, 1.5 }, { 2, 2.5 } };
    kin_array_options options = { .size = sizeof *pairs };
    kin_array *a = NULL;
    CHECK_OK(kin_array_new(&a, 0, 0, kin_bytes(pairs, sizeof pairs), &options));
    CHECK_EQ(kin_array_len(a), 2);
    struct pair *there = kin_array_data(a);
    CHECK_FLOAT(there[1].b, 2.5);
    kin_obj o = { 0 };
    CHECK_OK(kin_array_get(a, 1, &o));
    CHECK_EQ(((const struct pair *)kin_as_bytes(o))->a, 2);
    CHECK_OK(kin_array_set(a, 0, o));
    CHECK_EQ(there[0].a, 2);
    CHECK_OK(kin_array_set_slice(a, 0, 1, kin_list(kin_bytes(&pairs[0], sizeof *pairs))));
    CHECK_EQ(there[0].a, 1);
    CHECK_ERROR(kin_array_set_slice(
                    a, 0, 2, kin_list(kin_bytes(&pairs[1], sizeof *pairs), kin_bytes("", 0))),
                KIN_ERANGE);
    CHECK_EQ(there[0].a, 1);
    CHECK_ERROR(kin_array_set_slice(a, 0, 1, kin_bytes("abc", 3)), KIN_ERANGE);
    kin_array_free(a);
}

TEST(a_copy_is_another_array)
{
    kin_array *a = make('i', 0, kin_range(0, 3)), *b = NULL, *bare = NULL;
    CHECK_OK(kin_array_copy(a, &b));
    CHECK_OK(kin_array_set(a, 0, kin_int(9)));
    CHECK_ALL(b, "[0, 1, 2]");
    CHECK_NE(kin_array_lock(a) == kin_array_lock(b), true);
    kin_array_free(b);
    b = NULL;
    CHECK_ERROR(kin_array_copy(a, NULL), KIN_EINVAL);
    CHECK_OK(kin_array_new(&bare, 'i', 2, kin_none(), &(kin_array_options){ .no_lock = true }));
    CHECK_OK(kin_array_copy(bare, &b));
    CHECK_NULL(kin_array_lock(b));
    CHECK_ERROR(kin_array_acquire(b, 0), KIN_ESTATE);
    kin_array_free(a);
    kin_array_free(b);
    kin_array_free(bare);
}

TEST(an_array_that_was_freed_or_is_none_is_told)
{
    kin_log_set_level(KIN_LOG_OFF);
    kin_array *a = make('i', 3, kin_none());
    kin_obj o = kin_shared(a), item;
    CHECK_PTR(kin_as(kin_array, o), a);
    kin_array_free(a);
    CHECK_NULL(kin_as(kin_array, o));
    CHECK_ERROR(kin_array_get(a, 0, &item), KIN_EFREED);
    CHECK_ERROR(kin_array_set(a, 0, kin_int(1)), KIN_EFREED);
    CHECK_ERROR(kin_array_slice(a, 0, 1, &item), KIN_EFREED);
    CHECK_EQ(kin_array_len(a), 0);
    CHECK_EQ(kin_array_itemsize(a), 0);
    CHECK_EQ(kin_array_typecode(a), 0);
    CHECK_NULL(kin_array_data(a));
    kin_array_free(a);
    CHECK_CONTAINS(kin_errmsg(), "freed");
    CHECK_ERROR(kin_array_get(NULL, 0, &item), KIN_EINVAL);
    CHECK_EQ(kin_array_len(NULL), 0);
    CHECK_CONTAINS(kin_errmsg(), "NULL");
}

static int negate(void *ctx)
{
    int *data = kin_array_data(ctx);
    for (size_t i = 0; i < kin_array_len(ctx); i++) {
        data[i] = -data[i];
    }
    return 0;
}

TEST(a_child_sees_the_same_array)
{
    kin_array *a = make('i', 0, kin_range(0, 1000));
    CHECK_EQ(test_join(test_child(negate, a)), 0);
    for (int64_t i = 0; i < 1000; i++) {
        kin_obj o;
        CHECK_OK(kin_array_get(a, i, &o));
        CHECK_EQ(kin_as_int(o), -i);
    }
    kin_array_free(a);
}

static int die_with_it(void *ctx)
{
    kin_array_acquire(ctx, 0);
    raise(SIGKILL);
    return 0;
}

TEST(who_uses_an_array_after_a_death_is_told)
{
    kin_array *a = make('i', 0, kin_range(0, 2));
    kin_obj o = { 0 };
    CHECK_EQ(test_join(test_child(die_with_it, a)), -SIGKILL);
    CHECK_EQ(kin_array_slice(a, 0, 2, &o), KIN_OWNER_DIED);
    CHECK_EQ(kin_len(o), 2);
    kin_release(o);
    CHECK_EQ(test_join(test_child(die_with_it, a)), -SIGKILL);
    CHECK_EQ(kin_array_set(a, 0, kin_int(3)), KIN_OWNER_DIED);
    CHECK_EQ(kin_array_set(a, 1, kin_int(3)), 0);
    CHECK_ALL(a, "[3, 3]");
    kin_array_free(a);
}

/* The death is told to whoever gets something done, and not lost on who does not. */
TEST(what_is_refused_does_not_swallow_the_news_of_a_death)
{
    kin_array *a = make('c', 0, kin_bytes("abc", 3));
    kin_obj o = { 0 };
    CHECK_EQ(test_join(test_child(die_with_it, a)), -SIGKILL);
    CHECK_ERROR(kin_array_set(a, 0, kin_str("no byte")), KIN_ETYPE);
    CHECK_ERROR(kin_array_set(a, 3, kin_bytes("a", 1)), KIN_ERANGE);
    CHECK_ERROR(kin_array_get(a, 3, &o), KIN_ERANGE);
    CHECK_ERROR(kin_array_get(a, 0, NULL), KIN_EINVAL);
    CHECK_ERROR(kin_array_set_slice(a, 0, 3, kin_none()), KIN_ETYPE);
    CHECK_ERROR(kin_array_set_slice(a, 0, 3, kin_list(kin_int(1), kin_int(2), kin_int(3))),
                KIN_ETYPE);
    CHECK_ERROR(kin_array_set_value(a, kin_bytes("too long", 8)), KIN_ERANGE);
    CHECK_EQ(kin_array_set_value(a, kin_bytes("xyz", 3)), KIN_OWNER_DIED);
    CHECK_ALL(a, "b'xyz'");
    kin_array_free(a);
}

static int die_with_it_half_written(void *ctx)
{
    kin_array_acquire(ctx, 0);
    ((uint32_t *)kin_array_data(ctx))[1] = 0x110000;
    raise(SIGKILL);
    return 0;
}

TEST(a_read_that_fails_does_not_swallow_the_news_of_a_death)
{
    kin_array *a = make('u', 0, kin_str("abc"));
    kin_obj o = { 0 };
    CHECK_EQ(test_join(test_child(die_with_it_half_written, a)), -SIGKILL);
    CHECK_ERROR(kin_array_get(a, 1, &o), KIN_ERANGE);
    CHECK_ERROR(kin_array_value(a, &o), KIN_ERANGE);
    CHECK_CONTAINS(kin_errmsg(), "kin_array_value: ");
    CHECK_ERROR(kin_array_slice(a, 0, 3, &o), KIN_ERANGE);
    CHECK_EQ(kin_array_slice(a, 2, 3, &o), KIN_OWNER_DIED);
    kin_release(o);
    CHECK_ERROR(kin_array_get(a, 1, &o), KIN_ERANGE);
    CHECK_EQ(kin_array_set(a, 1, kin_str("b")), 0);
    CHECK_ALL(a, "'abc'");
    kin_array_free(a);
}

struct reader {
    kin_rlock *lock;
    kin_array *array;
    _Atomic bool is_asleep;
};

static int read_when_allowed(void *ctx)
{
    struct reader *r = ctx;
    kin_obj o = kin_none();
    return kin_array_get(r->array, 0, &o) == KIN_ECLOSED ? 0 : 1;
}

/* Its memory may be another's by the time that he has the lock. */
TEST(who_waits_for_the_lock_of_an_array_that_is_freed_is_told)
{
    struct reader *r = test_shared(sizeof *r);
    CHECK_OK(kin_rlock_new(&r->lock, NULL));
    CHECK_OK(kin_array_new(&r->array, 'i', 0, kin_range(0, 100),
                           &(kin_array_options){ .lock = r->lock }));
    CHECK_OK(kin_rlock_acquire(r->lock, 0));
    pid_t child = test_child(read_when_allowed, r);
    WAIT_UNTIL(test_is_asleep(child));
    kin_array_free(r->array);
    kin_array *other = make('q', 50, kin_none()); /* in the same place */
    CHECK_PTR(other, r->array);
    CHECK_OK(kin_rlock_release(r->lock));
    CHECK_EQ(test_join(child), 0);
    kin_array_free(other);
    kin_rlock_free(r->lock);
}

static int free_it_and_die(void *ctx)
{
    struct reader *r = ctx;
    CHECK_OK(kin_rlock_acquire(r->lock, 0));
    WAIT_UNTIL(atomic_load(&r->is_asleep));
    kin_array_free(r->array);
    raise(SIGKILL);
    return 0;
}

/* The array has ended, and the lock has not, nor what else it guards. */
TEST(the_news_of_a_death_stay_with_a_named_lock_whose_array_was_freed)
{
    struct reader *r = test_shared(sizeof *r);
    CHECK_OK(kin_rlock_new(&r->lock, NULL));
    CHECK_OK(kin_array_new(&r->array, 'i', 2, kin_none(), &(kin_array_options){ .lock = r->lock }));
    pid_t dies = test_child(free_it_and_die, r);
    WAIT_UNTIL(kin_rlock_locked(r->lock));
    pid_t reads = test_child(read_when_allowed, r);
    WAIT_UNTIL(test_is_asleep(reads));
    atomic_store(&r->is_asleep, true);
    CHECK_EQ(test_join(dies), -SIGKILL);
    CHECK_EQ(test_join(reads), 0);
    CHECK_EQ(kin_rlock_acquire(r->lock, 0), KIN_OWNER_DIED);
    CHECK_OK(kin_rlock_release(r->lock));
    kin_rlock_free(r->lock);
}

TEST(a_full_domain_says_so_and_goes_on)
{
    CHECK_OK(kin_domain_setup(&(kin_domain_options){ .max_memory = (uint64_t)32 << 20 }));
    kin_array *most = make('b', 16u << 20, kin_none()), *more = NULL;
    CHECK_ERROR(kin_array_new(&more, 'b', 17u << 20, kin_none(), NULL), KIN_ENOMEM);
    CHECK_NULL(kin_alloc(17u << 20));
    CHECK_CONTAINS(kin_errmsg(), "full");
    CHECK_NULL(more);
    kin_array_free(most);
    more = make('b', 16u << 20, kin_none());
    kin_array_free(more);
}
