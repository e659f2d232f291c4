/* A pipeline of four stages. The queues between them are bounded: when one stage is slow, those
 * before it are held up, and how much memory is in use does not depend on how much goes through. */
#include <kin.h>
#include <stdio.h>
#include <string.h>

enum { PAGE = 64 << 10, PAGES = 800, BOUND = 4, MIB = 1 << 20 };

static kin_obj read_pages(kin_obj args)
{
    kin_queue *out = kin_as(kin_queue, kin_arg(args, 0));
    static char page[PAGE];
    for (int i = 0; i < PAGES; i++) {
        memset(page, 'a' + i % 26, sizeof page);
        if (kin_queue_full(out) > 0) {
            KIN_TRY(kin_event_set(kin_as(kin_event, kin_arg(args, 1))));
        }
        KIN_TRY(kin_queue_put_bytes(out, page, sizeof page, KIN_FOREVER)); /* waits for room */
    }
    KIN_TRY(kin_queue_close(out));
    return kin_none();
}

static kin_obj turn(kin_obj args) /* each letter by 13 places: twice is as before */
{
    kin_queue *in = kin_as(kin_queue, kin_arg(args, 0));
    kin_queue *out = kin_as(kin_queue, kin_arg(args, 1));
    static char page[PAGE];
    ssize_t n;
    while ((n = kin_queue_get_bytes(in, page, sizeof page, KIN_FOREVER)) >= 0) {
        for (ssize_t i = 0; i < n; i++) {
            page[i] = (char)('a' + (page[i] - 'a' + 13) % 26);
        }
        KIN_TRY(kin_queue_put_bytes(out, page, (size_t)n, KIN_FOREVER));
    }
    KIN_TRY(n == KIN_ECLOSED ? kin_queue_close(out) : (int)n); /* the end goes on, too */
    return kin_none();
}

int main(int argc, char **argv)
{
    KIN_CHECK(kin_init(argc, argv));
    kin_queue *q[3];
    for (int i = 0; i < 3; i++) {
        KIN_CHECK(kin_queue_new(&q[i], KIN_OPT(kin_queue_options, .maxsize = BOUND)));
    }
    kin_auto(kin_event) held_up = NULL;
    KIN_CHECK(kin_event_new(&held_up, NULL));
    KIN_CHECK(kin_start(NULL, read_pages, kin_args(kin_shared(q[0]), kin_shared(held_up)), NULL));
    KIN_CHECK(kin_start(NULL, turn, kin_args(kin_shared(q[0]), kin_shared(q[1])), NULL));
    KIN_CHECK(kin_start(NULL, turn, kin_args(kin_shared(q[1]), kin_shared(q[2])), NULL));

    KIN_CHECK(kin_event_wait(held_up, KIN_FOREVER)); /* we, the last stage, have not begun */
    printf("the first queue is full: nothing is read any more until we go on\n");
    static char page[PAGE];
    kin_usage_info usage;
    uint64_t most = 0;
    ssize_t n;
    int pages = 0;
    for (; (n = kin_queue_get_bytes(q[2], page, sizeof page, KIN_FOREVER)) >= 0; pages++) {
        KIN_CHECK(page[0] == 'a' + pages % 26 ? 0 : KIN_ECORRUPT);
        KIN_CHECK(kin_usage(&usage));
        most = usage.used > most ? usage.used : most;
    }
    KIN_CHECK(n == KIN_ECLOSED ? 0 : n);
    printf("%d pages, %d MiB, came through, and took no more than 2 MiB at a time: %s\n", pages,
           pages / (MIB / PAGE), most <= 2 * MIB ? "yes" : "no");
    KIN_CHECK(kin_join_children(KIN_FOREVER));
    for (int i = 0; i < 3; i++) {
        kin_queue_free(q[i]);
    }
    return 0;
}
