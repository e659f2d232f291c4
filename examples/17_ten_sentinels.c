/* Ten children at once, in whatever order they end: a sentinel is a descriptor, and poll(2) takes
 * it along with any others.
 *
 * Python: while sentinels: for s in multiprocessing.connection.wait(sentinels): …
 */
#include <kin.h>
#include <poll.h>
#include <stdio.h>

#define CHILDREN 10

static kin_obj square(kin_obj args)
{
    return kin_int(kin_arg_int(args, 0) * kin_arg_int(args, 0));
}

int main(int argc, char **argv)
{
    KIN_CHECK(kin_init(argc, argv));
    kin_process *children[CHILDREN] = { NULL };
    struct pollfd sentinels[CHILDREN];
    for (int i = 0; i < CHILDREN; i++) {
        KIN_CHECK(kin_start(&children[i], square, kin_args(kin_int(i)), NULL));
        sentinels[i] = (struct pollfd){ .fd = kin_process_sentinel(children[i]), .events = POLLIN };
        KIN_CHECK(sentinels[i].fd);
    }

    int sum = 0;
    for (int left = CHILDREN; left > 0;) {
        if (poll(sentinels, CHILDREN, -1) < 0) {
            continue; /* a signal */
        }
        for (int i = 0; i < CHILDREN; i++) {
            if (sentinels[i].fd >= 0 && sentinels[i].revents != 0) {
                sum += kin_process_exitcode(children[i]); /* it has ended: nothing to wait for */
                sentinels[i].fd = -1;                     /* poll leaves that one out */
                left--;
            }
        }
    }
    printf("all ten have ended; the sum of their exit codes is %d\n", sum);
    for (int i = 0; i < CHILDREN; i++) {
        kin_process_free(children[i]); /* and closes its sentinel */
    }
    return 0;
}
