#include "harness.h"

#include <kin/obj.h>
#include <pthread.h>

/* Counts are right when threads take and drop references to one object, and a dict's index may be
 * made by several readers at once. Whether that is so is for TSan and ASan to say. */

enum { THREADS = 4, ROUNDS = 2000 };

static void *share(void *ctx)
{
    kin_obj *o = ctx;
    for (int i = 0; i < ROUNDS; i++) {
        kin_obj list = kin_list(kin_retain(*o), kin_at(*o, 0));
        CHECK(kin_equal(kin_at(list, 1), kin_at(*o, 0)));
        kin_release(list);
    }
    kin_release(*o); /* each has a reference; the last one frees */
    return NULL;
}

static void *look_up(void *ctx)
{
    kin_obj *dict = ctx;
    for (int i = 0; i < ROUNDS; i++) {
        CHECK_EQ(kin_as_int(kin_lookup(*dict, kin_int(i))), i * 2);
    }
    return NULL;
}

static void in_threads(void *(*body)(void *), kin_obj *o)
{
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        CHECK_EQ(pthread_create(&threads[i], NULL, body, o), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
    }
}

TEST(the_last_of_four_threads_frees)
{
    kin_obj o = kin_list(kin_str("shared by all"), kin_dict(kin_int(1), kin_list()));
    for (int i = 1; i < THREADS; i++) {
        kin_retain(o);
    }
    in_threads(share, &o);
}

TEST(four_threads_make_the_index_of_one_dict)
{
    kin_obj dict = kin_dict();
    kin_obj list = kin_list();
    for (int i = 0; i < ROUNDS; i++) {
        CHECK_OK(kin_append(&list, kin_int(i)));
        CHECK_OK(kin_append(&list, kin_int(i * 2)));
    }
    kin_obj items[2 * ROUNDS];
    for (size_t i = 0; i < 2 * ROUNDS; i++) {
        items[i] = kin_at(list, i);
    }
    kin_release(dict);
    dict = kin_dict_n(items, 2 * ROUNDS);
    in_threads(look_up, &dict);
    kin_release(dict);
    kin_release(list);
}
