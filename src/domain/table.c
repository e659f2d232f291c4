/* table.c - the process table: who belongs to the family, and who of them is alive.
 *
 * Idea. Each process has a slot. A slot's index and generation together are the process's identity
 * (kin__id), which it writes into everything it claims. Whether it lives is asked in two steps:
 * its `life`, a robust mutex that it locks when it joins and never unlocks, is a hint that costs
 * some nanoseconds; the proof, for which the kernel is asked, costs some microseconds.
 *
 *    FREE --claim--> JOINING --life locked--> LIVE --proof--> DEAD --swept--> FREE, generation + 1
 *
 * Rules.
 *   R1  A slot is claimed by one CAS that writes pid and generation.
 *   R2  life held: its process lives, or somebody sweeps, and then the slot says DEAD.
 *   R3  life to be had: whoever gets it asks for proof. A live process whose thread that had locked
 *       life has ended is asked for proof each time from then on; that is slow and right.
 *   R4  With proof, and life in hand, he writes DEAD and sweeps; only then the slot is free for
 *       another. So nobody who asks is told "alive" because somebody sweeps.
 *   R5  This process's own identity lies on a page that the kernel wipes in a forked child, so that
 *       nobody can act under his parent's name.
 *
 *   R6  A guest is a client of this process, who acts in its memory (guise.c): a slot with the pid
 *       and the start of its host, so that he dies with him, or when the host says so. He owns no
 *       blocks,
 *       so there is nothing to sweep. Nobody holds his life (a thread would hold hundreds): others
 *       ask for proof each time, as in R3, and his host knows.
 *
 * Death. The kernel hands life on when its holder dies: also when that was a sweeper in the middle,
 * and every step of a sweep may be done twice. A process that dies while JOINING has claimed
 * nothing yet; its slot is found again when slots run out.
 *
 * Not here. What a sweep gives back (sweep.c); names (who.c); who acts as a guest (guise.c).
 */
#include "map.h"

#include <errno.h>

static slot *slot_at(uint32_t index)
{
    return &base()->slots[index];
}

static bool is_taken(uint64_t state)
{
    return SLOT_PHASE(state) == SLOT_LIVE || SLOT_PHASE(state) == SLOT_DEAD;
}

/* ---- joining --------------------------------------------------------------------------------- */

static void make_life(slot *s)
{
    if (atomic_load(&s->life_is_made)) {
        return;
    }
    pthread_mutexattr_t how;
    pthread_mutexattr_init(&how);
    pthread_mutexattr_setpshared(&how, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&how, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&s->life, &how);
    pthread_mutexattr_destroy(&how);
    atomic_store(&s->life_is_made, 1);
}

/* Whoever had swept the slot last may not have let go of its life yet, and may even be stopped. */
static bool take_life(slot *s)
{
    int rv = pthread_mutex_trylock(&s->life);
    if (rv == EOWNERDEAD) {
        pthread_mutex_consistent(&s->life);
    }
    return rv == 0 || rv == EOWNERDEAD;
}

static void note_top_slot(uint32_t index)
{
    uint32_t top = atomic_load(&base()->top_slot);
    while (index > top && !atomic_compare_exchange_weak(&base()->top_slot, &top, index)) {
    }
}

/* Claims a free slot, and its life. */
static uint32_t claim_slot(pid_t pid, uint32_t *ret_generation)
{
    for (uint32_t i = 1; i < SLOTS; i++) {
        uint64_t state = atomic_load_explicit(&slot_at(i)->state, memory_order_relaxed);
        uint32_t generation = SLOT_GENERATION(state);
        if (SLOT_PHASE(state) == SLOT_FREE &&
            atomic_compare_exchange_strong(&slot_at(i)->state, &state,
                                           SLOT_STATE(pid, generation, SLOT_JOINING))) {
            KIN__STEP("table.claimed");
            make_life(slot_at(i));
            if (take_life(slot_at(i))) {
                note_top_slot(i);
                *ret_generation = generation;
                return i;
            }
            atomic_store(&slot_at(i)->state, SLOT_STATE(0, generation, SLOT_FREE));
        }
    }
    return 0;
}

/* The pid stays, for whoever asks who it was (who.c). */
static void free_slot(slot *s, pid_t pid, uint32_t generation)
{
    atomic_store(&s->state, SLOT_STATE(pid, generation + 1, SLOT_FREE));
}

/* Gives the slot back if its process has died, also while it joined. */
static bool recover_slot(uint32_t index)
{
    uint64_t state = atomic_load(&slot_at(index)->state);
    uint64_t unused;
    if (is_taken(state)) {
        (void)kin__alive(ID_OF(index, SLOT_GENERATION(state)));
    } else if (SLOT_PHASE(state) == SLOT_JOINING &&
               kin__os_start_time(SLOT_PID(state), &unused) == -ESRCH) {
        atomic_compare_exchange_strong(&slot_at(index)->state, &state,
                                       SLOT_STATE(0, SLOT_GENERATION(state) + 1, SLOT_FREE));
    }
    return SLOT_PHASE(atomic_load(&slot_at(index)->state)) == SLOT_FREE;
}

/* When all slots are taken. One is enough: a sweep goes through the whole domain. */
static bool recover_any_slot(void)
{
    for (uint32_t i = 1; i < SLOTS; i++) {
        if (recover_slot(i)) {
            return true;
        }
    }
    return false;
}

/* Nobody may ever have asked after a process that died. So whoever joins asks after two: that
 * keeps up with the dying, who have joined as well. */
static void look_after_others(void)
{
    for (int i = 0; i < 2; i++) {
        uint32_t top = atomic_load(&base()->top_slot);
        (void)recover_slot(atomic_fetch_add(&base()->look, 1) % top + 1);
    }
}

/* Somebody of this process takes a slot. Without a name: the process itself. */
static int take_slot(const char *guest, kin__id *ret_id)
{
    pid_t pid = kin__os_getpid();
    uint64_t start;
    int rv = kin__os_start_time(pid, &start);
    if (rv < 0) {
        return kin__fail_os(rv, "cannot read when this process started");
    }
    uint32_t generation;
    uint32_t index = claim_slot(pid, &generation);
    while (index == 0 && recover_any_slot()) {
        index = claim_slot(pid, &generation);
    }
    if (index == 0) {
        return kin__fail(KIN_EAGAIN, "the family has %u processes already, and no room for more",
                         SLOTS - 1);
    }
    slot *s = slot_at(index);
    atomic_store(&s->start, start);
    atomic_store(&s->is_guest, guest != NULL);
    kin__who_joins(s, guest);
    KIN__STEP("table.life");
    atomic_store(&s->state, SLOT_STATE(pid, generation, SLOT_LIVE));
    KIN__STEP("table.live");
    *ret_id = ID_OF(index, generation);
    return 0;
}

static int join_family(private_page *mine)
{
    kin__id id;
    int rv = take_slot(NULL, &id);
    if (rv == 0) {
        atomic_store(&mine->self, id);
        look_after_others();
    }
    return rv;
}

int kin__join(void)
{
    private_page *mine = kin__domain_private();
    if (mine == NULL) {
        return kin__fail(KIN_ENOMEM, "no memory for this process's own page");
    }
    uint32_t nobody = 0;
    while (!atomic_compare_exchange_weak(&mine->joining, &nobody, 1)) {
        nobody = 0;
        kin__os_yield();
    }
    int rv = 0;
    if (atomic_load(&mine->self) == KIN__NOBODY) {
        rv = base() == NULL ? kin__domain_make() : 0;
        rv = rv < 0 ? rv : join_family(mine);
    }
    atomic_store(&mine->joining, 0);
    return rv;
}

kin__id kin__self(void)
{
    kin__id self = kin__self_if_joined();
    if (self == KIN__NOBODY && kin__join() == 0) {
        self = kin__self_if_joined();
    }
    return self;
}

/* ---- guests (R6) ----------------------------------------------------------------------------- */

kin__id kin__guest_join(const char *name)
{
    kin__id id = KIN__NOBODY;
    if (kin__self() == KIN__NOBODY || take_slot(name, &id) < 0) {
        return KIN__NOBODY;
    }
    (void)pthread_mutex_unlock(&slot_at(ID_SLOT(id))->life);
    look_after_others();
    return id;
}

/* Whoever asks for proof just now has it that we live, and does not write. */
void kin__guest_end(kin__id guest)
{
    slot *s = slot_at(ID_SLOT(guest));
    uint64_t state = atomic_load(&s->state);
    if (guest != KIN__NOBODY && SLOT_GENERATION(state) == ID_GENERATION(guest) &&
        SLOT_PHASE(state) == SLOT_LIVE && atomic_load(&s->is_guest)) {
        free_slot(s, SLOT_PID(state), SLOT_GENERATION(state));
        KIN__STEP("table.guest");
    }
}

static bool is_our_guest(const slot *s, uint64_t state)
{
    return SLOT_PHASE(state) == SLOT_LIVE && atomic_load(&s->is_guest) &&
           SLOT_PID(state) == kin__pid_of(kin__self_if_joined());
}

/* ---- who is alive ---------------------------------------------------------------------------- */

/* With life in hand (R3, R4). False, and the slot free, when its process has ended. */
static bool prove(slot *s, uint64_t state, kin__id id)
{
    if (SLOT_PHASE(state) == SLOT_LIVE &&
        !kin__os_has_ended(SLOT_PID(state), atomic_load(&s->start))) {
        return true;
    }
    atomic_store(&s->state, SLOT_STATE(SLOT_PID(state), SLOT_GENERATION(state), SLOT_DEAD));
    KIN__STEP("table.elected");
    kin__sweep(id);
    KIN__STEP("table.swept");
    free_slot(s, SLOT_PID(state), SLOT_GENERATION(state));
    return false;
}

bool kin__alive(kin__id id)
{
    if (ID_SLOT(id) == 0 || base() == NULL) {
        return false;
    }
    if (id == kin__self_if_joined()) { /* no joining here: joining itself asks */
        return true;
    }
    slot *s = slot_at(ID_SLOT(id));
    uint64_t state = atomic_load(&s->state);
    if (SLOT_GENERATION(state) != ID_GENERATION(id) || !is_taken(state)) {
        return false;
    }
    if (is_our_guest(s, state)) {
        return true;
    }
    if (kin__os_insured != NULL) { /* trylock would take that away: os/insure.c, R2 */
        if (SLOT_PHASE(state) == SLOT_LIVE &&
            !kin__os_has_ended(SLOT_PID(state), atomic_load(&s->start))) {
            return true;
        }
        kin__os_cash_in();
    }
    int rv = pthread_mutex_trylock(&s->life);
    if (rv != 0 && rv != EOWNERDEAD) {
        return SLOT_PHASE(atomic_load(&s->state)) == SLOT_LIVE; /* R2 */
    }
    state = atomic_load(&s->state); /* a sweeper may have died in between */
    bool same = SLOT_GENERATION(state) == ID_GENERATION(id) && is_taken(state);
    bool alive = same && prove(s, state, id);
    if (rv == EOWNERDEAD) {
        pthread_mutex_consistent(&s->life);
    }
    pthread_mutex_unlock(&s->life);
    return alive;
}

pid_t kin__pid_of(kin__id id)
{
    if (ID_SLOT(id) == 0 || base() == NULL) {
        return 0;
    }
    uint64_t state = atomic_load(&slot_at(ID_SLOT(id))->state);
    return SLOT_GENERATION(state) == ID_GENERATION(id) ? SLOT_PID(state) : 0;
}

/* Who sits in a slot, after he was asked for if he may be dead. KIN__NOBODY: nobody, any more. */
static kin__id tenant(uint32_t index)
{
    uint64_t state = atomic_load(&slot_at(index)->state);
    kin__id id = ID_OF(index, SLOT_GENERATION(state));
    if (!is_taken(state) || kin__alive(id)) {
        return is_taken(state) ? id : KIN__NOBODY;
    }
    uint64_t now = atomic_load(&slot_at(index)->state); /* DEAD: somebody is still sweeping */
    return now == state || SLOT_PHASE(now) == SLOT_DEAD ? id : KIN__NOBODY;
}

unsigned kin__count_alive(void)
{
    unsigned count = 0;
    for (uint32_t i = 1; i <= atomic_load(&base()->top_slot) && i < SLOTS; i++) {
        count += !atomic_load(&slot_at(i)->is_guest) && tenant(i) != KIN__NOBODY;
    }
    return count;
}

/* Somebody may be at the proof just now, and has not written DEAD: then a moment is worth waiting.
 * (Only a moment: the pid may belong to another process already.) */
void kin__ended(pid_t pid)
{
    uint32_t top = base() != NULL ? atomic_load(&base()->top_slot) : 0;
    for (uint32_t i = 1; i <= top && i < SLOTS; i++) {
        for (int tries = 0; tries < 100; tries++) {
            uint64_t state = atomic_load(&slot_at(i)->state);
            if (SLOT_PID(state) != pid || SLOT_PHASE(state) == SLOT_DEAD ||
                tenant(i) == KIN__NOBODY) {
                break;
            }
            kin__os_yield();
        }
    }
}
