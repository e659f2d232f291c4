#include "harness.h"

#include "obj/node.h"
#include <pthread.h>

#if defined __SANITIZE_ADDRESS__
#define WATCHED true
#else
#define WATCHED false
#endif

TEST(a_bundle_that_is_kept_is_taken_again)
{
    bundle *b = kin__bundle_take();
    CHECK_NOT_NULL(b);
    memset((void *)b, 1, BUNDLE_KEPT);
    CHECK_EQ(kin__bundle_keep(b), !WATCHED);
    if (WATCHED) {
        kin__os_free(b);
        SKIP("nothing is kept under this sanitizer");
    }
    CHECK_PTR(kin__bundle_take(), b);
    kin__os_free(b);
}

TEST(no_more_than_a_few_are_kept)
{
    int kept = 0;
    for (int i = 0; i < 100; i++) {
        bundle *b = kin__os_malloc(BUNDLE_KEPT);
        if (kin__bundle_keep(b)) {
            kept++;
        } else {
            kin__os_free(b);
        }
    }
    CHECK_EQ(kept, WATCHED ? 0 : 64);
}

static void *take_and_keep(void *unused)
{
    for (int i = 0; i < 2000; i++) {
        bundle *mine[3];
        for (int k = 0; k < 3; k++) {
            mine[k] = kin__bundle_take();
            mine[k]->boxes = (uint32_t)k;
        }
        for (int k = 0; k < 3; k++) {
            if (mine[k]->boxes != (uint32_t)k) {
                return mine[k];
            }
            if (!kin__bundle_keep(mine[k])) {
                kin__os_free(mine[k]);
            }
        }
    }
    return unused;
}

TEST(no_two_threads_get_the_same)
{
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) {
        CHECK_EQ(pthread_create(&threads[i], NULL, take_and_keep, NULL), 0);
    }
    for (int i = 0; i < 4; i++) {
        void *wrong;
        CHECK_EQ(pthread_join(threads[i], &wrong), 0);
        CHECK_NULL(wrong);
    }
}
