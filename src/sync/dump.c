/* dump.c - who of the family holds what, and who waits for what.
 *
 * Everything may change while it is printed: each line is read at once and is right by itself, and
 * two lines may be of two moments. What lies in memory of the user's is not found by looking; it is
 * told of when somebody sleeps for it. Of a process that sleeps in several threads, one is told of.
 */
#include "room.h"
#include <kin/condition.h>

#include <stdio.h>

static void tell_mutex(const void *p, FILE *stream)
{
    const kin__mutex *mutex = p;
    kin__id holder = kin__mutex_holder(atomic_load(&mutex->word));
    kin__who who;
    if (holder == KIN__NOBODY) {
        (void)fputs(": free", stream);
    } else if (!kin__who_is(holder, &who)) {
        (void)fputs(": held by a process that died", stream);
    } else {
        (void)fprintf(stream, ": held by process %d (%s)%s", (int)who.pid, who.name,
                      kin__alive(holder) ? "" : ", which died");
    }
}

static void tell_rlock(const void *p, FILE *stream)
{
    tell_mutex(p, stream);
    if (kin_rlock_locked(p)) {
        (void)fprintf(stream, ", %u deep", kin__rlock_depth_of(p));
    }
}

typedef struct holding {
    const kin_semaphore *semaphore;
    FILE *stream;
} holding;

static void tell_holder(const kin__who *who, void *ctx)
{
    const holding *h = ctx;
    unsigned n = kin__semaphore_held_by(h->semaphore, who->id);
    if (n > 0) {
        (void)fprintf(h->stream, ", process %d (%s) has %u", (int)who->pid, who->name, n);
    }
}

static void tell_semaphore(const void *p, FILE *stream)
{
    holding h = { p, stream };
    (void)fprintf(stream, ": %d left", kin_semaphore_value(p));
    kin__each_member(tell_holder, &h);
}

static void tell_event(const void *p, FILE *stream)
{
    (void)fputs(kin_event_is_set(p) ? ": set" : ": not set", stream);
}

static void tell_barrier(const void *p, FILE *stream)
{
    (void)fprintf(stream, ": %d of %d wait%s", kin_barrier_n_waiting(p), kin_barrier_parties(p),
                  kin_barrier_broken(p) ? ", broken" : "");
}

static void tell_condition(const void *p, FILE *stream)
{
    const kin_rlock *own = kin__condition_own_lock(p);
    if (own != NULL) {
        tell_rlock(own, stream);
    }
}

/* ---- kinds -------------------------------------------------------------------------------- */

static struct kind {
    const char *name; /* NULL: not told of */
    void (*tell)(const void *p, FILE *stream);
    bool is_added; /* by a higher room: its things begin with no head */
} kinds[KIN__TYPE_COUNT] = {
    [KIN__LOCK] = { "lock", tell_mutex, false },
    [KIN__RLOCK] = { "rlock", tell_rlock, false },
    [KIN__SEMAPHORE] = { "semaphore", tell_semaphore, false },
    [KIN__EVENT] = { "event", tell_event, false },
    [KIN__CONDITION] = { "condition", tell_condition, false },
    [KIN__BARRIER] = { "barrier", tell_barrier, false },
};

void kin__dump_add(kin__type type, const char *name, void (*tell)(const void *p, FILE *stream))
{
    kinds[type] = (struct kind){ name, tell, true };
}

/* What lies there; NULL: nothing that is told of. */
static const struct kind *kind_of(const void *p)
{
    const kin__head *head = p;
    if ((uintptr_t)p % _Alignof(kin__head) != 0 || !kin__in_domain(p, sizeof *head)) {
        return NULL;
    }
    uint32_t kind = atomic_load_explicit(&head->kind, memory_order_acquire); /* pairs with begin */
    for (kin__type type = KIN__STABLE; type < KIN__TYPE_COUNT; type++) {
        const struct kind *k = &kinds[type];
        if (k->is_added ? kin__block_check(p, type, "kin_dump") == 0
                        : k->name != NULL && kind == KIN__HEAD_OF(type)) {
            return k;
        }
    }
    return NULL;
}

/* ---- lines -------------------------------------------------------------------------------- */

static void print_thing(void *p, void *ctx)
{
    FILE *stream = ctx;
    const struct kind *kind = kind_of(p);
    if (kind != NULL) {
        (void)fprintf(stream, "%s %p", kind->name, p);
        kind->tell(p, stream);
        (void)fputc('\n', stream);
    }
}

static void print_sleeper(const kin__who *who, void *ctx)
{
    FILE *stream = ctx;
    if (who->waits_for == NULL) {
        return;
    }
    const struct kind *kind = kind_of(who->waits_for);
    (void)fprintf(stream, "process %d (%s) waits for %s %p since %.3f s", (int)who->pid, who->name,
                  kind != NULL ? kind->name : "something", who->waits_for,
                  (double)(kin__os_now() - who->waits_since) / 1e9);
    if (kind != NULL) {
        kind->tell(who->waits_for, stream);
    }
    (void)fputc('\n', stream);
}

int kin_dump(FILE *stream)
{
    if (stream == NULL) {
        return kin__fail(KIN_EINVAL, "kin_dump: nowhere to print it (NULL)");
    }
    if (kin__self() == KIN__NOBODY) {
        return kin__failure();
    }
    for (kin__type type = KIN__STABLE; type < KIN__TYPE_COUNT; type++) {
        if (kinds[type].name != NULL) {
            kin__block_each(type, print_thing, stream);
        }
    }
    kin__each_member(print_sleeper, stream);
    return ferror(stream) ? kin__fail(KIN_EOS, "kin_dump: cannot write to the stream") : 0;
}
