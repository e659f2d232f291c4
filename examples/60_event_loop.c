/* An event loop that sleeps in epoll, over what another program prints and over a queue. A watch is
 * the queue's descriptor: readable as long as there may be something to get.
 * Python: loop.add_reader(queue._reader.fileno(), take), a look into what Queue calls private
 */
#include <kin.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <unistd.h>

static kin_obj produce(kin_obj args)
{
    kin_queue *queue = kin_as(kin_queue, kin_arg(args, 0));
    for (int i = 1; i <= 1000; i++) {
        KIN_TRY(kin_queue_put(queue, kin_int(i), KIN_FOREVER));
    }
    KIN_TRY(kin_queue_close(queue));
    return kin_none();
}

/* One message, if there is one: the watch tells of the next. False: there is no more to come. */
static bool take(kin_watch *watch, kin_queue *queue, int64_t *sum)
{
    kin_obj message;
    int rv = kin_watch_look(watch, NULL);
    if (rv > 0 && (rv = kin_queue_get(queue, &message, 0)) == 0) {
        *sum += kin_as_int(message);
    }
    return rv != KIN_ECLOSED;
}

int main(int argc, char **argv)
{
    KIN_CHECK(kin_init(argc, argv));
    kin_auto(kin_queue) queue = NULL;
    KIN_CHECK(kin_queue_new(&queue, NULL));
    KIN_CHECK(kin_start(NULL, produce, kin_args(kin_shared(queue)), NULL));
    FILE *program = popen("seq 1000", "r");
    kin_waitable thing = kin_queue_waitable(queue);
    kin_auto(kin_watch) watch = NULL;
    KIN_CHECK(kin_watch_new(&watch, &thing, 1));
    int fds[2] = { fileno(program), kin_watch_fileno(watch) };
    int loop = epoll_create1(EPOLL_CLOEXEC);
    for (int i = 0; i < 2; i++) {
        epoll_ctl(loop, EPOLL_CTL_ADD, fds[i], &(struct epoll_event){ EPOLLIN, { .fd = fds[i] } });
    }
    int64_t sum = 0;
    struct epoll_event told;
    for (int open = 2; open > 0 && epoll_wait(loop, &told, 1, -1) == 1;) {
        char text[512];
        bool of_queue = told.data.fd == fds[1];
        if (!(of_queue ? take(watch, queue, &sum) : read(fds[0], text, sizeof text) > 0)) {
            epoll_ctl(loop, EPOLL_CTL_DEL, told.data.fd, NULL); /* there is no more to come */
            open--;
        }
    }
    printf("the program has ended, and so has the queue: its messages make %lld\n", (long long)sum);
    close(loop);
    return pclose(program);
}
