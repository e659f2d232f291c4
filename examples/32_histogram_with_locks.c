/* A histogram by four processes, with a lock in each bucket: kin_lock_init makes a lock inside of a
 * struct of yours, in memory of kin_alloc. */
#include <kin.h>
#include <stdio.h>

enum { BUCKETS = 6, PROCESSES = 4, NUMBERS = 5000 };

struct bucket {
    kin_lock lock;
    long count;
    long sum; /* of what was counted; so that there is more than one thing to keep right */
};

static kin_obj count(kin_obj args)
{
    struct bucket *buckets = kin_arg_shared(args, 0);
    long first = (long)kin_arg_int(args, 1);
    for (long n = first; n < PROCESSES * NUMBERS; n += PROCESSES) {
        struct bucket *b = &buckets[n * n % 31 % BUCKETS];
        KIN_WITH(&b->lock) {
            b->count++;
            b->sum += n;
        }
    }
    return kin_none();
}

int main(int argc, char **argv)
{
    KIN_CHECK(kin_init(argc, argv));
    struct bucket *buckets = kin_alloc(BUCKETS * sizeof *buckets);
    KIN_CHECK(buckets != NULL ? 0 : KIN_ENOMEM);
    for (int i = 0; i < BUCKETS; i++) {
        KIN_CHECK(kin_lock_init(&buckets[i].lock, NULL));
    }
    for (int i = 0; i < PROCESSES; i++) {
        kin_process *child = NULL;
        KIN_CHECK(kin_start(&child, count, kin_args(kin_shared(buckets), kin_int(i)), NULL));
        kin_process_free(child);
    }
    KIN_CHECK(kin_join_children(KIN_FOREVER));

    long counted = 0;
    long sum = 0;
    for (int i = 0; i < BUCKETS; i++) {
        printf("bucket %d: %ld\n", i, buckets[i].count);
        counted += buckets[i].count;
        sum += buckets[i].sum;
        kin_lock_done(&buckets[i].lock);
    }
    printf("%ld numbers, %ld in all\n", counted, sum);
    kin_free(buckets);
    return 0;
}
