/* Threads of one process on one dict: for ThreadSanitizer, and since a lock is a thread's. */
#include "harness.h"
#include <kin/collection.h>
#include <kin/domain.h>

#include <pthread.h>
#include <unistd.h>

enum { THREADS = 4, TIMES = 1500, KEYS = 90 };

static kin_shared_dict *dict;
static _Atomic int wrong;

static bool is_of(int key, kin_obj value)
{
    bool fits =
        key % 2 == 0 ? kin_as_int(value) % KEYS == key : atoi(kin_as_str(value)) % KEYS == key;
    kin_release(value);
    return fits;
}

static int use(int key, int turn)
{
    kin_obj o = kin_none();
    int64_t number = (int64_t)turn * KEYS + key;
    uint64_t pos = (uint64_t)turn;
    switch (turn % 5) {
    case 0:
        return kin_shared_dict_set(dict, kin_int(key),
                                   key % 2 == 0 ? kin_int(number)
                                                : kin_strf("%d and more of text", (int)number));
    case 1:
        return kin_shared_dict_pop(dict, kin_int(key), NULL);
    case 2:
        return kin_shared_dict_add(dict, kin_str("sum"), kin_int(1), NULL);
    case 3:
        (void)kin_shared_dict_next(dict, &pos, &o, NULL);
        kin_release(o);
        return kin_shared_dict_len(dict) < 0;
    default:
        return kin_shared_dict_get(dict, kin_int(key), &o) == 0 && !is_of(key, o) ? -1 : 0;
    }
}

static void *use_all(void *index)
{
    for (int i = 0; i < TIMES; i++) {
        int rv = use((i * 7 + (int)(intptr_t)index * 31) % KEYS, i);
        wrong += rv < 0 && rv != KIN_ENOTFOUND;
    }
    return NULL;
}

TEST_WITHIN(120, threads_share_a_dict)
{
    pthread_t threads[THREADS];
    kin_obj o = kin_none();
    CHECK_OK(kin_shared_dict_new(&dict, NULL));
    for (intptr_t i = 0; i < THREADS; i++) {
        CHECK_EQ(pthread_create(&threads[i], NULL, use_all, (void *)i), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
    }
    CHECK_EQ(wrong, 0);
    CHECK_OK(kin_shared_dict_get(dict, kin_str("sum"), &o));
    CHECK_EQ(kin_as_int(o), THREADS * TIMES / 5);
    kin_shared_dict_free(dict);
}

/* ---- interruptions --------------------------------------------------------------------------- */

static pid_t other; /* the thread that waits for the lock */
static _Atomic bool inside, comes, told;

static kin_obj interrupt_who_waits(kin_obj value, void *ctx)
{
    (void)value;
    (void)ctx;
    inside = true;
    WAIT_UNTIL(comes && test_is_asleep(other));
    (void)kin_interrupt();
    test_nap(); /* he has time to go wrong */
    WAIT_UNTIL(told);
    return kin_int(1);
}

static void *apply(void *unused)
{
    return kin_shared_dict_apply(dict, kin_str("k"), interrupt_who_waits, NULL) == 0 ? NULL
                                                                                     : unused;
}

static void wait_beside_apply(pthread_t *ret_thread)
{
    CHECK_OK(kin_shared_dict_new(&dict, NULL));
    other = gettid();
    inside = comes = told = false;
    CHECK_EQ(pthread_create(ret_thread, NULL, apply, &other), 0);
    WAIT_UNTIL(inside);
}

static void is_well(pthread_t thread)
{
    void *failed;
    CHECK_EQ(pthread_join(thread, &failed), 0);
    CHECK_NULL(failed);
}

TEST(who_waits_to_write_is_interrupted_and_may_call_again)
{
    pthread_t thread;
    kin_obj o;
    wait_beside_apply(&thread);
    comes = true;
    CHECK_ERROR(kin_shared_dict_set(dict, kin_str("k"), kin_int(2)), KIN_EINTR);
    told = true;
    CHECK_OK(kin_shared_dict_set(dict, kin_str("k"), kin_int(3)));
    CHECK_OK(kin_shared_dict_get(dict, kin_str("k"), &o));
    CHECK_EQ(kin_as_int(o), 3);
    is_well(thread);
    kin_shared_dict_free(dict);
}

TEST(a_free_is_not_cut_short_by_an_interruption)
{
    pthread_t thread;
    kin_usage_info usage;
    wait_beside_apply(&thread);
    comes = told = true;
    kin_shared_dict_free(dict);
    is_well(thread);
    CHECK_OK(kin_usage(&usage));
    CHECK_EQ(usage.blocks, 0);
}
