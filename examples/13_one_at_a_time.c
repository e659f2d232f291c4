/* Ten children print, one at a time: a lock that each of them holds while it does.
 *
 * Python: for num in range(10): Process(target=f, args=(lock, num)).start(), where f does
 * l.acquire(); try: print('hello world', i); finally: l.release()
 */
#include <kin.h>
#include <stdio.h>

static kin_obj greet(kin_obj args)
{
    kin_lock *lock = kin_as(kin_lock, kin_arg(args, 0));
    int *turn = kin_arg_shared(args, 1); /* who comes when is anybody's guess */
    setvbuf(stdout, NULL, _IONBF, 0);    /* letter by letter, and nobody cuts in */
    KIN_WITH(lock) {
        for (const char *at = "hello world "; *at != '\0'; at++) {
            putchar(*at);
        }
        printf("%d\n", (*turn)++);
    }
    return kin_none();
}

int main(int argc, char **argv)
{
    KIN_CHECK(kin_init(argc, argv));
    kin_auto(kin_lock) lock = NULL;
    KIN_CHECK(kin_lock_new(&lock, NULL));
    int *turn = kin_alloc(sizeof *turn);
    KIN_CHECK(turn != NULL ? 0 : KIN_ENOMEM);

    for (int i = 0; i < 10; i++) {
        kin_process *child = NULL;
        KIN_CHECK(kin_start(&child, greet, kin_args(kin_shared(lock), kin_shared(turn)), NULL));
        kin_process_free(child); /* nobody asks for this one by name */
    }
    KIN_CHECK(kin_join_children(KIN_FOREVER)); /* before the lock is freed */
    kin_free(turn);
    return 0;
}
