/* What one process shows of values, arrays, segments and lists: TSan sees no other. */
#include "harness.h"
#include <kin/domain.h>
#include <kin/share.h>

#include <pthread.h>
#include <unistd.h>

enum { THREADS = 4, ROUNDS = 500, ITEMS = 20 };

struct world {
    kin_value *value;
    kin_array *array;
    kin_rlock *lock;
    kin_shareable_list *list;
    _Atomic int next; /* number of a thread */
    _Atomic int told; /* how many were told something */
};

/* Runs the body in all threads; each returns NULL when all was well. */
static void run(void *(*body)(void *), struct world *w)
{
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        CHECK_EQ(pthread_create(&threads[i], NULL, body, w), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        void *result;
        CHECK_EQ(pthread_join(threads[i], &result), 0);
        CHECK_NULL(result);
    }
}

static void *add(void *ctx)
{
    struct world *w = ctx;
    for (int i = 0; i < ROUNDS; i++) {
        if (kin_value_acquire(w->value, KIN_FOREVER) != 0) {
            return w;
        }
        *(int *)kin_value_ptr(w->value) += 1; /* plain: the lock must do */
        if (kin_value_release(w->value) != 0) {
            return w;
        }
    }
    return NULL;
}

TEST(threads_add_to_a_value)
{
    struct world w = { .next = 0 };
    kin_obj o;
    CHECK_OK(kin_value_new(&w.value, 'i', kin_none(), NULL));
    run(add, &w);
    CHECK_OK(kin_value_get(w.value, &o));
    CHECK_EQ(kin_as_int(o), THREADS * ROUNDS);
    kin_value_free(w.value);
}

#define EVERY_BYTE INT64_C(0x0101010101010101)

static void *get_and_set(void *ctx)
{
    struct world *w = ctx;
    for (int i = 0; i < ROUNDS; i++) {
        kin_obj o;
        if (kin_value_set(w->value, kin_int(i % 100 * EVERY_BYTE)) != 0 ||
            kin_value_get(w->value, &o) != 0 || kin_as_int(o) % EVERY_BYTE != 0) {
            return w;
        }
    }
    return NULL;
}

TEST(threads_see_no_half_of_a_value_with_and_without_a_lock)
{
    struct world w = { .next = 0 };
    for (int i = 0; i < 2; i++) {
        CHECK_OK(
            kin_value_new(&w.value, 'q', kin_none(), &(kin_value_options){ .no_lock = i == 1 }));
        run(get_and_set, &w);
        kin_value_free(w.value);
    }
}

static void *negate_all(void *ctx)
{
    struct world *w = ctx;
    for (int i = 0; i < ROUNDS / 10; i++) {
        kin_obj o;
        if (kin_array_acquire(w->array, KIN_FOREVER) != 0) {
            return w;
        }
        int *data = kin_array_data(w->array);
        for (size_t k = 0; k < kin_array_len(w->array); k++) {
            data[k] = -data[k];
        }
        if (kin_array_release(w->array) != 0 || kin_array_slice(w->array, 0, ITEMS, &o) != 0) {
            return w;
        }
        int64_t first = kin_as_int(kin_at(o, 0));
        bool same = first == kin_as_int(kin_at(o, ITEMS - 1));
        kin_release(o);
        if (!same || kin_array_set_slice(w->array, 0, ITEMS,
                                         kin_bytes("\7\7\7\7\7\7\7\7\7\7"
                                                   "\7\7\7\7\7\7\7\7\7\7",
                                                   ITEMS)) != 0) {
            return w;
        }
    }
    return NULL;
}

static void *set_own_item(void *ctx)
{
    struct world *w = ctx;
    int64_t mine = w->next++;
    for (int i = 0; i < ROUNDS; i++) {
        kin_obj o;
        kin_array *copy = NULL;
        if (kin_array_set(w->array, mine, kin_int(i)) != 0 ||
            kin_array_get(w->array, mine, &o) != 0 || kin_as_int(o) != i) {
            return w;
        }
        if (i % 50 == 0 && kin_array_copy(w->array, &copy) != 0) {
            return w;
        }
        kin_array_free(copy);
    }
    return NULL;
}

TEST(threads_share_an_array)
{
    struct world w = { .next = 0 };
    CHECK_OK(kin_array_new(&w.array, 'i', ITEMS, kin_none(), NULL));
    run(negate_all, &w);
    run(set_own_item, &w);
    kin_array_free(w.array);
    CHECK_OK(kin_rlock_new(&w.lock, NULL));
    CHECK_OK(
        kin_array_new(&w.array, 'i', ITEMS, kin_none(), &(kin_array_options){ .lock = w.lock }));
    run(negate_all, &w);
    kin_array_free(w.array);
    kin_rlock_free(w.lock);
}

static void *wait_for_the_end(void *ctx)
{
    struct world *w = ctx;
    kin_obj o;
    int rv;
    do {
        rv = kin_value_get(w->value, &o);
    } while (rv == 0);
    w->told += rv == KIN_ECLOSED || rv == KIN_EFREED;
    return NULL;
}

static void *end_it(void *ctx)
{
    kin_value_free(((struct world *)ctx)->value);
    return NULL;
}

TEST(threads_are_told_that_a_value_was_freed)
{
    struct world w = { .next = 0 };
    pthread_t ender;
    CHECK_OK(kin_value_new(&w.value, 'i', kin_none(), NULL));
    CHECK_EQ(pthread_create(&ender, NULL, end_it, &w), 0);
    run(wait_for_the_end, &w);
    CHECK_EQ(pthread_join(ender, NULL), 0);
    CHECK_EQ(w.told, THREADS);
}

static void *move_memory(void *ctx)
{
    for (size_t i = 1; i <= 20; i++) {
        char *p = kin_alloc(i * 20000);
        p = p != NULL ? kin_realloc(p, i * 30000) : NULL;
        if (p == NULL || p[0] != 0 || p[i * 30000 - 1] != 0) {
            return ctx;
        }
        memset(p, 0xff, i * 30000);
        kin_free(p);
    }
    return NULL;
}

TEST(threads_alloc_and_free_large_memory)
{
    struct world w = { .next = 0 };
    run(move_memory, &w);
}

/* ---- segments ----------------------------------------------------------------------- */

static void *own_names(void *ctx)
{
    struct world *w = ctx;
    char name[64];
    snprintf(name, sizeof name, "kin-threads-%d-%d", (int)getpid(), (int)w->next++);
    for (int i = 0; i < 30; i++) {
        kin_shm *shm = NULL, *same = NULL;
        if (kin_shm_create(&shm, name, 100) != 0 || kin_shm_unlink_at_exit(shm, true) != 0 ||
            kin_shm_open(&same, name) != 0 || kin_shm_unlink_at_exit(same, i % 2 == 0) != 0 ||
            kin_shm_unlink(name) != 0) {
            return w;
        }
        kin_shm_free(shm);
        kin_shm_free(same);
    }
    return NULL;
}

TEST(threads_make_and_own_segments)
{
    struct world w = { .next = 0 };
    kin_usage_info before, after;
    CHECK_OK(kin_usage(&before));
    run(own_names, &w);
    CHECK_OK(kin_usage(&after));
    CHECK_EQ(after.blocks, before.blocks);
}

static void *read_list(void *ctx)
{
    struct world *w = ctx;
    for (int i = 0; i < ROUNDS; i++) {
        kin_obj o;
        if (kin_shareable_list_get(w->list, 1, &o) != 0) {
            return w;
        }
        bool good = strcmp(kin_as_str(o), "two") == 0;
        kin_release(o);
        if (!good || kin_shareable_list_index(w->list, kin_float(3)) != 2) {
            return w;
        }
    }
    return NULL;
}

TEST(threads_read_a_list)
{
    struct world w = { .next = 0 };
    CHECK_OK(
        kin_shareable_list_new(&w.list, kin_list(kin_int(1), kin_str("two"), kin_float(3)), NULL));
    CHECK_OK(kin_shm_unlink(kin_shm_name(kin_shareable_list_shm(w.list))));
    run(read_list, &w);
    kin_shareable_list_free(w.list);
}
