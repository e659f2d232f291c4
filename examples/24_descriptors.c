/* A spawned child has stdin, stdout, stderr, and of other descriptors only those that are listed.
 *
 * Python: Process(target=f, args=(conn,)) under 'spawn'; subprocess.Popen(…, pass_fds=(fd,))
 */
#include <fcntl.h>
#include <kin.h>
#include <stdio.h>
#include <unistd.h>

static kin_obj look(kin_obj args)
{
    for (size_t i = 0; i < 2; i++) {
        int fd = (int)kin_arg_int(args, i);
        printf("%s: %s\n", i == 0 ? "listed" : "other", fcntl(fd, F_GETFD) < 0 ? "closed" : "open");
    }
    dprintf((int)kin_arg_int(args, 0), "hello through a pipe\n");
    return kin_none();
}

int main(int argc, char **argv)
{
    KIN_CHECK(kin_init(argc, argv));
    int ends[2];
    if (pipe(ends) < 0) {
        return 1;
    }
    kin_auto(kin_process) child = NULL;
    const kin_process_options *options =
        KIN_OPT(kin_process_options, .start_method = "spawn", .fds = &ends[1], .n_fds = 1);
    KIN_CHECK(kin_start(&child, look, kin_args(kin_int(ends[1]), kin_int(ends[0])), options));
    close(ends[1]);
    KIN_CHECK(kin_process_join(child, KIN_FOREVER));

    char text[64];
    ssize_t n = read(ends[0], text, sizeof text);
    printf("%.*s", n > 0 ? (int)n : 0, text);
    close(ends[0]);
    return 0;
}
