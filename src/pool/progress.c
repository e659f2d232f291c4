/* progress.c - how far a map is, on stderr: on a terminal a bar, which is drawn ten times a second
 * at the most, and is left behind at the end; elsewhere (a file, a log) a line every five seconds,
 * and one at the end. */
#include "room.h"

#include <stdio.h>

#define WIDTH 30

/* One write, or lines of several processes would mix. */
static void draw(const kin__progress *p, size_t done, size_t failed, double now)
{
    char line[300];
    char failures[40] = "";
    char bar[WIDTH + 5] = "";
    double elapsed = now - p->begun;
    double rate = elapsed > 0 ? (double)done / elapsed : 0;
    if (failed != 0) {
        snprintf(failures, sizeof failures, ", %zu failed", failed);
    }
    if (p->bar) {
        size_t full = p->total != 0 ? (size_t)((double)done / (double)p->total * WIDTH) : WIDTH;
        bar[0] = '\r';
        bar[1] = '[';
        for (size_t i = 0; i < WIDTH; i++) {
            bar[2 + i] = i < full ? '#' : '.';
        }
        bar[WIDTH + 2] = ']';
        bar[WIDTH + 3] = ' ';
    }
    int n = snprintf(line, sizeof line, "%s%zu/%zu%s, %.0f/s", bar, done, p->total, failures, rate);
    if (done < p->total && rate > 0) {
        snprintf(line + n, sizeof line - (size_t)n, ", %.1f s left",
                 (double)(p->total - done) / rate);
    } else {
        snprintf(line + n, sizeof line - (size_t)n, ", after %.1f s", elapsed);
    }
    fprintf(stderr, "%s%s", line, p->bar ? "  " : "\n"); /* what a longer one has left there */
    fflush(stderr);
}

void kin__progress_begin(kin__progress *progress, size_t total)
{
    double now = kin_now();
    bool bar = kin__os_is_terminal(2);
    *progress = (kin__progress){ .bar = bar, .total = total, .begun = now, .shown = now };
    progress->every = bar ? 0.1 : 5;
}

void kin__progress_show(kin__progress *progress, size_t done, size_t failed)
{
    double now = kin_now();
    if (now - progress->shown >= progress->every) {
        progress->shown = now;
        draw(progress, done, failed, now);
    }
}

void kin__progress_end(kin__progress *progress, size_t done, size_t failed)
{
    draw(progress, done, failed, kin_now());
    if (progress->bar) {
        fputc('\n', stderr);
    }
}
