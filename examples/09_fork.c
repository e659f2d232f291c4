/* A bare fork, for who wants nothing else: one call, two returns.
 *
 * Python: pid = os.fork(); if pid == 0: …os.getppid()… else: …os.wait()
 */
#include <kin.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    KIN_CHECK(kin_init(argc, argv));
    long *shared = kin_alloc(sizeof *shared); /* the family's, so not copied */
    long own = 1;                             /* copied */
    KIN_CHECK(shared != NULL ? 0 : KIN_ENOMEM);
    int starter = getpid();
    printf("before the fork there is one process\n"); /* printed once: kin_fork flushes */

    int pid = kin_fork();
    KIN_CHECK(pid);
    if (pid == 0) {
        *shared = getppid();
        own = 2;
        printf("I am the child, with %ld\n", own);
        return 7;
    }
    int status;
    waitpid(pid, &status, 0);
    printf("I am the parent, with %ld; its exit code is %d\n", own, WEXITSTATUS(status));
    printf("who was its parent? %s\n", *shared == starter ? "I" : "somebody else");
    kin_free(shared);
    return 0;
}
