/* Threads for calls that wait. */
#include "harness.h"
#include "manager/server.h"

struct box {
    kin__job job;
    _Atomic int *done;
    kin_event *gate;
};

static void pass(kin__job *job)
{
    struct box *box = (struct box *)(void *)job;
    kin_event_wait(box->gate, KIN_FOREVER);
    ++*box->done;
}

TEST(no_job_waits_for_another)
{
    kin__crew crew;
    kin_event *gate = NULL;
    _Atomic int done = 0;
    struct box boxes[30];
    CHECK_OK(kin_event_new(&gate, NULL));
    CHECK_OK(kin__crew_begin(&crew));
    for (int round = 0; round < 3; round++) {
        kin_event *shut = NULL;
        CHECK_OK(kin_event_new(&shut, NULL));
        CHECK_OK(kin_event_set(gate));
        done = 0;
        for (int i = 0; i < 30; i++) { /* every other one waits until the rest are done */
            boxes[i] = (struct box){ .done = &done, .gate = i % 2 == 0 ? shut : gate };
            boxes[i].job.run = pass;
            CHECK_OK(kin__crew_do(&crew, &boxes[i].job));
        }
        WAIT_UNTIL(done == 15);
        CHECK_OK(kin_event_set(shut));
        WAIT_UNTIL(done == 30);
        kin_event_free(shut);
    }
    kin__crew_end(&crew);
    kin_event_free(gate);
}

TEST(what_was_begun_is_done_before_the_end)
{
    kin__crew crew;
    kin_event *gate = NULL;
    _Atomic int done = 0;
    struct box boxes[10];
    CHECK_OK(kin_event_new(&gate, NULL));
    CHECK_OK(kin_event_set(gate));
    CHECK_OK(kin__crew_begin(&crew));
    for (int i = 0; i < 10; i++) {
        boxes[i] = (struct box){ .done = &done, .gate = gate };
        boxes[i].job.run = pass;
        CHECK_OK(kin__crew_do(&crew, &boxes[i].job));
    }
    kin__crew_end(&crew);
    CHECK_EQ(done, 10);
    kin_event_free(gate);
}
