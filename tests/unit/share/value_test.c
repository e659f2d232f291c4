#include "domain/room.h"
#include "harness.h"
#include <kin/domain.h>
#include <kin/share.h>
#include <signal.h>
#include <unistd.h>

static kin_value *make(char code, kin_obj initial)
{
    kin_value *v = NULL;
    CHECK_OK(kin_value_new(&v, code, initial, NULL));
    return v;
}

static kin_obj get(kin_value *v)
{
    kin_obj o = { 0 };
    CHECK_OK(kin_value_get(v, &o));
    return o;
}

TEST(a_value_is_zero_or_what_it_was_given)
{
    kin_value *zero = make('d', kin_none());
    kin_value *five = make('i', kin_int(5));
    CHECK_FLOAT(kin_as_float(get(zero)), 0);
    CHECK_EQ(kin_as_int(get(five)), 5);
    CHECK_EQ(*(int *)kin_value_ptr(five), 5);
    *(int *)kin_value_ptr(five) = -6;
    CHECK_EQ(kin_as_int(get(five)), -6);
    CHECK_OK(kin_value_set(five, kin_int(7)));
    CHECK_EQ(*(int *)kin_value_ptr(five), 7);
    kin_value_free(zero);
    kin_value_free(five);
    kin_value_free(NULL);
}

TEST(a_value_of_every_code_comes_back)
{
    static const char codes[] = "bBhHiIlLqQfd?";
    for (size_t i = 0; codes[i] != '\0'; i++) {
        kin_value *v = make(codes[i], kin_int(1));
        CHECK_EQ((int)kin_as_float(get(v)), 1);
        kin_value_free(v);
    }
    kin_value *c = make('c', kin_bytes("x", 1));
    kin_value *u = make('u', kin_str("\xc3\xa9"));
    kin_obj letter = get(c), character = get(u);
    CHECK_MEM(kin_as_bytes(letter), "x", 1);
    CHECK_STR(kin_as_str(character), "\xc3\xa9");
    kin_release(letter);
    kin_release(character);
    kin_value_free(c);
    kin_value_free(u);
}

TEST(what_does_not_fit_a_value_changes_nothing)
{
    kin_value *v = make('B', kin_int(1));
    CHECK_ERROR(kin_value_set(v, kin_int(256)), KIN_ERANGE);
    CHECK_ERROR(kin_value_set(v, kin_str("a text")), KIN_ETYPE);
    CHECK_ERROR(kin_value_set(v, (kin_obj){ 0 }), KIN_EINVAL);
    CHECK_ERROR(kin_value_get(v, NULL), KIN_EINVAL);
    CHECK_EQ(kin_as_int(get(v)), 1);
    CHECK_EQ(kin_rlock_depth(kin_value_lock(v)), 0);
    kin_value_free(v);
    v = NULL;
    CHECK_ERROR(kin_value_new(&v, 'B', kin_int(-1), NULL), KIN_ERANGE);
    CHECK_ERROR(kin_value_new(&v, 'B', kin_list(kin_str("x")), NULL), KIN_ETYPE);
    CHECK_ERROR(kin_value_new(&v, 'x', kin_str("a text"), NULL), KIN_EINVAL);
    CHECK_ERROR(kin_value_new(NULL, 'B', kin_str("a text"), NULL), KIN_EINVAL);
    CHECK_ERROR(kin_value_new(&v, 'B', (kin_obj){ 0 }, NULL), KIN_EINVAL);
    kin_value_options reserved = { .reserved = { 0, 1 } };
    CHECK_ERROR(kin_value_new(&v, 'B', kin_none(), &reserved), KIN_EINVAL);
    CHECK_NULL(v);
}

struct point {
    char name;
    double x;
    int n;
};

TEST(a_struct_is_its_bytes)
{
    const struct point first = { .name = 'a', .x = 1.5, .n = 7 };
    kin_value_options options = { .size = sizeof first, .bytes = &first };
    kin_value *v = NULL;
    CHECK_OK(kin_value_new(&v, 0, kin_none(), &options));
    struct point *there = kin_value_ptr(v);
    CHECK_FLOAT(there->x, 1.5);
    there->n = 8;
    kin_obj o = get(v);
    CHECK_EQ(kin_len(o), sizeof first);
    CHECK_EQ(((const struct point *)kin_as_bytes(o))->n, 8);
    CHECK_OK(kin_value_set(v, kin_bytes(&first, sizeof first)));
    CHECK_EQ(there->n, 7);
    CHECK_ERROR(kin_value_set(v, kin_bytes(&first, 3)), KIN_ERANGE);
    CHECK_ERROR(kin_value_set(v, kin_int(3)), KIN_ETYPE);
    kin_release(o);
    kin_value_free(v);
    v = NULL;
    CHECK_ERROR(kin_value_new(&v, 0, kin_none(), NULL), KIN_EINVAL);
    CHECK_ERROR(kin_value_new(&v, 0, kin_bytes("a", 1), &options), KIN_EINVAL);
    options.size = 0;
    CHECK_ERROR(kin_value_new(&v, 'd', kin_none(), &options), KIN_EINVAL);
    CHECK_NULL(v);
}

TEST(a_value_has_a_lock_of_its_own_or_anothers_or_none)
{
    kin_rlock *lock = NULL;
    CHECK_OK(kin_rlock_new(&lock, NULL));
    kin_value *own = make('i', kin_none()), *other = NULL, *none = NULL;
    CHECK_OK(kin_value_new(&other, 'i', kin_none(), &(kin_value_options){ .lock = lock }));
    CHECK_OK(kin_value_new(&none, 'i', kin_none(), &(kin_value_options){ .no_lock = true }));
    CHECK_PTR(kin_value_lock(other), lock);
    CHECK_NULL(kin_value_lock(none));
    CHECK_CONTAINS(kin_errmsg(), "no_lock");
    CHECK_ERROR(kin_value_acquire(none, 0), KIN_ESTATE);
    CHECK_ERROR(kin_value_release(none), KIN_ESTATE);
    CHECK_OK(kin_value_set(none, kin_int(3)));
    CHECK_EQ(kin_as_int(get(none)), 3);

    CHECK_OK(kin_value_acquire(own, 0));
    CHECK_OK(kin_value_set(own, kin_int(4))); /* it is recursive */
    CHECK_EQ(kin_rlock_depth(kin_value_lock(own)), 1);
    CHECK_OK(kin_value_release(own));
    CHECK_ERROR(kin_value_release(own), KIN_ESTATE);
    CHECK_OK(kin_value_acquire(other, 0));
    CHECK_EQ(kin_rlock_depth(lock), 1);
    CHECK_OK(kin_value_release(other));
    kin_value_free(own);
    kin_value_free(other);
    kin_value_free(none);
    CHECK_OK(kin_rlock_acquire(lock, 0)); /* it is not the value's to end */
    kin_rlock_free(lock);
}

TEST(a_value_that_was_freed_or_is_none_is_told)
{
    kin_log_set_level(KIN_LOG_OFF);
    kin_value *v = make('i', kin_none());
    kin_value_free(v);
    kin_obj o;
    CHECK_ERROR(kin_value_get(v, &o), KIN_EFREED);
    CHECK_ERROR(kin_value_set(v, kin_int(1)), KIN_EFREED);
    CHECK_ERROR(kin_value_acquire(v, 0), KIN_EFREED);
    CHECK_NULL(kin_value_ptr(v));
    CHECK_NULL(kin_value_lock(v));
    kin_value_free(v);
    CHECK_CONTAINS(kin_errmsg(), "freed");
    CHECK_ERROR(kin_value_get(NULL, &o), KIN_EINVAL);
    CHECK_ERROR(kin_value_get((kin_value *)&o, &o), KIN_EINVAL);
    CHECK_NULL(kin_value_ptr(NULL));
}

TEST(a_value_travels_as_an_object)
{
    kin_value *v = make('i', kin_int(5));
    kin_obj o = kin_shared(v);
    CHECK_PTR(kin_as(kin_value, o), v);
    CHECK_NULL(kin_as(kin_array, o));
    kin_value_free(v);
    CHECK_NULL(kin_as(kin_value, o));
}

static int add_often(void *ctx)
{
    kin_value *v = ctx;
    for (int i = 0; i < 10000; i++) {
        if (kin_value_acquire(v, KIN_FOREVER) != 0) {
            return 1;
        }
        *(int *)kin_value_ptr(v) += 1;
        kin_value_release(v);
    }
    return 0;
}

TEST(no_sum_is_lost_under_the_lock)
{
    kin_value *v = make('i', kin_none());
    pid_t children[4];
    for (int i = 0; i < 4; i++) {
        children[i] = test_child(add_often, v);
    }
    for (int i = 0; i < 4; i++) {
        CHECK_EQ(test_join(children[i]), 0);
    }
    CHECK_EQ(kin_as_int(get(v)), 40000);
    kin_value_free(v);
}

static int die_with_it(void *ctx)
{
    kin_value *v = ctx;
    if (kin_value_acquire(v, 0) == 0) {
        *(int *)kin_value_ptr(v) = 13;
        raise(SIGKILL);
    }
    return 1;
}

TEST(who_reads_after_a_death_is_told_and_reads)
{
    kin_value *v = make('i', kin_int(12));
    CHECK_EQ(test_join(test_child(die_with_it, v)), -SIGKILL);
    kin_obj o;
    CHECK_EQ(kin_value_get(v, &o), KIN_OWNER_DIED);
    CHECK_EQ(kin_as_int(o), 13);
    CHECK_EQ(kin_value_get(v, &o), 0);
    CHECK_EQ(test_join(test_child(die_with_it, v)), -SIGKILL);
    CHECK_EQ(kin_value_set(v, kin_int(1)), KIN_OWNER_DIED);
    CHECK_EQ(kin_as_int(get(v)), 1);
    kin_value_free(v);
}

TEST(what_is_refused_does_not_swallow_the_news_of_a_death)
{
    kin_value *v = make('i', kin_int(12));
    CHECK_EQ(test_join(test_child(die_with_it, v)), -SIGKILL);
    CHECK_ERROR(kin_value_set(v, kin_str("no int")), KIN_ETYPE);
    CHECK_EQ(kin_value_set(v, kin_int(1)), KIN_OWNER_DIED);
    kin_value_free(v);
}

static int wait_for_it(void *ctx)
{
    return kin_value_acquire(ctx, KIN_FOREVER) == KIN_ECLOSED ? 0 : 1;
}

TEST(to_free_a_value_wakes_who_waits_for_it)
{
    kin_value *v = make('i', kin_none());
    CHECK_OK(kin_value_acquire(v, 0));
    pid_t child = test_child(wait_for_it, v);
    WAIT_UNTIL(test_is_asleep(child));
    kin_value_free(v);
    CHECK_EQ(test_join(child), 0);
}

static int die_with_no_character_in_it(void *ctx)
{
    if (kin_value_acquire(ctx, 0) == 0) {
        *(uint32_t *)kin_value_ptr(ctx) = UINT32_MAX;
        raise(SIGKILL);
    }
    return 1;
}

/* Nor does it swallow them when it is found out under the lock. */
TEST(a_read_that_fails_does_not_swallow_the_news_of_a_death)
{
    kin_value *v = make('w', kin_none());
    kin_obj o = kin_int(5);
    CHECK_EQ(test_join(test_child(die_with_no_character_in_it, v)), -SIGKILL);
    CHECK_ERROR(kin_value_get(v, &o), KIN_ERANGE);
    CHECK_CONTAINS(kin_errmsg(), "kin_value_get: ");
    CHECK_EQ(kin_as_int(o), 5);
    CHECK_ERROR(kin_value_get(v, &o), KIN_ERANGE);
    CHECK_EQ(kin_rlock_depth(kin_value_lock(v)), 0);
    CHECK_EQ(kin_value_acquire(v, 0), KIN_OWNER_DIED);
    CHECK_OK(kin_value_release(v));
    CHECK_ERROR(kin_value_get(v, &o), KIN_ERANGE); /* no news, none to leave */
    CHECK_EQ(kin_value_acquire(v, 0), 0);
    CHECK_OK(kin_value_release(v));
    kin_value_free(v);
}

static int take_it(void *ctx)
{
    return kin_value_acquire(ctx, KIN_FOREVER);
}

TEST(another_process_hears_of_a_death_after_a_read_that_failed)
{
    kin_value *v = make('w', kin_none());
    kin_obj o;
    CHECK_EQ(test_join(test_child(die_with_no_character_in_it, v)), -SIGKILL);
    CHECK_ERROR(kin_value_get(v, &o), KIN_ERANGE);
    CHECK_EQ(test_join(test_child(take_it, v)), KIN_OWNER_DIED);
    CHECK_EQ(kin_value_acquire(v, 0), KIN_OWNER_DIED); /* for he ended with it */
    kin_value_free(v);
}

static void check_dump_has(const char *what, const void *p, const char *is)
{
    char *text = NULL;
    size_t size = 0;
    char line[256];
    FILE *stream = open_memstream(&text, &size);
    CHECK_OK(kin_dump(stream));
    fclose(stream);
    snprintf(line, sizeof line, "%s %p: %s\n", what, p, is);
    CHECK_CONTAINS(text, line);
    free(text);
}

static int die_at_once(void *ctx)
{
    kin_value_acquire(ctx, 0);
    raise(SIGKILL);
    return 1;
}

TEST(a_dump_says_who_has_the_lock_of_a_value)
{
    kin_value *v = make('i', kin_none()), *none = NULL;
    kin_array *a = NULL;
    char is[128];
    CHECK_OK(kin_value_new(&none, 'i', kin_none(), &(kin_value_options){ .no_lock = true }));
    CHECK_OK(
        kin_array_new(&a, 'i', 3, kin_none(), &(kin_array_options){ .lock = kin_value_lock(v) }));
    check_dump_has("value", none, "no lock");
    snprintf(is, sizeof is, "its rlock %p is held by nobody", (void *)kin_value_lock(v));
    check_dump_has("value", v, is);
    check_dump_has("array", a, is);
    CHECK_OK(kin_value_acquire(v, 0));
    CHECK_OK(kin_value_acquire(v, 0));
    snprintf(is, sizeof is, "its rlock %p is held by process %d (MainProcess), 2 deep",
             (void *)kin_array_lock(a), (int)getpid());
    check_dump_has("value", v, is);
    check_dump_has("array", a, is);
    CHECK_OK(kin_value_release(v));
    CHECK_OK(kin_value_release(v));
    pid_t dead = test_child(die_at_once, v);
    CHECK_EQ(test_join(dead), -SIGKILL);
    snprintf(is, sizeof is, "its rlock %p is held by process %d (MainProcess), which died",
             (void *)kin_value_lock(v), (int)dead);
    check_dump_has("value", v, is);
    snprintf(is, sizeof is, "its rlock %p was freed", (void *)kin_value_lock(v));
    kin_value_free(v);
    check_dump_has("array", a, is);
    kin_array_free(a);
    kin_value_free(none);
}
