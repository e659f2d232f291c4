#include "pool_scene.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* What goes to stderr while a progress is shown, with stderr a terminal or not. */
static void show(bool terminal, char *text, size_t size)
{
    int ends[2];
    if (terminal) {
        ends[0] = posix_openpt(O_RDWR | O_NOCTTY);
        CHECK_GE(ends[0], 0);
        CHECK_EQ(grantpt(ends[0]), 0);
        CHECK_EQ(unlockpt(ends[0]), 0);
        ends[1] = open(ptsname(ends[0]), O_WRONLY | O_NOCTTY);
    } else {
        CHECK_OK(kin__os_pipe(ends));
    }
    int saved = dup(2);
    dup2(ends[1], 2);
    kin__progress progress;
    kin__progress_begin(&progress, 4);
    kin__progress_show(&progress, 1, 1); /* too soon */
    progress.every = 0;
    kin__progress_show(&progress, 2, 0);
    kin__progress_end(&progress, 4, 3);
    (void)!write(2, "|", 1);
    dup2(saved, 2);
    size_t length = 0;
    while (length == 0 || text[length - 1] != '|') {
        ssize_t n = read(ends[0], text + length, size - 1 - length);
        CHECK_GT(n, 0);
        length += (size_t)n;
    }
    text[length] = '\0';
    close(saved);
    close(ends[0]);
    close(ends[1]);
}

TEST(on_a_terminal_there_is_a_bar)
{
    char text[2000];
    show(true, text, sizeof text);
    CHECK_CONTAINS(text, "\r[###############...............] 2/4, ");
    CHECK_CONTAINS(text, " s left");
    CHECK_CONTAINS(text, "\r[##############################] 4/4, 3 failed, ");
    CHECK_CONTAINS(text, "/s, after ");
    CHECK_NULL(strstr(text, "1/4"));
}

TEST(elsewhere_there_are_lines)
{
    char text[2000];
    show(false, text, sizeof text);
    CHECK_EQ(strncmp(text, "2/4, ", 5), 0);
    CHECK_CONTAINS(text, " s left\n4/4, 3 failed, ");
    CHECK_CONTAINS(text, " s\n|");
    CHECK_NULL(strchr(text, '['));
}
