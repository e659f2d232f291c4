#include "harness.h"

#include "obj/room.h"
#include <kin.h>
#include <stdlib.h>

/* A thing with as many descriptors as it says; numbers are as good, for nobody opens them here. */
struct thing {
    int n;
    int fds[KIN__LOCAL_FDS];
    uint64_t note;
};

static int made, freed;

static int pack(void *thing, int ret_fds[KIN__LOCAL_FDS], uint64_t *ret_note)
{
    const struct thing *t = thing;
    memcpy(ret_fds, t->fds, sizeof t->fds);
    *ret_note = t->note;
    return t->n;
}

static void end(void *thing)
{
    freed++;
    kin__local_leave(thing);
    free(thing);
}

static void *unpack(const int *fds, int n, uint64_t note);

static const kin__local_ops ops = {
    .kind = 77, .name = "thing", .listed = true, .pack = pack, .unpack = unpack, .free = end
};

static struct thing *new_thing(int n, int first, uint64_t note)
{
    struct thing *t = calloc(1, sizeof *t);
    t->n = n;
    t->note = note;
    for (int i = 0; i < n; i++) {
        t->fds[i] = first + i;
    }
    CHECK_OK(kin__local_enter(t, &ops));
    made++;
    return t;
}

static void *unpack(const int *fds, int n, uint64_t note)
{
    struct thing *t = new_thing(n, 0, note);
    memcpy(t->fds, fds, (size_t)n * sizeof *fds);
    return t;
}

static struct thing *thing_in(kin_obj o)
{
    return kin_as_shared_type(o, 77);
}

TEST(a_listed_thing_is_shared_until_it_leaves)
{
    struct thing *t = new_thing(0, 0, 0);
    kin_obj o = kin_shared(t);
    CHECK_EQ(kin_type_of(o), KIN_TYPE_SHARED);
    CHECK_PTR(kin_as_shared(o), t);
    CHECK_PTR(thing_in(o), t);
    CHECK_NULL(kin_as(kin_queue, o));
    end(t);
    CHECK_NULL(kin_as_shared(o));
    CHECK_CONTAINS(kin_errmsg(), "freed");
    CHECK_EQ(kin_shared(t).code, KIN_EINVAL);
    kin_release(o);
}

TEST(objects_for_one_thing_are_equal)
{
    struct thing *one = new_thing(0, 0, 0), *two = new_thing(0, 0, 0);
    kin_obj a = kin_shared(one), b = kin_shared(one), c = kin_shared(two);
    CHECK(kin_equal(a, b));
    CHECK(!kin_equal(a, c));
    CHECK_EQ(kin_hash(a), kin_hash(b));
    kin_lock *lock = NULL;
    CHECK_OK(kin_lock_new(&lock, NULL));
    CHECK(!kin_equal(a, kin_shared(lock)));
    CHECK(!kin_equal(kin_shared(lock), a));
    kin_lock_free(lock);
    char *text = kin_repr(a);
    CHECK_CONTAINS(text, "<thing at ");
    free(text);
    kin_release(a);
    kin_release(b);
    kin_release(c);
    end(one);
    end(two);
}

TEST(there_may_be_many)
{
    enum { MANY = 500 };
    static struct thing *all[MANY];
    for (int i = 0; i < MANY; i++) {
        all[i] = new_thing(0, 0, (uint64_t)i);
    }
    for (int i = 0; i < MANY; i++) {
        kin_obj o = kin_shared(all[i]);
        CHECK_PTR(thing_in(o), all[i]);
        kin_release(o);
        end(all[i]);
    }
}

/* ---- flat copies ------------------------------------------------------------------------- */

static void *pack_all(kin_obj o, kin__cargo *cargo, size_t *ret_size)
{
    CHECK_OK(kin__flat_size_with(o, cargo, ret_size));
    cargo->n = 0;
    void *at = malloc(*ret_size);
    CHECK_OK(kin__flat_write_with(o, at, *ret_size, cargo));
    return at;
}

TEST(arrives_with_other_numbers)
{
    struct thing *t = new_thing(2, 100, 7), *u = new_thing(1, 200, 8);
    kin_obj o = kin_list(kin_shared(t), kin_str("between"), kin_shared(u));
    kin__cargo cargo = { .n = 0 };
    size_t size;
    void *at = pack_all(o, &cargo, &size);
    CHECK_EQ(cargo.n, 3);
    CHECK_EQ(cargo.fds[2], 200);
    for (int i = 0; i < 3; i++) {
        cargo.fds[i] += 1000;
    }
    kin_obj back;
    CHECK_OK(kin__flat_read_with(at, size, &cargo, &back));
    CHECK_EQ(cargo.taken, 3);
    CHECK_EQ(thing_in(kin_at(back, 0))->fds[1], 1101);
    CHECK_EQ(thing_in(kin_at(back, 0))->note, 7);
    CHECK_EQ(thing_in(kin_at(back, 2))->fds[0], 1200);
    freed = 0;
    kin_release(back);
    CHECK_EQ(freed, 2); /* nobody took them */
    kin_release(o);
    CHECK_EQ(freed, 2); /* these are not the object's */
    free(at);
    end(t);
    end(u);
}

TEST(what_was_taken_is_not_freed_with_its_object)
{
    struct thing *t = new_thing(1, 100, 0);
    kin_obj o = kin_shared(t);
    CHECK_NULL(kin_take_shared_type(o, 77)); /* not its own */
    CHECK_CONTAINS(kin_errmsg(), "not the object's own");
    kin__cargo cargo = { .n = 0 };
    size_t size;
    void *at = pack_all(o, &cargo, &size);
    kin_obj back;
    CHECK_OK(kin__flat_read_with(at, size, &cargo, &back));
    struct thing *taken = kin_take_shared_type(back, 77);
    CHECK_NOT_NULL(taken);
    CHECK_NULL(kin_take_shared_type(back, 77));
    freed = 0;
    kin_release(back);
    CHECK_EQ(freed, 0);
    end(taken);
    end(t);
    kin_release(o);
    free(at);
}

TEST(goes_nowhere_without_descriptors)
{
    struct thing *t = new_thing(1, 100, 0);
    kin_obj o = kin_tuple(kin_shared(t));
    size_t size;
    CHECK_ERROR(kin__flat_size(o, &size), KIN_EUNSUPPORTED);
    kin_auto(kin_queue) queue = NULL;
    CHECK_OK(kin_queue_new(&queue, NULL));
    CHECK_ERROR(kin_queue_put(queue, o, 0), KIN_EUNSUPPORTED);
    end(t);
}

TEST(too_few_descriptors_are_told_and_nothing_is_lost)
{
    struct thing *t = new_thing(1, 100, 0), *u = new_thing(2, 200, 0);
    kin_obj o = kin_list(kin_shared(t), kin_shared(u));
    kin__cargo cargo = { .n = 0 };
    size_t size;
    void *at = pack_all(o, &cargo, &size);
    cargo.n = 2;
    made = freed = 0;
    kin_obj back;
    CHECK_ERROR(kin__flat_read_with(at, size, &cargo, &back), KIN_ECORRUPT);
    CHECK_EQ(made, 1);
    CHECK_EQ(freed, 1);
    CHECK_EQ(cargo.taken, 1); /* the other one is ours to close */
    CHECK_ERROR(kin__flat_read(at, size, &back), KIN_ECORRUPT);
    kin_release(o);
    free(at);
    end(t);
    end(u);
}

TEST(comes_back_as_itself)
{
    struct thing *t = new_thing(1, 100, 0);
    kin_obj o = kin_list(kin_shared(t));
    kin__cargo cargo = { .n = 0 };
    size_t size;
    void *at = pack_all(o, &cargo, &size);
    kin__cargo none = { .how = KIN__CARGO_BACK };
    kin_obj back;
    CHECK_OK(kin__flat_read_with(at, size, &none, &back));
    CHECK_PTR(thing_in(kin_at(back, 0)), t);
    kin_release(back);
    kin_release(o);
    free(at);
    end(t);
}
