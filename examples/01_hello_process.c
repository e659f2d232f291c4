/* A function in a process of its own: it has the arguments, and its result is the exit code. */
#include <kin.h>
#include <stdio.h>

static kin_obj greet(kin_obj args)
{
    printf("hello %s, from %s\n", kin_arg_str(args, 0), kin_process_name(kin_current_process()));
    return kin_int(3);
}

int main(int argc, char **argv)
{
    KIN_CHECK(kin_init(argc, argv));

    kin_auto(kin_process) child = NULL;
    KIN_CHECK(kin_start(&child, greet, kin_args(kin_str("world")), NULL));
    KIN_CHECK(kin_process_join(child, KIN_FOREVER));

    printf("its exit code is %d\n", kin_process_exitcode(child));
    return 0;
}
