/* In Python 3.14 the fork server became the default, and it is a child of the program: a program
 * that waits until it has no children waits for ever (as flac2all did). Here it is nobody's
 * child. */
#include "contract/start.h"
#include "scene.h"

#include <errno.h>
#include <sys/wait.h>

EACH_METHOD(a_program_whose_children_have_ended_has_no_children)
{
    CHECK_EQ(run_by(method, square, kin_args(kin_int(4))), 16);
    CHECK_EQ(waitpid(-1, NULL, 0), -1);
    CHECK_EQ(errno, ECHILD);
    CHECK_OK(kin_join_children(KIN_FOREVER));
    CHECK_EQ(kin_active_children(NULL, 0), 0);
}
