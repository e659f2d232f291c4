/* Descriptors as arguments, by each start method. Connections go the same way. */
#include "start.h"

#include <fcntl.h>
#include <unistd.h>

static kin_obj write_there(kin_obj args)
{
    int fd = kin_as_descriptor(kin_arg(args, 0));
    SEE(fd >= 0);
    SEE(fcntl(fd, F_GETFD) == FD_CLOEXEC);
    SEE(write(fd, "hello", 5) == 5);
    return kin_none();
}

EACH_METHOD(a_child_has_the_descriptors_among_its_arguments)
{
    int ends[2];
    char text[8];
    CHECK_EQ(pipe2(ends, O_CLOEXEC), 0);
    CHECK_EQ(run_by(method, write_there, kin_args(kin_descriptor(ends[1]))), 0);
    CHECK_EQ(read(ends[0], text, sizeof text), 5);
    kin_obj nested = kin_dict(kin_str("to"), kin_list(kin_descriptor(ends[1])));
    kin_obj twice = kin_args(kin_descriptor(ends[1]), kin_descriptor(ends[1]), nested);
    CHECK_EQ(run_by(method, write_there, twice), 0);
    CHECK_EQ(read(ends[0], text, sizeof text), 5);
    close(ends[1]);
    CHECK_EQ(read(ends[0], text, sizeof text), 0); /* nobody else has kept one */
    close(ends[0]);
}

EACH_METHOD(one_that_was_closed_meanwhile_is_told)
{
    int ends[2];
    kin_process *child = NULL;
    CHECK_EQ(pipe2(ends, O_CLOEXEC), 0);
    kin_obj args = kin_args(kin_descriptor(ends[1]));
    CHECK_OK(kin_process_new(&child, write_there, args,
                             KIN_OPT(kin_process_options, .start_method = method)));
    close(ends[1]);
    if (!is_forked(method)) {
        CHECK_ERROR(kin_process_start(child), KIN_EINVAL);
    }
    kin_process_free(child);
    close(ends[0]);
}
