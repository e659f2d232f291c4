/* Watches that cannot be made, whose things go, that are forked, that are freed. */
#include "domain/room.h"
#include "unit/conn/ends.h"
#include "unit/conn/loops.h"

static kin_event *new_event(void)
{
    kin_event *event = NULL;
    CHECK_OK(kin_event_new(&event, NULL));
    return event;
}

/* ---- what cannot be watched ----------------------------------------------------------------- */

TEST(arguments_that_make_no_sense_are_refused)
{
    kin_watch *watch = (kin_watch *)&watch;
    kin_waitable thing = kin_fd_waitable(STDIN_FILENO);
    CHECK_ERROR(kin_watch_new(NULL, &thing, 1), KIN_EINVAL);
    CHECK_ERROR(kin_watch_new(&watch, NULL, 1), KIN_EINVAL);
    CHECK_ERROR(kin_watch_new(&watch, &thing, 0), KIN_EINVAL);
    CHECK_ERROR(kin_watch_new(&watch, &thing, SIZE_MAX), KIN_EINVAL);
    CHECK_PTR(watch, &watch);
    CHECK_ERROR(kin_watch_fileno(NULL), KIN_EINVAL);
    CHECK_ERROR(kin_watch_look(NULL, NULL), KIN_EINVAL);
    kin_watch_free(NULL);
}

static void check_refused(kin_waitable thing, int code, const char *text)
{
    kin_event *event = new_event();
    uint64_t blocks = blocks_in_use();
    kin_waitable things[2] = { kin_event_waitable(event), thing };
    kin_watch *watch = NULL;
    CHECK_ERROR(kin_watch_new(&watch, things, 2), code);
    CHECK_CONTAINS(kin_errmsg(), "kin_watch_new: thing 1");
    CHECK_CONTAINS(kin_errmsg(), text);
    CHECK_NULL(watch);
    CHECK_EQ(blocks_in_use(), blocks);
    kin_event_free(event);
}

TEST(a_thing_that_cannot_be_watched_is_named)
{
    check_refused((kin_waitable){ .fd = 0 }, KIN_EINVAL, "is none");
    check_refused(kin_fd_waitable(-1), KIN_EINVAL, "-1 is no descriptor");
    check_refused(kin_fd_waitable(999), KIN_EINVAL, "descriptor 999 is not open");
    check_refused(kin_event_waitable(NULL), KIN_EINVAL, "the event is NULL");
    kin_event *freed = new_event();
    kin_waitable thing = kin_event_waitable(freed);
    kin_event_free(freed);
    check_refused(thing, KIN_EFREED, "the event was freed");
    ends e = over_a_pipe();
    check_refused(kin_conn_waitable(e.other), KIN_ESTATE, "the connection only sends");
    end_both(&e);
}

/* ---- things that go ------------------------------------------------------------------------- */

static void check_gone(kin_watch *watch, kin_waitable *things, int code, const char *text)
{
    for (int i = 0; i < 2; i++) { /* and it stays so */
        await(watch);
        things[0].ready = true;
        CHECK_ERROR(kin_watch_look(watch, things), code);
        CHECK_CONTAINS(kin_errmsg(), "kin_watch_look: thing 1");
        CHECK_CONTAINS(kin_errmsg(), text);
        CHECK(!things[0].ready);
    }
    kin_watch_free(watch);
}

TEST(a_watch_tells_that_a_queue_or_an_event_was_freed)
{
    kin_event *event = new_event();
    kin_queue *queue = NULL;
    CHECK_OK(kin_queue_new(&queue, NULL));
    kin_waitable things[2] = { kin_event_waitable(event), kin_queue_waitable(queue) };
    kin_watch *watch = new_watch(things, 2);
    come_to_rest(watch);
    kin_queue_free(queue);
    check_gone(watch, things, KIN_ECLOSED, "the queue was freed meanwhile");
    kin_event *other = new_event();
    things[1] = kin_event_waitable(other);
    watch = new_watch(things, 2);
    come_to_rest(watch);
    kin_event_free(other);
    CHECK_PTR(new_event(), other); /* not the one of before */
    check_gone(watch, things, KIN_ECLOSED, "the event was freed meanwhile");
    kin_event_free(event);
    kin_event_free(other);
}

/* Nobody tells of that: it was closed here, and a look says it. */
TEST(a_look_tells_that_a_connection_or_a_descriptor_was_closed)
{
    kin_event *event = new_event();
    ends e = relatives();
    kin_waitable things[2] = { kin_event_waitable(event), kin_conn_waitable(e.one) };
    kin_watch *watch = new_watch(things, 2);
    come_to_rest(watch);
    CHECK_OK(kin_conn_close(e.one));
    CHECK_ERROR(kin_watch_look(watch, NULL), KIN_ECLOSED);
    check_gone(watch, things, KIN_ECLOSED, "closed");
    end_both(&e);
    int fds[2];
    CHECK_EQ(pipe(fds), 0);
    things[1] = kin_fd_waitable(fds[0]);
    watch = new_watch(things, 2);
    come_to_rest(watch);
    close(fds[0]);
    CHECK_ERROR(kin_watch_look(watch, NULL), KIN_EINVAL);
    check_gone(watch, things, KIN_EINVAL, "is not open");
    close(fds[1]);
    kin_event_free(event);
}

/* ---- fork, and the end ---------------------------------------------------------------------- */

struct scene {
    kin_event *event;
    kin_watch *watch;
};

static int use_the_copy(void *ctx)
{
    struct scene *s = ctx;
    CHECK_ERROR(kin_watch_fileno(s->watch), KIN_ESTATE);
    CHECK_CONTAINS(kin_errmsg(), "make another one here");
    CHECK_ERROR(kin_watch_look(s->watch, NULL), KIN_ESTATE);
    kin_watch_free(s->watch);
    kin_waitable thing = kin_event_waitable(s->event);
    s->watch = new_watch(&thing, 1);
    come_to_rest(s->watch);
    kin_watch_free(s->watch);
    return 0;
}

TEST(a_forked_copy_is_refused_and_its_end_leaves_the_parents_as_it_is)
{
    struct scene s = { .event = new_event() };
    kin_waitable thing = kin_event_waitable(s.event);
    s.watch = new_watch(&thing, 1);
    come_to_rest(s.watch);
    CHECK_EQ(test_join(test_child(use_the_copy, &s)), 0);
    CHECK(!polls_within(s.watch, 0));
    CHECK_OK(kin_event_set(s.event));
    check_told(s.watch, 1);
    CHECK_OK(kin_event_clear(s.event));
    come_to_rest(s.watch);
    kin_watch_free(s.watch);
    kin_event_free(s.event);
}

TEST(a_freed_watch_leaves_nothing)
{
    kin_event *event = new_event();
    kin_waitable things[2] = { kin_event_waitable(event), kin_event_waitable(event) };
    uint64_t blocks = blocks_in_use();
    for (int i = 0; i < 3 * KIN__BELLS; i++) {
        kin_auto(kin_watch) watch = new_watch(things, 2);
        if (i % 2 == 0) {
            CHECK_EQ(kin_watch_look(watch, NULL), 0);
        }
    }
    CHECK_EQ(blocks_in_use(), blocks);
    CHECK_OK(kin_event_set(event)); /* and rings for nobody */
    kin_event_free(event);
}

static int leave_it(void *ctx)
{
    kin_waitable thing = kin_event_waitable(ctx);
    (void)new_watch(&thing, 1);
    return 0;
}

TEST(who_leaves_without_freeing_his_watch_leaves_nothing)
{
    kin_event *event = new_event();
    uint64_t blocks = blocks_in_use();
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(test_join(test_child(leave_it, event)), 0);
    }
    CHECK_EQ(kin__count_alive(), 1);
    CHECK_EQ(blocks_in_use(), blocks);
    kin_event_free(event);
}
