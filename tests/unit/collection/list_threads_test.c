/* Readers without a lock beside a writer, in one process: for ThreadSanitizer, too. */
#include "list.h"

#include <pthread.h>
#include <stdatomic.h>

enum { STEPS = 2000, READERS = 2 };

static kin_shared_list *list;
static atomic_bool over;

/* All items are (n, 'n'). */
static kin_obj pair(int64_t n)
{
    return kin_tuple(kin_int(n), kin_strf("%lld", (long long)n));
}

static void check_pair(kin_obj o)
{
    CHECK_EQ(kin_len(o), 2);
    CHECK_EQ(kin_as_int(kin_at(o, 0)), atoll(kin_as_str(kin_at(o, 1))));
    kin_release(o);
}

static void *read_until_over(void *unused)
{
    (void)unused;
    while (!over) {
        kin_obj o;
        CHECK_OK(kin_shared_list_get(list, 1, &o));
        check_pair(o);
        CHECK_OK(kin_shared_list_get(list, -2, &o));
        check_pair(o);
        CHECK_GE(kin_shared_list_len(list), 3);
    }
    return NULL;
}

static void change(int i)
{
    switch (i % 5) {
    case 0:
        CHECK_OK(kin_shared_list_set(list, 1, pair(i)));
        break;
    case 1:
        CHECK_OK(kin_shared_list_insert(list, 0, pair(i)));
        break;
    case 2:
        CHECK_OK(kin_shared_list_reverse(list));
        break;
    case 3:
        CHECK_OK(kin_shared_list_append(list, pair(i)));
        break;
    default:
        CHECK_OK(kin_shared_list_pop(list, 0, NULL));
        CHECK_OK(kin_shared_list_pop(list, i % 2 ? -1 : 1, NULL));
    }
}

TEST_WITHIN(120, who_reads_sees_whole_items_while_another_thread_writes)
{
    pthread_t readers[READERS];
    list = new_list(kin_list(pair(-1), pair(-2), pair(-3)));
    for (int i = 0; i < READERS; i++) {
        CHECK_EQ(pthread_create(&readers[i], NULL, read_until_over, NULL), 0);
    }
    for (int i = 0; i < STEPS; i++) {
        change(i);
    }
    over = true;
    for (int i = 0; i < READERS; i++) {
        CHECK_EQ(pthread_join(readers[i], NULL), 0);
    }
    CHECK_EQ(kin_shared_list_len(list), 3);
    kin_shared_list_free(list);
}
