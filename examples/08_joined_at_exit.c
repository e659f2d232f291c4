/* Nobody joins these children: the end of main waits for them.
 *
 * Python: p1 = Process(target=f, args=('p1',)); p2 = …; p1.start(); p2.start(), and no join
 */
#include <kin.h>
#include <stdio.h>

/* Waits for its turn, works, and passes the turn on. */
static kin_obj run(kin_obj args)
{
    kin_event *turn = kin_as(kin_event, kin_arg(args, 1));
    kin_event *next = kin_as(kin_event, kin_arg(args, 2));
    KIN_TRY(kin_event_wait(turn, KIN_FOREVER));
    printf("%s begins\n", kin_arg_str(args, 0));
    printf("%s ends\n", kin_arg_str(args, 0));
    fflush(stdout);
    KIN_TRY(kin_event_set(next));
    return kin_none();
}

int main(int argc, char **argv)
{
    KIN_CHECK(kin_init(argc, argv));

    /* Not freed, as main is over before they are: they go with the family. */
    kin_event *turn[3];
    for (int i = 0; i < 3; i++) {
        KIN_CHECK(kin_event_new(&turn[i], NULL));
    }

    static const char *const names[] = { "p1", "p2" };
    for (int i = 0; i < 2; i++) {
        kin_process *p = NULL;
        kin_obj args = kin_args(kin_str(names[i]), kin_shared(turn[i]), kin_shared(turn[i + 1]));
        KIN_CHECK(kin_start(&p, run, args, NULL));
        kin_process_free(p); /* lets the child go; it runs on */
    }
    printf("main has nothing more to do\n");
    fflush(stdout);
    KIN_CHECK(kin_event_set(turn[0]));
    return 0;
}
