/* A dict and a list of a manager, as Python's own documentation shows them.
 *
 * Python: d = manager.dict(); l = manager.list(range(10)); in the child: l.reverse()
 */
#include <kin.h>

static kin_obj f(kin_obj args)
{
    kin_shared_dict *d = kin_as(kin_shared_dict, kin_arg(args, 0));
    kin_shared_list *l = kin_as(kin_shared_list, kin_arg(args, 1));
    KIN_TRY(kin_shared_dict_set(d, kin_int(1), kin_str("1")));
    KIN_TRY(kin_shared_dict_set(d, kin_str("2"), kin_int(2)));
    KIN_TRY(kin_shared_dict_set(d, kin_float(0.25), kin_none()));
    KIN_TRY(kin_shared_list_reverse(l));
    return kin_none();
}

int main(int argc, char **argv)
{
    KIN_CHECK(kin_init(argc, argv));
    kin_auto(kin_manager) manager = NULL;
    kin_shared_dict *d;
    kin_shared_list *l;
    KIN_CHECK(kin_manager_new(&manager, NULL));
    KIN_CHECK(kin_manager_dict(manager, &d, kin_none()));
    KIN_CHECK(kin_manager_list(manager, &l, kin_range(0, 10)));

    kin_auto(kin_process) p = NULL;
    KIN_CHECK(kin_start(&p, f, kin_args(kin_shared(d), kin_shared(l)), NULL));
    KIN_CHECK(kin_process_join(p, KIN_FOREVER));

    kin_obj entries, items;
    KIN_CHECK(kin_shared_dict_copy(d, &entries));
    KIN_CHECK(kin_shared_list_copy(l, &items));
    kin_print(entries);
    kin_print(items);
    kin_release(entries);
    kin_release(items);
    return 0;
}
