/* progress.c - a bar on stderr while a map runs, if that is a terminal. Drawn ten times a second at
 * the most; the line is left behind, finished, at the end. */
#include "room.h"

#include <stdio.h>

#define WIDTH 30

static void draw(kin__progress *p, size_t done, const char *end)
{
    double elapsed = kin_now() - p->begun;
    double rate = elapsed > 0 ? (double)done / elapsed : 0;
    char bar[WIDTH + 1];
    size_t full = p->total != 0 ? done * WIDTH / p->total : WIDTH;
    for (size_t i = 0; i < WIDTH; i++) {
        bar[i] = i < full ? '#' : '.';
    }
    bar[WIDTH] = '\0';
    double left = rate > 0 ? (double)(p->total - done) / rate : 0;
    fprintf(stderr, "\r[%s] %zu/%zu  %.0f/s  %.1f s left %s", bar, done, p->total, rate, left, end);
    fflush(stderr);
}

void kin__progress_begin(kin__progress *progress, bool wanted, size_t total)
{
    *progress = (kin__progress){ .total = total, .begun = kin_now() };
    progress->shown = wanted && kin__os_is_terminal(2);
}

void kin__progress_show(kin__progress *progress, size_t done)
{
    double now = kin_now();
    if (progress->shown && (now - progress->drawn >= 0.1 || done == progress->total)) {
        progress->drawn = now;
        draw(progress, done, "");
    }
}

void kin__progress_end(kin__progress *progress)
{
    if (progress->shown) {
        fputc('\n', stderr);
    }
}
