/* Four children add to one number. Reading, adding and writing are three steps, so they take the
 * number's lock around them: in Python, with v.get_lock(): v.value += 1
 */
#include <kin.h>
#include <stdio.h>

static kin_obj add(kin_obj args)
{
    kin_value *sum = kin_as(kin_value, kin_arg(args, 0));
    for (int i = 0; i < 10000; i++) {
        KIN_TRY(kin_value_acquire(sum, KIN_FOREVER));
        *(long *)kin_value_ptr(sum) += 1;
        KIN_TRY(kin_value_release(sum));
    }
    return kin_none();
}

int main(int argc, char **argv)
{
    KIN_CHECK(kin_init(argc, argv));
    kin_auto(kin_value) sum = NULL;
    KIN_CHECK(kin_value_new(&sum, 'l', kin_none(), NULL));

    for (int i = 0; i < 4; i++) {
        kin_process *child = NULL;
        KIN_CHECK(kin_start(&child, add, kin_args(kin_shared(sum)), NULL));
        kin_process_free(child);
    }
    KIN_CHECK(kin_join_children(KIN_FOREVER));
    printf("%ld\n", *(long *)kin_value_ptr(sum));
    return 0;
}
