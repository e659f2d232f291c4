/* A lock does not die with its holder: the next one gets it, and is told. */
#include <kin.h>
#include <signal.h>
#include <stdio.h>

/* Two numbers that are equal whenever nobody holds the lock. */
struct account {
    long earned;
    long counted;
};

static void earn(kin_lock *lock, struct account *account, bool die)
{
    int rv;
    KIN_WITH(lock, &rv) {
        if (rv == KIN_OWNER_DIED) {
            printf("somebody died with the lock: %+ld\n", account->counted - account->earned);
            account->counted = account->earned;
        }
        account->earned++;
        if (die) {
            raise(SIGKILL);
        }
        account->counted++;
    }
}

static kin_obj work(kin_obj args)
{
    for (int i = 0; i < 1000; i++) {
        earn(kin_arg_shared(args, 0), kin_arg_shared(args, 1), i == kin_arg_int(args, 2));
    }
    return kin_none();
}

int main(int argc, char **argv)
{
    KIN_CHECK(kin_init(argc, argv));
    kin_auto(kin_lock) lock = NULL;
    KIN_CHECK(kin_lock_new(&lock, NULL));
    struct account *account = kin_alloc(sizeof *account);
    KIN_CHECK(account != NULL ? 0 : KIN_ENOMEM);

    kin_process *workers[3] = { NULL };
    for (int i = 0; i < 3; i++) {
        int dies_at = i == 1 ? 500 : -1;
        kin_obj args = kin_args(kin_shared(lock), kin_shared(account), kin_int(dies_at));
        KIN_CHECK(kin_start(&workers[i], work, args, NULL));
    }
    KIN_CHECK(kin_join_children(KIN_FOREVER));
    earn(lock, account, false);

    for (int i = 0; i < 3; i++) {
        printf("worker %d: exit code %d\n", i + 1, kin_process_exitcode(workers[i]));
        kin_process_free(workers[i]);
    }
    printf("earned %ld, counted %ld\n", account->earned, account->counted);
    kin_free(account);
    return 0;
}
