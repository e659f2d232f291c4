/* A list of children, each with a name and an argument of its own; then all of them are joined.
 *
 * Python: for i in range(10): p = Process(target=f, name='第%s个进程' % i, args=(l,)); p.start();
 * p_list.append(p) … for p in p_list: p.join()
 */
#include <kin.h>
#include <stdio.h>

#define CHILDREN 10

static kin_obj add_own(kin_obj args)
{
    kin_obj list = kin_list(kin_at(kin_arg(args, 0), 0)); /* whatever we are given is a copy */
    KIN_TRY(kin_append(&list, kin_arg(args, 1)));
    int64_t sum = 0;
    for (size_t i = 0; i < kin_len(list); i++) {
        sum += kin_as_int(kin_at(list, i));
    }
    kin_release(list);
    return kin_int(sum);
}

int main(int argc, char **argv)
{
    KIN_CHECK(kin_init(argc, argv));
    kin_obj list = kin_list(kin_int(100));
    kin_process *children[CHILDREN] = { NULL };
    for (int i = 0; i < CHILDREN; i++) {
        char name[40];
        snprintf(name, sizeof name, "第%d个进程", i);
        kin_obj args = kin_args(kin_retain(list), kin_int(i));
        KIN_CHECK(
            kin_start(&children[i], add_own, args, KIN_OPT(kin_process_options, .name = name)));
    }
    for (int i = 0; i < CHILDREN; i++) {
        KIN_CHECK(kin_process_join(children[i], KIN_FOREVER));
        printf("%s: %d\n", kin_process_name(children[i]), kin_process_exitcode(children[i]));
        kin_process_free(children[i]);
    }
    kin_print(list);
    kin_release(list);
    return 0;
}
