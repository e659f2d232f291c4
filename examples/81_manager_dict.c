/* Two processes write into one dict.
 *
 * Python: progress_dict = Manager().dict(); Process(target=add_data, args=(progress_dict, ...))
 */
#include <kin.h>

static kin_obj add_data(kin_obj args)
{
    kin_shared_dict *ages = kin_as(kin_shared_dict, kin_arg(args, 0));
    KIN_TRY(kin_shared_dict_set(ages, kin_arg(args, 1), kin_arg(args, 2)));
    return kin_none();
}

int main(int argc, char **argv)
{
    KIN_CHECK(kin_init(argc, argv));
    kin_auto(kin_manager) manager = NULL;
    KIN_CHECK(kin_manager_new(&manager, NULL));
    kin_shared_dict *ages;
    KIN_CHECK(kin_manager_dict(manager, &ages, kin_none()));

    kin_process *first, *second;
    kin_obj bob = kin_args(kin_shared(ages), kin_str("Bob"), kin_int(22));
    kin_obj alic = kin_args(kin_shared(ages), kin_str("Alic"), kin_int(20));
    KIN_CHECK(kin_start(&first, add_data, bob, NULL));
    KIN_CHECK(kin_process_join(first, KIN_FOREVER));
    KIN_CHECK(kin_start(&second, add_data, alic, NULL));
    KIN_CHECK(kin_process_join(second, KIN_FOREVER));
    kin_process_free(first);
    kin_process_free(second);

    kin_obj all;
    KIN_CHECK(kin_shared_dict_copy(ages, &all));
    kin_print(all);
    kin_release(all);
    return 0;
}
