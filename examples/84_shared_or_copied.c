/* What a manager has made is shared; what is passed as an argument is copied: ten processes append
 * to a list of each kind.
 *
 * Python: d = manager.dict(); l = manager.list(range(5)); normalList = []
 */
#include <kin.h>
#include <stdio.h>
#include <unistd.h>

enum { PROCESSES = 10 };

static kin_obj work(kin_obj args)
{
    kin_shared_dict *dict = kin_as(kin_shared_dict, kin_arg(args, 0));
    kin_shared_list *list = kin_as(kin_shared_list, kin_arg(args, 1));
    kin_obj normal = kin_retain(kin_arg(args, 2));
    KIN_TRY(kin_shared_dict_set(dict, kin_int(1), kin_str("1")));
    KIN_TRY(kin_shared_dict_set(dict, kin_str("2"), kin_int(2)));
    KIN_TRY(kin_shared_dict_set(dict, kin_float(0.25), kin_none()));
    KIN_TRY(kin_shared_list_append(list, kin_int(getpid())));
    KIN_TRY(kin_append(&normal, kin_int(getpid())));
    printf("%zu in the list that was copied\n", kin_len(normal));
    kin_release(normal);
    return kin_none();
}

int main(int argc, char **argv)
{
    KIN_CHECK(kin_init(argc, argv));
    kin_auto(kin_manager) manager = NULL;
    kin_shared_dict *dict;
    kin_shared_list *list;
    KIN_CHECK(kin_manager_new(&manager, NULL));
    KIN_CHECK(kin_manager_dict(manager, &dict, kin_none()));
    KIN_CHECK(kin_manager_list(manager, &list, kin_range(0, 5)));

    kin_process *children[PROCESSES];
    for (int i = 0; i < PROCESSES; i++) {
        kin_obj args_of_child = kin_args(kin_shared(dict), kin_shared(list), kin_list());
        KIN_CHECK(kin_start(&children[i], work, args_of_child, NULL));
    }
    for (int i = 0; i < PROCESSES; i++) {
        KIN_CHECK(kin_process_join(children[i], KIN_FOREVER));
        kin_process_free(children[i]);
    }

    kin_obj entries;
    KIN_CHECK(kin_shared_dict_copy(dict, &entries));
    kin_print(entries);
    kin_release(entries);
    printf("%lld in the list that is shared\n", (long long)kin_shared_list_len(list));
    return 0;
}
