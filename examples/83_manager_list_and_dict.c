/* A list and a dict of a manager: the child sees what is in them, and puts something in.
 *
 * Python: with Manager() as mgr: m_list = mgr.list(); m_dict = mgr.dict(); m_list.append('hello!!')
 */
#include <kin.h>
#include <stdio.h>
#include <unistd.h>

static void show(const char *what, kin_shared_list *list, kin_shared_dict *dict)
{
    kin_obj items, entries;
    KIN_CHECK(kin_shared_list_copy(list, &items));
    KIN_CHECK(kin_shared_dict_copy(dict, &entries));
    printf("%s: ", what);
    kin_print(items);
    printf("%s: ", what);
    kin_print(entries);
    kin_release(items);
    kin_release(entries);
}

static kin_obj change(kin_obj args)
{
    kin_shared_list *list = kin_as(kin_shared_list, kin_arg(args, 1));
    kin_shared_dict *dict = kin_as(kin_shared_dict, kin_arg(args, 2));
    fprintf(stderr, "process %s has pid %d\n", kin_arg_str(args, 0), (int)getpid());
    show("child", list, dict);
    KIN_TRY(kin_shared_list_append(list, kin_str("你好")));
    KIN_TRY(kin_shared_dict_set(dict, kin_str("name"), kin_str("shiyi")));
    return kin_none();
}

int main(int argc, char **argv)
{
    KIN_CHECK(kin_init(argc, argv));
    kin_auto(kin_manager) manager = NULL;
    kin_shared_list *list;
    kin_shared_dict *dict;
    KIN_CHECK(kin_manager_new(&manager, NULL));
    KIN_CHECK(kin_manager_list(manager, &list, kin_none()));
    KIN_CHECK(kin_manager_dict(manager, &dict, kin_none()));
    KIN_CHECK(kin_shared_list_append(list, kin_str("hello!!")));

    kin_auto(kin_process) child = NULL;
    kin_obj args_of_child = kin_args(kin_str("p1"), kin_shared(list), kin_shared(dict));
    KIN_CHECK(kin_start(&child, change, args_of_child, NULL));
    KIN_CHECK(kin_process_join(child, KIN_FOREVER));
    show("parent", list, dict);
    return 0;
}
