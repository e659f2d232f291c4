/* dump.c - who of the family holds what, and who waits for what.
 *
 * Everything may change while it is printed: each line is read at once and is right by itself, and
 * two lines may be of two moments. What lies in memory of the user's is not found by looking; it is
 * told of when somebody sleeps for it. Of a process that sleeps in several threads, one is told of.
 */
#include "room.h"
#include <kin/condition.h>

#include <stdio.h>

#define LINE 200

static const struct kind {
    kin__type type;
    const char *name;
} kinds[] = {
    { KIN__LOCK, "lock" },   { KIN__RLOCK, "rlock" },         { KIN__SEMAPHORE, "semaphore" },
    { KIN__EVENT, "event" }, { KIN__CONDITION, "condition" }, { KIN__BARRIER, "barrier" },
};

#define KINDS (sizeof kinds / sizeof *kinds)

/* What lies there; NULL: nothing of ours. */
static const struct kind *kind_of(const void *p)
{
    const kin__head *head = p;
    if ((uintptr_t)p % _Alignof(kin__head) != 0 || !kin__in_domain(p, sizeof *head)) {
        return NULL;
    }
    uint32_t kind = atomic_load_explicit(&head->kind, memory_order_acquire); /* pairs with begin */
    for (size_t i = 0; i < KINDS; i++) {
        if (kind == KIN__HEAD_OF(kinds[i].type)) {
            return &kinds[i];
        }
    }
    return NULL;
}

static void tell_holder(const void *p, const struct kind *kind, char text[LINE])
{
    const kin__mutex *mutex = p;
    kin__id holder = kin__mutex_holder(atomic_load(&mutex->word));
    kin__who who;
    char depth[32] = "";
    if (kind->type == KIN__RLOCK) {
        (void)snprintf(depth, sizeof depth, ", %u deep", kin__rlock_depth_of(p));
    }
    if (holder == KIN__NOBODY) {
        (void)snprintf(text, LINE, "free");
    } else if (!kin__who_is(holder, &who)) {
        (void)snprintf(text, LINE, "held by a process that died");
    } else {
        (void)snprintf(text, LINE, "held by process %d (%s)%s%s", (int)who.pid, who.name, depth,
                       kin__alive(holder) ? "" : ", which died");
    }
}

static void tell_barrier(const void *p, char text[LINE])
{
    (void)snprintf(text, LINE, "%d of %d wait%s", kin_barrier_n_waiting(p), kin_barrier_parties(p),
                   kin_barrier_broken(p) ? ", broken" : "");
}

static void tell_state(const void *p, const struct kind *kind, char text[LINE])
{
    text[0] = '\0';
    if (kind->type == KIN__LOCK || kind->type == KIN__RLOCK) {
        tell_holder(p, kind, text);
    } else if (kind->type == KIN__SEMAPHORE) {
        (void)snprintf(text, LINE, "%d", kin_semaphore_value(p));
    } else if (kind->type == KIN__EVENT) {
        (void)snprintf(text, LINE, kin_event_is_set(p) ? "set" : "not set");
    } else if (kind->type == KIN__BARRIER) {
        tell_barrier(p, text);
    }
}

/* ---- lines -------------------------------------------------------------------------------- */

static void print_thing(void *p, void *ctx)
{
    FILE *stream = ctx;
    char text[LINE];
    const struct kind *kind = kind_of(p);
    if (kind != NULL) {
        tell_state(p, kind, text);
        (void)fprintf(stream, "%s %p%s%s\n", kind->name, p, text[0] != '\0' ? ": " : "", text);
    }
}

static void print_sleeper(const kin__who *who, void *ctx)
{
    FILE *stream = ctx;
    char text[LINE] = "";
    if (who->waits_for == NULL) {
        return;
    }
    const struct kind *kind = kind_of(who->waits_for);
    if (kind != NULL) {
        tell_state(who->waits_for, kind, text);
    }
    (void)fprintf(stream, "process %d (%s) waits for %s %p since %.3f s%s%s\n", (int)who->pid,
                  who->name, kind != NULL ? kind->name : "something", who->waits_for,
                  (double)(kin__os_now() - who->waits_since) / 1e9, text[0] != '\0' ? ": " : "",
                  text);
}

int kin_dump(FILE *stream)
{
    if (stream == NULL) {
        return kin__fail(KIN_EINVAL, "kin_dump: nowhere to print it (NULL)");
    }
    if (kin__self() == KIN__NOBODY) {
        return kin__failure();
    }
    for (size_t i = 0; i < KINDS; i++) {
        kin__block_each(kinds[i].type, print_thing, stream);
    }
    kin__each_member(print_sleeper, stream);
    return ferror(stream) ? kin__fail(KIN_EOS, "kin_dump: cannot write to the stream") : 0;
}
