/* A board of counters that four processes count on at once, and that one more looks at: on a
 * terminal it is drawn anew ten times a second. To add is one step, so that none is lost, and a
 * copy is all counters at one moment; neither waits for a server, for there is none.
 *
 * Python: board = Manager().dict(); with lock: board[name] += 1; and print(board.copy())
 */
#include <kin.h>
#include <stdio.h>
#include <unistd.h>

enum { PROCESSES = 4, ROUNDS = 50, TIMES = 300, LINES = 4, WIDTH = 40 };
static const char *const names[LINES] = { "requests", "answers", "errors", "retries" };

static kin_obj count(kin_obj args)
{
    kin_shared_dict *board = kin_as(kin_shared_dict, kin_arg(args, 0));
    for (int i = 0; i < ROUNDS; i++) {
        for (int n = 0; n < TIMES; n++) {
            const char *name = names[n % 30 == 7 ? 2 : n % 30 == 8 ? 3 : n % 2];
            KIN_TRY(kin_shared_dict_add(board, kin_str(name), kin_int(1), NULL));
        }
        KIN_TRY(kin_sleep(0.01));
    }
    return kin_none();
}

static void draw(kin_shared_dict *board)
{
    kin_obj all;
    KIN_CHECK(kin_shared_dict_copy(board, &all));
    for (int i = 0; i < LINES; i++) {
        int64_t n = kin_as_int(kin_lookup(all, kin_str(names[i])));
        int bar = (int)(n * WIDTH / (PROCESSES * ROUNDS * TIMES / 2));
        printf("%-8s %6lld %.*s\n", names[i], (long long)n, bar,
               "########################################");
    }
    kin_release(all);
}

int main(int argc, char **argv)
{
    KIN_CHECK(kin_init(argc, argv));
    kin_auto(kin_shared_dict) board = NULL;
    KIN_CHECK(kin_shared_dict_new(&board, NULL));
    for (int i = 0; i < PROCESSES; i++) {
        kin_process *child;
        KIN_CHECK(kin_start(&child, count, kin_args(kin_shared(board)), NULL));
        kin_process_free(child);
    }
    while (kin_join_children(0.1) == KIN_ETIMEDOUT) {
        if (isatty(STDOUT_FILENO)) {
            draw(board);
            printf("\033[%dA", LINES); /* back to the first line */
            fflush(stdout);
        }
    }
    draw(board);
    return 0;
}
