/* who.c - what a process is called, and what it sleeps for: for sentences, and for kin_dump.
 *
 * All of it stands in the process's slot, written by that process alone and read by anybody at any
 * time: so each word is an atomic one, and who reads several looks afterwards whether the slot is
 * still the same process's. A name may be half old and half new while it is being set.
 *
 * A dead process's name and pid stay until another has its slot: that is for whoever asks who held
 * a lock when he died.
 */
#include "map.h"

#include <string.h>

#define NAME_WORDS (KIN__NAME_ROOM / sizeof(uint64_t))

static _Atomic uint64_t own_name[NAME_WORDS]; /* zero: nobody has named us */

static slot *slot_of(kin__id id)
{
    return &base()->slots[ID_SLOT(id)];
}

static void copy_words(_Atomic uint64_t *to, const _Atomic uint64_t *from)
{
    for (size_t i = 0; i < NAME_WORDS; i++) {
        atomic_store_explicit(&to[i], atomic_load_explicit(&from[i], memory_order_relaxed),
                              memory_order_relaxed);
    }
}

static void put_name(_Atomic uint64_t *to, const char *name)
{
    char text[KIN__NAME_ROOM] = "";
    size_t length = strnlen(name, sizeof text);
    memcpy(text, name, length < sizeof text ? length : sizeof text - 1);
    if (length == sizeof text) {
        (void)kin__cut(text, sizeof text - 1);
    }
    for (size_t i = 0; i < NAME_WORDS; i++) {
        uint64_t word;
        memcpy(&word, text + i * sizeof word, sizeof word);
        atomic_store_explicit(&to[i], word, memory_order_relaxed);
    }
}

static void get_name(const _Atomic uint64_t *from, char name[KIN__NAME_ROOM])
{
    for (size_t i = 0; i < NAME_WORDS; i++) {
        uint64_t word = atomic_load_explicit(&from[i], memory_order_relaxed);
        memcpy(name + i * sizeof word, &word, sizeof word);
    }
    name[KIN__NAME_ROOM - 1] = '\0';
}

void kin__who_joins(slot *s, const char *name)
{
    if (name != NULL) {
        put_name(s->name, name);
    } else if (atomic_load_explicit(&own_name[0], memory_order_relaxed) == 0) {
        put_name(own_name, "MainProcess");
    }
    if (name == NULL) {
        copy_words(s->name, own_name);
    }
    atomic_store_explicit(&s->waits_for, 0, memory_order_relaxed);
}

void kin__set_name(const char *name)
{
    put_name(own_name, name);
    kin__id self = kin__self_if_joined();
    if (self != KIN__NOBODY) {
        copy_words(slot_of(self)->name, own_name);
    }
}

/* ---- what it sleeps for ---------------------------------------------------------------- */

void kin__note_wait(const void *what)
{
    kin__id self = kin__self_if_joined();
    if (self != KIN__NOBODY) {
        atomic_store_explicit(&slot_of(self)->waits_since, kin__os_now(), memory_order_relaxed);
        atomic_store_explicit(&slot_of(self)->waits_for, (uint64_t)(uintptr_t)what,
                              memory_order_release); /* pairs with the acquire in kin__who_is */
    }
}

void kin__note_woken(const void *what)
{
    kin__id self = kin__self_if_joined();
    uint64_t mine = (uint64_t)(uintptr_t)what; /* another thread may have noted its own */
    if (self != KIN__NOBODY) {
        (void)atomic_compare_exchange_strong(&slot_of(self)->waits_for, &mine, 0);
    }
}

/* ---- questions ---------------------------------------------------------------------------- */

/* His pid, while the slot is his or nobody's since. 0: another's. */
static pid_t pid_in(uint64_t state, kin__id id)
{
    bool his = SLOT_GENERATION(state) == ID_GENERATION(id) && SLOT_PHASE(state) >= SLOT_LIVE;
    bool left = SLOT_GENERATION(state) == ((ID_GENERATION(id) + 1) & 0xffffu) &&
                SLOT_PHASE(state) == SLOT_FREE;
    return his || left ? SLOT_PID(state) : 0;
}

bool kin__who_is(kin__id id, kin__who *ret)
{
    if (ID_SLOT(id) == 0 || base() == NULL) {
        return false;
    }
    slot *s = slot_of(id);
    *ret = (kin__who){ .id = id, .pid = pid_in(atomic_load(&s->state), id) };
    uint64_t what = atomic_load_explicit(&s->waits_for, memory_order_acquire);
    ret->waits_for = (const void *)(uintptr_t)what;
    ret->waits_since = atomic_load_explicit(&s->waits_since, memory_order_relaxed);
    get_name(s->name, ret->name);
    return ret->pid != 0 && pid_in(atomic_load(&s->state), id) == ret->pid;
}

/* Whoever sits in the slot: NOBODY when he does not live. */
static kin__id living(uint32_t index)
{
    uint64_t state = atomic_load(&base()->slots[index].state);
    kin__id id = ID_OF(index, SLOT_GENERATION(state));
    return SLOT_PHASE(state) == SLOT_LIVE && kin__alive(id) ? id : KIN__NOBODY;
}

kin__id kin__id_of(pid_t pid)
{
    uint32_t top = base() != NULL ? atomic_load(&base()->top_slot) : 0;
    for (uint32_t i = 1; i <= top && i < SLOTS; i++) {
        kin__id id =
            SLOT_PID(atomic_load(&base()->slots[i].state)) == pid ? living(i) : KIN__NOBODY;
        bool is_guest = atomic_load(&base()->slots[i].is_guest) != 0;
        if (id != KIN__NOBODY && !is_guest && kin__pid_of(id) == pid) {
            return id;
        }
    }
    return KIN__NOBODY;
}

void kin__each_member(void (*visit)(const kin__who *who, void *ctx), void *ctx)
{
    uint32_t top = base() != NULL ? atomic_load(&base()->top_slot) : 0;
    for (uint32_t i = 1; i <= top && i < SLOTS; i++) {
        kin__who who;
        kin__id id = living(i);
        if (id != KIN__NOBODY && kin__who_is(id, &who)) {
            visit(&who, ctx);
        }
    }
}
