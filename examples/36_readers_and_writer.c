/* Readers and a writer: a condition, with the lock of what it is about. Who waits for something to
 * become true waits in a loop, or by a predicate; who makes it true notifies. */
#include <kin.h>
#include <stdio.h>

enum { READERS = 3, NEWS = 3 };
struct board {
    kin_lock lock; /* guards the rest */
    kin_condition changed;
    int number, unread; /* of the news there (0: none yet), and by how many readers */
    char text[40];
};

static kin_obj read_all(kin_obj args)
{
    struct board *board = kin_arg_shared(args, 0);
    for (int n = 1; n <= NEWS; n++) {
        KIN_HOLD(&board->lock);
        while (board->number < n) {
            KIN_TRY(kin_condition_wait(&board->changed, KIN_FOREVER));
        }
        board->unread--;
        KIN_TRY(kin_condition_notify_all(&board->changed));
    }
    return kin_none();
}

static bool all_have_read(void *board)
{
    return ((const struct board *)board)->unread == 0;
}

int main(int argc, char **argv)
{
    static const char *const news[NEWS] = { "it rains", "it still rains", "the sun is out" };
    KIN_CHECK(kin_init(argc, argv));
    struct board *board = kin_alloc(sizeof *board);
    KIN_CHECK(board != NULL ? 0 : KIN_ENOMEM);
    KIN_CHECK(kin_lock_init(&board->lock, NULL));
    KIN_CHECK(
        kin_condition_init(&board->changed, KIN_OPT(kin_condition_options, .lock = &board->lock)));
    for (int i = 0; i < READERS; i++) {
        kin_auto(kin_process) child = NULL; /* let go at once, and joined below */
        KIN_CHECK(kin_start(&child, read_all, kin_args(kin_shared(board)), NULL));
    }
    for (int i = 0; i < NEWS; i++) {
        KIN_HOLD(&board->lock);
        board->number = i + 1;
        board->unread = READERS;
        snprintf(board->text, sizeof board->text, "%s", news[i]);
        KIN_CHECK(kin_condition_notify_all(&board->changed));
        KIN_CHECK(kin_condition_wait_for(&board->changed, all_have_read, board, KIN_FOREVER));
        printf("all %d have read: %s\n", READERS, board->text);
    }
    KIN_CHECK(kin_join_children(KIN_FOREVER));
    kin_condition_done(&board->changed);
    kin_lock_done(&board->lock);
    kin_free(board); /* the end of the family would do as well */
    return 0;
}
