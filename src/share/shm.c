/* shm.c - segments with a name, and names that go with their owner.
 *
 * Idea. A segment is a file in /dev/shm, so anybody may open it, and its name stays when all have
 * gone. Who wants his to go with him leaves a note: a block of the family with the name, his
 * identity, and which file it was. When he ends he unlinks what his notes say. When he is killed
 * the note is there still, and a relative who comes across it does what he would have done.
 *
 *      note: | owner (kin__id) | file | name |  --- unlink the name, then discard the note
 *
 * Rules.
 *   R1  A note is written, then given to the family; who finds one that is not the family's yet
 *       lets it be.
 *   R2  The name is unlinked first, and the note discarded after: both may be done twice, by two
 *       who find it at once, or one after the other was killed.
 *   R3  A name is unlinked only while it leads to the file of the note, and that is locked: another
 *       one with that name is somebody else's.
 *   R4  Handles are private, and hold no lock: a process that leaves in the midst of another
 *       thread's call unlinks its names all the same.
 *
 * Death. Killed before the note is given: there was no promise yet. Killed at any time after: a
 * relative unlinks the name (at the end of any that calls exit, or when one is in the way of a
 * new segment). When nobody of the family is left the name stays.
 *
 * Not here. The files (os/shm.c); what Python makes of them (interop).
 */
#include "room.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct kin_shm {
    void *at;
    size_t size;
    uint64_t file;
    char name[KIN__SHM_NAME];
};

typedef struct note {
    uint64_t owner; /* kin__id */
    uint64_t file;
    char name[KIN__SHM_NAME];
} note;

#define NOTE_WORDS (sizeof(note) / sizeof(uint64_t))
_Static_assert(sizeof(note) % sizeof(uint64_t) == 0, "a note is copied word by word");

/* ---- notes -------------------------------------------------------------------------- */

static _Atomic pid_t noted_by; /* the process that has left a note; a forked child has not */

static void write_note(void *block, const note *n)
{
    _Atomic uint64_t *to = block;
    uint64_t words[NOTE_WORDS];
    memcpy(words, n, sizeof words);
    for (size_t i = 0; i < NOTE_WORDS; i++) {
        atomic_store_explicit(&to[i], words[i], memory_order_relaxed); /* given afterwards: R1 */
    }
}

/* What a note says. False when it is not, or no more, the family's: somebody may be writing another
 * one there while we copy it. */
static bool read_note(void *block, note *ret, kin__ref *ret_ref)
{
    _Atomic uint64_t *from = block;
    uint64_t words[NOTE_WORDS];
    *ret_ref = kin__block_ref(block);
    if (!kin__block_is_shared(*ret_ref)) {
        return false;
    }
    for (size_t i = 0; i < NOTE_WORDS; i++) { /* in order before the second look */
        words[i] = atomic_load_explicit(&from[i], memory_order_acquire);
    }
    memcpy(ret, words, sizeof words);
    ret->name[KIN__SHM_NAME - 1] = '\0';
    return kin__block_is_shared(*ret_ref);
}

/* The note stays where somebody else is at it, or nobody could be asked. */
static void fulfil(const note *n, kin__ref ref)
{
    int rv = kin__os_shm_unlink_own(n->name, n->file); /* R3 */
    KIN__STEP("share.unlinked");
    if (rv == 0 || rv == -ENOENT) {
        (void)kin__block_discard(ref); /* R2 */
    }
}

static void fulfil_own(void *block, void *ctx)
{
    note n;
    kin__ref ref;
    if (read_note(block, &n, &ref) && n.owner == *(kin__id *)ctx) {
        fulfil(&n, ref);
    }
}

static void fulfil_dead(void *block, void *ctx)
{
    (void)ctx;
    note n;
    kin__ref ref;
    if (read_note(block, &n, &ref) && !kin__alive((kin__id)n.owner)) {
        fulfil(&n, ref);
    }
}

/* This process leaves. */
static void leave(void)
{
    if (atomic_load(&noted_by) == kin__os_getpid()) {
        kin__id self = kin__self();
        kin__block_each(KIN__SEGMENT, fulfil_own, &self);
    }
}

/* This process ends by exit(), and looks after those who could not. */
__attribute__((destructor)) static void end(void)
{
    leave();
    kin__block_each(KIN__SEGMENT, fulfil_dead, NULL);
}

typedef struct search {
    kin__id owner;
    uint64_t file;
    const char *name; /* NULL: the file decides */
} search;

static void discard_same(void *block, void *ctx)
{
    const search *s = ctx;
    note n;
    kin__ref ref;
    if (read_note(block, &n, &ref) && n.owner == s->owner &&
        (s->name != NULL ? strcmp(n.name, s->name) == 0 : n.file == s->file)) {
        (void)kin__block_discard(ref);
    }
}

static int leave_note(const kin_shm *shm)
{
    note n = { .owner = kin__self(), .file = shm->file };
    void *block = kin__block_new(sizeof n, KIN__SEGMENT);
    if (block == NULL) {
        return kin__failure();
    }
    memcpy(n.name, shm->name, sizeof n.name);
    write_note(block, &n);
    atomic_store(&noted_by, kin__os_getpid());
    kin__os_at_leave(leave);
    KIN__STEP("share.note");
    kin__block_give(block);
    return 0;
}

int kin_shm_unlink_at_exit(kin_shm *shm, bool unlinks)
{
    if (shm == NULL) {
        return kin__fail(KIN_EINVAL, "kin_shm_unlink_at_exit: the segment is NULL");
    }
    search s = { .owner = kin__self(), .file = shm->file };
    if (s.owner == KIN__NOBODY) {
        return kin__failure();
    }
    kin__block_each(KIN__SEGMENT, discard_same, &s);
    return unlinks ? leave_note(shm) : 0;
}

/* ---- handles ------------------------------------------------------------------------ */

static int fail(int error, const char *verb, const char *name)
{
    switch (-error) {
    case EEXIST:
        return kin__fail(KIN_EEXIST, "%s: there is a segment \"%s\" already", verb, name);
    case EINVAL:
    case ENAMETOOLONG:
        return kin__fail(KIN_EINVAL, "%s: \"%s\" is no name for a segment", verb, name);
    default:
        return kin__fail_os(error, "%s: the segment \"%s\"", verb, name);
    }
}

/* Maps what `fd` leads to, and closes it. */
static int map(kin_shm *shm, int fd, const char *verb)
{
    uint64_t size = 0;
    int rv = kin__os_shm_look(fd, &size, &shm->file);
    shm->size = (size_t)size;
    if (rv == 0 && shm->size != size) {
        rv = -ENOMEM; /* more than there are addresses */
    }
    if (rv == 0 && size != 0) {
        rv = kin__os_map_file(fd, shm->size, &shm->at);
    }
    kin__os_close(fd);
    if (rv < 0) {
        return fail(rv, verb, shm->name);
    }
    return size != 0
               ? 0
               : kin__fail(KIN_ESTATE, "%s: the segment \"%s\" has no size yet", verb, shm->name);
}

static int create(const char *name, uint64_t size)
{
    int fd = kin__os_shm_create(name, size);
    if (fd != -EEXIST) {
        return fd;
    }
    kin__block_each(KIN__SEGMENT, fulfil_dead, NULL); /* one that was killed may have left it */
    return kin__os_shm_create(name, size);
}

/* One that nobody has: in shm->name. */
static int create_some(kin_shm *shm, uint64_t size)
{
    int fd = -EEXIST;
    for (int tries = 0; tries < 100 && fd == -EEXIST; tries++) {
        uint32_t any;
        fd = kin__os_random(&any, sizeof any);
        if (fd == 0) {
            snprintf(shm->name, sizeof shm->name, "psm_%08x", (unsigned)any);
            fd = kin__os_shm_create(shm->name, size);
        }
    }
    return fd;
}

/* A handle without memory; name NULL: none yet. */
static kin_shm *begin(const char *name, const char *verb)
{
    name = name != NULL ? name + strspn(name, "/") : NULL; /* as Python's: "/x" is "x" */
    if (name != NULL && (*name == '\0' || strlen(name) >= KIN__SHM_NAME)) {
        (void)fail(-EINVAL, verb, name);
        return NULL;
    }
    kin_shm *shm = kin__os_calloc(1, sizeof *shm);
    if (shm == NULL) {
        (void)kin__fail(KIN_ENOMEM, "%s: no memory for a handle", verb);
        return NULL;
    }
    memcpy(shm->name, name != NULL ? name : "", name != NULL ? strlen(name) + 1 : 1);
    return shm;
}

/* Maps it, or takes all back. */
static int finish(kin_shm *shm, int fd, const char *verb, kin_shm **ret_shm)
{
    int rv = fd < 0 ? fail(fd, verb, shm->name) : map(shm, fd, verb);
    if (rv < 0) {
        kin__os_free(shm);
        return rv;
    }
    *ret_shm = shm;
    return 0;
}

int kin_shm_create(kin_shm **ret_shm, const char *name, size_t size)
{
    if (ret_shm == NULL || size == 0) {
        return kin__fail(KIN_EINVAL, ret_shm == NULL
                                         ? "kin_shm_create: the place for the segment is NULL"
                                         : "kin_shm_create: a size of 0");
    }
    kin_shm *shm = begin(name, "kin_shm_create");
    if (shm == NULL) {
        return kin__failure();
    }
    int fd = name == NULL ? create_some(shm, size) : create(shm->name, size);
    char made[KIN__SHM_NAME];
    memcpy(made, shm->name, sizeof made);
    int rv = finish(shm, fd, "kin_shm_create", ret_shm);
    if (rv < 0 && fd >= 0) {
        (void)kin__os_shm_unlink(made);
    }
    return rv;
}

int kin_shm_open(kin_shm **ret_shm, const char *name)
{
    if (ret_shm == NULL || name == NULL) {
        return kin__fail(KIN_EINVAL, "kin_shm_open: the %s is NULL",
                         name == NULL ? "name" : "place for the segment");
    }
    kin_shm *shm = begin(name, "kin_shm_open");
    if (shm == NULL) {
        return kin__failure();
    }
    return finish(shm, kin__os_shm_open(shm->name), "kin_shm_open", ret_shm);
}

void kin_shm_free(kin_shm *shm)
{
    if (shm != NULL) {
        kin__os_unmap(shm->at, shm->size);
        kin__os_free(shm);
    }
}

int kin_shm_unlink(const char *name)
{
    if (name == NULL) {
        return kin__fail(KIN_EINVAL, "kin_shm_unlink: the name is NULL");
    }
    name += strspn(name, "/");
    int rv = kin__os_shm_unlink(name);
    if (rv == 0 && atomic_load(&noted_by) == kin__os_getpid()) {
        search s = { .owner = kin__self(), .name = name };
        kin__block_each(KIN__SEGMENT, discard_same, &s);
    }
    return rv < 0 ? fail(rv, "kin_shm_unlink", name) : 0; /* others' notes may stay: R3 */
}

/* ---- questions ---------------------------------------------------------------------- */

static bool is_one(const kin_shm *shm, const char *verb)
{
    if (shm == NULL) {
        (void)kin__fail(KIN_EINVAL, "%s: the segment is NULL", verb);
    }
    return shm != NULL;
}

void *kin_shm_ptr(const kin_shm *shm)
{
    return is_one(shm, "kin_shm_ptr") ? shm->at : NULL;
}

size_t kin_shm_size(const kin_shm *shm)
{
    return is_one(shm, "kin_shm_size") ? shm->size : 0;
}

const char *kin_shm_name(const kin_shm *shm)
{
    return is_one(shm, "kin_shm_name") ? shm->name : "";
}
