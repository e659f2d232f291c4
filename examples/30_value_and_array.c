/* A number and ten numbers, changed by a child.
 *
 * Python: num = Value('d', 0.0), arr = Array('i', range(10)); the child does n.value = 3.1415927
 * and for i in range(len(a)): a[i] = -a[i]; then print(num.value), print(arr[:])
 */
#include <kin.h>
#include <stdint.h>

static kin_obj change(kin_obj args)
{
    kin_value *num = kin_as(kin_value, kin_arg(args, 0));
    kin_array *arr = kin_as(kin_array, kin_arg(args, 1));
    KIN_TRY(kin_value_set(num, kin_float(3.1415927)));
    int *a = kin_array_data(arr); /* a C array; kin_array_get and _set would check each index */
    for (size_t i = 0; i < kin_array_len(arr); i++) {
        a[i] = -a[i];
    }
    return kin_none();
}

int main(int argc, char **argv)
{
    KIN_CHECK(kin_init(argc, argv));
    kin_auto(kin_value) num = NULL;
    kin_auto(kin_array) arr = NULL;
    KIN_CHECK(kin_value_new(&num, 'd', kin_float(0), NULL));
    KIN_CHECK(kin_array_new(&arr, 'i', 0, kin_range(0, 10), NULL));

    kin_auto(kin_process) child = NULL;
    KIN_CHECK(kin_start(&child, change, kin_args(kin_shared(num), kin_shared(arr)), NULL));
    KIN_CHECK(kin_process_join(child, KIN_FOREVER));

    kin_obj value;
    kin_obj all;
    KIN_CHECK(kin_value_get(num, &value));
    KIN_CHECK(kin_array_slice(arr, 0, INT64_MAX, &all));
    kin_print(value);
    kin_print(all);
    kin_release(all);
    return 0;
}
