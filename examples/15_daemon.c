/* A daemon does not outlive its parent. It may have children, which are daemons too.
 *
 * Python: p = Process(target=f, daemon=True); p.start(), and the program ends. (There a daemon that
 * starts a child gets "daemonic processes are not allowed to have children".)
 */
#include <kin.h>
#include <stdio.h>

/* Takes the lock, says so, and never ends. */
static kin_obj hold(kin_obj args)
{
    kin_lock *lock = kin_as(kin_lock, kin_arg(args, 0));
    KIN_TRY(kin_lock_acquire(lock, KIN_FOREVER));
    printf("the daemon's child: a daemon %s\n",
           kin_process_daemon(kin_current_process()) ? "as well" : "no more");
    fflush(stdout);
    KIN_TRY(kin_event_set(kin_as(kin_event, kin_arg(args, 1))));
    for (;;) {
        kin_sleep(3600);
    }
}

static kin_obj serve(kin_obj args)
{
    kin_auto(kin_process) child = NULL;
    KIN_TRY(kin_start(&child, hold, kin_args(kin_arg(args, 0), kin_arg(args, 1)), NULL));
    KIN_TRY(kin_process_join(child, KIN_FOREVER));
    return kin_none();
}

/* Starts a daemon and ends, without a word to it. */
static kin_obj start_daemon(kin_obj args)
{
    kin_auto(kin_process) daemon = NULL;
    const kin_process_options *options = KIN_OPT(kin_process_options, .daemon = true);
    KIN_TRY(kin_start(&daemon, serve, kin_args(kin_arg(args, 0), kin_arg(args, 1)), options));
    KIN_TRY(kin_event_wait(kin_as(kin_event, kin_arg(args, 1)), KIN_FOREVER));
    return kin_none();
}

int main(int argc, char **argv)
{
    KIN_CHECK(kin_init(argc, argv));
    kin_auto(kin_lock) lock = NULL;
    kin_auto(kin_event) held = NULL;
    KIN_CHECK(kin_lock_new(&lock, NULL));
    KIN_CHECK(kin_event_new(&held, NULL));

    kin_auto(kin_process) parent = NULL;
    KIN_CHECK(kin_start(&parent, start_daemon, kin_args(kin_shared(lock), kin_shared(held)), NULL));
    KIN_CHECK(kin_process_join(parent, KIN_FOREVER));
    printf("their parent has ended: %d\n", kin_process_exitcode(parent));
    if (kin_lock_acquire(lock, KIN_FOREVER) == KIN_OWNER_DIED) {
        printf("so have they: who held the lock is dead\n");
    }
    return 0;
}
