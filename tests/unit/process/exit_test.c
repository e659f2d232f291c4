#include "domain/room.h"
#include "exit_scene.h"
#include <kin/sync.h>

#include <unistd.h>

/* ---- order ------------------------------------------------------------------------------ */

static void register_many(void)
{
    CHECK_OK(kin_at_exit(note, number(1)));
    CHECK_OK(kin_at_exit_priority(note, number(2), 0));
    CHECK_OK(kin_at_exit_priority(note, number(3), 5));
    CHECK_OK(kin_at_exit_priority(note, number(4), -1));
    CHECK_OK(kin_at_exit(note, number(5)));
    CHECK_OK(kin_at_exit_priority(note, number(6), 5));
    CHECK_OK(kin_at_exit_priority(note, number(7), INT32_MIN));
    CHECK_OK(kin_at_exit_priority(note, number(8), INT32_MAX));
    CHECK_OK(kin_at_exit_priority(note, number(9), -1));
}

TEST(the_highest_priority_is_first_and_of_one_the_latest)
{
    begin();
    for (enum way way = 0; way < WAYS; way++) {
        CHECK_EQ(end(way, register_many), 7);
        CHECK_NOTES(8, 6, 3, 5, 2, 1, 9, 4, 7);
    }
}

static kin_event *go;

static kin_obj wait_and_note(kin_obj args)
{
    KIN_TRY(kin_event_wait(go, KIN_FOREVER));
    return note(args);
}

static kin_obj let_go(kin_obj args)
{
    (void)note(args);
    KIN_TRY(kin_event_set(go));
    return kin_none();
}

static kin_obj start_a_child(kin_obj args)
{
    kin_process *child = NULL;
    KIN_TRY(kin_start(&child, wait_and_note, kin_args(kin_arg(args, 0)), NULL));
    kin_process_free(child);
    return kin_none();
}

static void have_a_child(void)
{
    CHECK_OK(kin_at_exit(let_go, number(1)));
    CHECK_OK(kin_at_exit_priority(note, number(3), -1));
    CHECK_OK(kin_call(start_a_child, number(2), NULL));
}

TEST(children_end_between_those_from_zero_up_and_those_below)
{
    begin();
    for (enum way way = 0; way < WAYS; way++) {
        CHECK_OK(kin_event_new(&go, NULL));
        CHECK_EQ(end(way, have_a_child), 7);
        CHECK_NOTES(1, 2, 3);
        kin_event_free(go);
    }
}

static _Atomic kin__id *daemon_id;

static kin_obj be_a_daemon(kin_obj args)
{
    (void)args;
    *daemon_id = kin__self();
    pause();
    return kin_none();
}

static kin_obj note_whether_the_daemon_lives(kin_obj args)
{
    (void)args;
    notes->list[notes->count++] = kin__alive(*daemon_id);
    return kin_none();
}

static void have_a_daemon(void)
{
    kin_process *child = NULL;
    CHECK_OK(kin_start(&child, be_a_daemon, kin_args(), &(kin_process_options){ .daemon = true }));
    WAIT_UNTIL(*daemon_id);
    CHECK_OK(kin_at_exit(note_whether_the_daemon_lives, kin_args()));
    CHECK_OK(kin_at_exit_priority(note_whether_the_daemon_lives, kin_args(), -1));
}

TEST(daemons_live_until_those_below_zero)
{
    begin();
    daemon_id = test_shared(sizeof *daemon_id);
    CHECK_EQ(end(MAIN_ENDS, have_a_daemon), 7);
    CHECK_NOTES(1, 0);
}

/* ---- what they may do ------------------------------------------------------------------- */

static kin_obj register_three(kin_obj args)
{
    int n = (int)kin_arg_int(args, 0);
    (void)note(args);
    CHECK_OK(kin_at_exit(note, number(n + 1)));
    CHECK_OK(kin_at_exit_priority(note, number(n + 2), 9));
    CHECK_OK(kin_at_exit_priority(note, number(n + 3), -9));
    return kin_none();
}

static void register_registrars(void)
{
    CHECK_OK(kin_at_exit_priority(register_three, number(10), 1));
    CHECK_OK(kin_at_exit_priority(register_three, number(20), -1));
    CHECK_OK(kin_at_exit_priority(note, number(1), -2));
}

TEST(what_is_registered_at_the_end_is_called_too)
{
    begin();
    for (enum way way = 0; way < WAYS; way++) {
        CHECK_EQ(end(way, register_registrars), 7);
        CHECK_NOTES(10, 12, 11, 20, 22, 21, 1, 23, 13);
    }
}

static void start_at_the_end(void)
{
    CHECK_OK(kin_event_set(go));
    CHECK_OK(kin_at_exit_priority(start_a_child, number(1), 0));
    CHECK_OK(kin_at_exit_priority(start_a_child, number(2), -1));
    CHECK_OK(kin_at_exit_priority(note, number(3), -2));
}

TEST(children_that_are_started_at_the_end_are_waited_for)
{
    begin();
    CHECK_OK(kin_event_new(&go, NULL));
    for (enum way way = 0; way < WAYS; way++) {
        CHECK_EQ(end(way, start_at_the_end), 7);
        CHECK_NOTES(1, 2, 3);
    }
    kin_event_free(go);
}

static int ids[3];

static kin_obj cancel_all(kin_obj args)
{
    (void)note(args);
    CHECK_OK(kin_at_exit_cancel(ids[0]));
    CHECK_ERROR(kin_at_exit_cancel(ids[1]), KIN_ENOTFOUND); /* this one: it is being called */
    CHECK_ERROR(kin_at_exit_cancel(ids[2]), KIN_ENOTFOUND); /* it was called */
    return kin_none();
}

static void register_a_canceller(void)
{
    ids[0] = kin_at_exit_priority(note, number(1), -1);
    ids[1] = kin_at_exit(cancel_all, number(2));
    ids[2] = kin_at_exit(note, number(3));
    CHECK_OK(kin_at_exit_priority(note, number(4), -2));
}

TEST(one_may_cancel_another_at_the_end)
{
    begin();
    CHECK_EQ(end(MAIN_ENDS, register_a_canceller), 7);
    CHECK_NOTES(3, 2, 4);
}

static kin_obj note_and_exit(kin_obj args)
{
    (void)note(args);
    exit((int)kin_arg_int(args, 0));
}

static void register_exits(void)
{
    CHECK_OK(kin_at_exit_priority(note, number(1), -1));
    CHECK_OK(kin_at_exit_priority(note_and_exit, number(2), -1));
    CHECK_OK(kin_at_exit(note, number(3)));
    CHECK_OK(kin_at_exit(note_and_exit, number(4)));
    CHECK_OK(kin_at_exit(note_and_exit, number(5)));
    CHECK_OK(kin_at_exit(note, number(6)));
}

TEST(exit_at_the_end_keeps_nothing_from_being_called_once)
{
    begin();
    for (enum way way = 0; way < WAYS; way++) {
        CHECK_EQ(end(way, register_exits), 2);
        CHECK_NOTES(6, 5, 4, 3, 2, 1);
    }
}

static void register_late(void)
{
    CHECK_OK(kin_at_exit(note, number(2)));
}

static void call_register_late_after_kin(void)
{
    CHECK_EQ(atexit(register_late), 0); /* before kin's handler, so it runs after it */
    CHECK_OK(kin_at_exit(note, number(1)));
}

TEST(what_an_exit_handler_registers_after_all_is_called)
{
    begin();
    CHECK_EQ(end(MAIN_ENDS, call_register_late_after_kin), 7);
    CHECK_NOTES(1, 2);
}

/* ---- cancelling, and mistakes ------------------------------------------------------------- */

static uint64_t count_blocks(void)
{
    kin_usage_info usage;
    CHECK_OK(kin_usage(&usage));
    return usage.blocks;
}

static kin_obj dear_args(void)
{
    return kin_args(kin_buffer(kin_alloc(100), 100));
}

TEST(what_is_cancelled_is_released_and_not_called)
{
    begin();
    uint64_t before = count_blocks();
    int first = kin_at_exit(note, dear_args());
    int second = kin_at_exit(note, dear_args());
    CHECK_GT(first, 0);
    CHECK_GT(second, 0);
    CHECK_NE(first, second);
    CHECK_OK(kin_at_exit_cancel(first));
    CHECK_ERROR(kin_at_exit_cancel(first), KIN_ENOTFOUND);
    CHECK_CONTAINS(kin_errmsg(), "kin_at_exit_cancel");
    CHECK_EQ(count_blocks(), before + 1);
    CHECK_OK(kin_at_exit_cancel(second));
    CHECK_EQ(count_blocks(), before);
    CHECK_ERROR(kin_at_exit_cancel(0), KIN_ENOTFOUND);
    CHECK_ERROR(kin_at_exit_cancel(-1), KIN_ENOTFOUND);
    kin__process_finish();
    CHECK_EQ(notes->count, 0);
}

TEST(mistakes_are_told_and_the_arguments_taken)
{
    begin();
    uint64_t before = count_blocks();
    CHECK_ERROR(kin_at_exit(NULL, dear_args()), KIN_EINVAL);
    CHECK_ERROR(kin_at_exit(note, kin_list(dear_args())), KIN_ETYPE);
    CHECK_ERROR(kin_at_exit(note, kin_none()), KIN_ETYPE);
    CHECK_ERROR(kin_at_exit_priority(note, kin_str(NULL), 3), KIN_EINVAL);
    CHECK_CONTAINS(kin_errmsg(), "kin_str: ");
    CHECK_EQ(count_blocks(), before);
    kin__process_finish();
    CHECK_EQ(notes->count, 0);
}

TEST(borrowed_arguments_are_kept)
{
    begin();
    kin_obj list = kin_list(number(1), number(2));
    CHECK_OK(kin_at_exit(note, kin_at(list, 0)));
    CHECK_OK(kin_at_exit(note, kin_at(list, 1)));
    kin_release(list);
    kin__process_finish();
    CHECK_NOTES(2, 1);
}

static int register_and_cancel(void *ctx)
{
    (void)ctx;
    int id = kin_at_exit(note, kin_args(kin_list(kin_int(1))));
    return id < 0 ? id : kin_at_exit_cancel(id);
}

TEST(without_memory_nothing_is_registered)
{
    begin();
    CHECK_GE(fault_loop(KIN__FAULT_MEMORY, NULL, .attempt = register_and_cancel), 3);
    kin__process_finish();
    CHECK_EQ(notes->count, 0);
}

/* ---- failures --------------------------------------------------------------------------- */

static char *line;

static void keep_line(int level, const char *text, void *ctx)
{
    (void)ctx;
    CHECK_EQ(level, KIN_LOG_ERROR);
    snprintf(line, 200, "%s", text);
}

static kin_obj find_no_disk(kin_obj args)
{
    (void)note(args);
    return kin_error(KIN_EUSER - 4, "no disk in %s", "sda");
}

static void register_failures(void)
{
    kin_log_set_handler(keep_line, NULL);
    CHECK_OK(kin_at_exit(note, number(1)));
    CHECK_OK(kin_at_exit(find_no_disk, number(2)));
}

TEST(an_error_goes_to_the_log_and_the_rest_goes_on)
{
    begin();
    line = test_shared(200);
    CHECK_EQ(end(MAIN_ENDS, register_failures), 7);
    CHECK_NOTES(2, 1);
    CHECK_CONTAINS(line, "MainProcess: a function of kin_at_exit failed: no disk in sda "
                         "(KIN_EUSER-4)");
    CHECK_EQ(end(CHILD_RETURNS, register_failures), 7);
    CHECK_NOTES(2, 1);
    CHECK_CONTAINS(line, "Process-1: ");
}
