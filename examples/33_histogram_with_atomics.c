/* The same histogram without locks: C's atomics work in shared memory as they do between threads.
 * The array needs no lock then (.no_lock), and its data are a C array. */
#include <kin.h>
#include <stdatomic.h>
#include <stdio.h>

enum { BUCKETS = 6, PROCESSES = 4, NUMBERS = 5000 };

static kin_obj count(kin_obj args)
{
    _Atomic long *buckets = kin_array_data(kin_as(kin_array, kin_arg(args, 0)));
    long first = (long)kin_arg_int(args, 1);
    for (long n = first; n < PROCESSES * NUMBERS; n += PROCESSES) {
        atomic_fetch_add(&buckets[n * n % 31 % BUCKETS], 1);
    }
    return kin_none();
}

int main(int argc, char **argv)
{
    KIN_CHECK(kin_init(argc, argv));
    kin_auto(kin_array) array = NULL;
    KIN_CHECK(kin_array_new(&array, 'l', BUCKETS, kin_none(),
                            KIN_OPT(kin_array_options, .no_lock = true)));
    for (int i = 0; i < PROCESSES; i++) {
        kin_process *child = NULL;
        KIN_CHECK(kin_start(&child, count, kin_args(kin_shared(array), kin_int(i)), NULL));
        kin_process_free(child);
    }
    KIN_CHECK(kin_join_children(KIN_FOREVER));

    long counted = 0;
    for (int i = 0; i < BUCKETS; i++) {
        long n = ((long *)kin_array_data(array))[i];
        printf("bucket %d: %ld\n", i, n);
        counted += n;
    }
    printf("%ld numbers\n", counted);
    return 0;
}
