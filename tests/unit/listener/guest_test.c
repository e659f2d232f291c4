/* What a listener does with those who have yet to show that they know the key, seen from inside. */
#include "unit/listener/peers.h"

#include "listener/guest.h"

#define SECRET "secret key"

static bool readable(int fd)
{
    bool ready;
    return kin__os_poll(&fd, &ready, 1, 0) == 1;
}

static void wait_for(int fd)
{
    bool ready;
    CHECK_EQ(kin__os_poll(&fd, &ready, 1, KIN__NEVER), 1);
}

/* Does what there is to be done now. */
static void work(kin_listener *l)
{
    CHECK_EQ(kin__guests_work(l), 0);
    kin__guests_mind_alarm(l);
}

/* One who connects, and goes on only when he is told to. */
struct puppet {
    int fd;
    kin__auth auth;
};

/* He has been asked, and says nothing yet. */
static struct puppet puppet(kin_listener *l)
{
    struct puppet p = { .fd = raw_client(kin_listener_address(l)) };
    kin__bytes key = { SECRET, strlen(SECRET) };
    CHECK_EQ(kin__auth_begin(&p.auth, false, key, false), 0);
    work(l);
    CHECK_NOT_NULL(l->first);
    return p;
}

/* He answers, and nobody hears it yet. */
static void answer(const kin_listener *l, struct puppet *p)
{
    CHECK_EQ(kin__auth_drive(&p->auth, p->fd), KIN__AUTH_RECEIVE);
    CHECK(readable(l->first->fd));
}

/* They go on until he is known. */
static void finish(kin_listener *l, struct puppet *p)
{
    while (l->known == NULL) {
        work(l);
        (void)kin__auth_drive(&p->auth, p->fd);
    }
    CHECK(l->known->right);
    CHECK_EQ(kin__auth_drive(&p->auth, p->fd), KIN__AUTH_DONE);
}

static void end(kin_listener *l, struct puppet *p)
{
    close(p->fd);
    kin_listener_free(l);
    leave_place();
}

/* The alarm rings first, and then there is an answer: before us it was the other way round. */
static void check_is_heard(unsigned silent)
{
    int fds[2];
    enter_place();
    kin_listener *l = listener_at(in_place("s"), KIN_OPT(kin_listener_options, KEY));
    struct puppet p = puppet(l);
    for (unsigned i = 0; i < silent; i++) {
        fds[i] = raw_client(in_place("s"));
        work(l);
    }
    kin__guest *g = l->first;
    g->deadline = 1; /* long ago */
    kin__guests_ring(l);
    answer(l, &p);
    work(l);
    CHECK_NULL(l->known);
    CHECK_PTR(l->last, g);
    CHECK_GT(g->deadline, kin__os_now()); /* he has time for his next frame */
    finish(l, &p);
    for (unsigned i = 0; i < silent; i++) {
        close(fds[i]);
    }
    end(l, &p);
}

TEST(who_waited_for_us_does_not_pay_for_it)
{
    check_is_heard(0);
    check_is_heard(2);
}

TEST(who_said_a_part_in_time_said_nothing)
{
    enter_place();
    kin_listener *l = listener_at(in_place("s"), KIN_OPT(kin_listener_options, KEY));
    int fd = raw_client(in_place("s"));
    work(l);
    int64_t deadline = l->first->deadline;
    CHECK_EQ(write(fd, "\0\0\0", 3), 3);
    work(l);
    CHECK_EQ(l->first->auth.have, 3);
    CHECK_EQ(l->first->deadline, deadline);
    l->first->deadline = 1;
    kin__guests_ring(l);
    work(l);
    CHECK_NULL(l->first);
    CHECK_NOT_NULL(l->known);
    CHECK(!l->known->right);
    close(fd);
    kin_listener_free(l);
    leave_place();
}

TEST(the_watch_is_readable_as_long_as_somebody_is_known)
{
    enter_place();
    kin_listener *l = listener_at(in_place("s"), KIN_OPT(kin_listener_options, KEY));
    CHECK(!readable(l->watch));
    struct puppet p = puppet(l);
    finish(l, &p);
    kin__guests_mind_alarm(l);
    for (int i = 0; i < 3; i++) { /* whoever looks, and does not take him */
        CHECK(readable(l->watch));
        CHECK(kin__listener_has_ready(l));
    }
    kin_conn_free(accepted(l));
    CHECK(!kin__listener_has_ready(l)); /* the alarm is off again */
    CHECK(!readable(l->watch));
    end(l, &p);
}

TEST(who_was_accepted_is_no_guest_any_more)
{
    kin_conn *conn = NULL;
    enter_place();
    kin_listener *l = listener_at(in_place("s"), KIN_OPT(kin_listener_options, KEY));
    struct puppet p = puppet(l);
    finish(l, &p);
    conn = accepted(l);
    CHECK(!kin__listener_has_ready(l));
    CHECK_EQ(write(p.fd, "\0\0\0\1x", 5), 5);
    CHECK(!readable(l->watch));
    CHECK_ERROR(kin_listener_accept(l, &(kin_conn *){ NULL }, 0), KIN_ETIMEDOUT);
    kin_conn_free(conn);
    end(l, &p);
}

struct family {
    kin_listener *l;
    _Atomic int *phase;
};

/* Has a guest, who says something that it does not hear. */
static int have_a_guest(void *ctx)
{
    const struct family *f = ctx;
    CHECK(!kin__listener_has_ready(f->l));
    int fd = raw_client(kin_listener_address(f->l));
    CHECK(!kin__listener_has_ready(f->l));
    CHECK_EQ(f->l->guests, 1);
    CHECK_EQ(write(fd, "\0\0", 2), 2);
    *f->phase = 1;
    WAIT_UNTIL(*f->phase == 2);
    kin_listener_free(f->l);
    return 0;
}

TEST(a_forked_childs_guests_are_its_own)
{
    enter_place();
    struct family f = { .l = listener_at(in_place("s"), KIN_OPT(kin_listener_options, KEY)),
                        .phase = test_shared(sizeof *f.phase) };
    pid_t pid = test_child(have_a_guest, &f);
    WAIT_UNTIL(*f.phase == 1);
    CHECK(!readable(f.l->watch));
    CHECK(!kin__listener_has_ready(f.l));
    CHECK_EQ(f.l->guests, 0);
    *f.phase = 2;
    CHECK_EQ(test_join(pid), 0);
    kin_listener_free(f.l);
    leave_place();
}

TEST(the_alarm_is_set_for_the_one_whose_time_is_over_soonest)
{
    int fds[3];
    enter_place();
    kin_listener *l = listener_at(in_place("s"), KIN_OPT(kin_listener_options, KEY));
    CHECK_EQ(l->alarm_at, KIN__NEVER);
    for (int i = 0; i < 3; i++) {
        fds[i] = raw_client(in_place("s"));
        work(l);
    }
    CHECK_EQ(l->guests, 3);
    CHECK_EQ(l->alarm_at, l->first->deadline);
    CHECK_LE(l->first->deadline, l->first->next->deadline);
    CHECK_LE(l->first->next->deadline, l->last->deadline);
    close(fds[1]); /* one from the middle */
    wait_for(l->watch);
    work(l);
    CHECK_EQ(l->guests, 2);
    CHECK_PTR(l->first->next, l->last);
    CHECK_PTR(l->last->previous, l->first);
    CHECK_NULL(l->last->next);
    kin__guests_drop_known(l);
    close(fds[0]);
    close(fds[2]);
    kin_listener_free(l); /* with two at work */
    leave_place();
}

TEST(without_an_end_of_patience_there_is_no_alarm)
{
    enter_place();
    kin_listener *l =
        listener_at(in_place("s"), KIN_OPT(kin_listener_options, KEY, .auth_timeout = KIN_FOREVER));
    int fd = raw_client(in_place("s"));
    work(l);
    CHECK_EQ(l->guests, 1);
    CHECK_EQ(l->alarm_at, KIN__NEVER);
    close(fd);
    kin_listener_free(l);
    leave_place();
}

TEST(when_memory_is_out_who_connects_has_to_wait)
{
    kin_conn *conn = NULL;
    enter_place();
    kin_listener *l = listener_at(in_place("s"), NULL);
    int fd = raw_client(in_place("s"));
    for (unsigned n = 1; n <= 2; n++) { /* for the guest, and for the connection */
        kin__fault_arm(KIN__FAULT_MEMORY, n);
        CHECK_ERROR(kin_listener_accept(l, &conn, KIN_FOREVER), KIN_ENOMEM);
        CHECK(kin__fault_fired());
    }
    kin__fault_arm(KIN__FAULT_MEMORY, 0);
    CHECK_OK(kin_listener_accept(l, &conn, 0));
    kin_conn_free(conn);
    close(fd);
    kin_listener_free(l);
    leave_place();
}
