/* packet.c - what a process that is not forked is told, in a memory file that it inherits.
 *
 * Idea. A file of the kernel's, and no block of the family's memory: it is there until the last one
 * has closed it, so nobody has to give it back when starter or child is killed. Its first page
 * stays mapped by both: what the child leaves there (its exit code, a crash) its parent reads.
 *
 *      +--------+--------+-------------+-----+-------+--------+------------+
 *      | record | head   | descriptors | key | texts | files  | arguments  |
 *      +--------+--------+-------------+-----+-------+--------+------------+
 *      a page    offsets into the rest:  all made and read by `part`
 *
 * Rules.
 *   R1  The reader checks every offset: the file came through an environment variable, which
 *       anybody can set. That it is ours it knows by the magic, and by the build of this library.
 *   R2  Arguments move: what buffers hold belongs to the packet until the child reads it, or until
 *       it is taken back. Connections stay the starter's until the child has copies of them.
 *
 * Death. A packet whose starter was killed is read all the same. One that nobody reads goes with
 * its descriptors; buffers in it stay until the family ends.
 */
#include "packet.h"

#include "../conn/room.h"
#include "../os/module.h"
#include <errno.h>
#include <string.h>

#define MAGIC 0x6b696e2d73747274u /* "kin-strt" */
#define FILES_MOST 64

typedef struct part {
    uint64_t at;
    uint64_t size;
} part;

typedef struct head {
    uint64_t magic;
    uint64_t size;       /* of the file */
    uint64_t library[2]; /* where kin_init is: the same build, or no packet of ours */
    uint64_t function[2];
    kin__place place;
    kin__signals signals;
    kin__packet_fds fds;
    int32_t daemon;
    int32_t method;
    int32_t default_method;
    int32_t log_level;
    int32_t lifeline; /* spawn: its number in the child */
    int32_t parent;
    uint64_t parent_started;
    part descriptors, key, number, name, parent_number, parent_name, files, args;
} head;

/* ---- writing ---------------------------------------------------------------------------- */

static int pack_functions(const kin_process *p, head *h)
{
    int rv = kin__func_pack((kin_fn)(void (*)(void))kin_init, h->library);
    if (rv == 0 && p->function != (kin_fn)0) {
        rv = kin__func_pack(p->function, h->function);
    }
    return rv;
}

static void place(head *h, part *ret, uint64_t size)
{
    *ret = (part){ .at = h->size, .size = size };
    h->size = (h->size + size + 7) & ~UINT64_C(7);
}

static uint64_t files_size(const char **files, int n)
{
    uint64_t size = 1;
    for (int i = 0; i < n; i++) {
        size += strlen(files[i]) + 1;
    }
    return size;
}

/* Sizes and places of all parts. */
static int lay_out(const kin_process *p, head *h, const char **files, int *ret_files)
{
    const kin_process *me = kin__process_current();
    kin__cargo unused = { .n = 0 };
    size_t args = 0;
    int rv = pack_functions(p, h);
    rv = rv < 0 ? rv : kin__flat_size_with(p->args, &unused, &args);
    if (rv < 0) {
        return rv;
    }
    *ret_files = kin__os_module_files(files, FILES_MOST);
    h->size = RECORD_SIZE + sizeof *h;
    place(h, &h->descriptors, p->n_fds * sizeof(int));
    place(h, &h->key, p->key_size);
    place(h, &h->number, strlen(p->number) + 1);
    place(h, &h->name, strlen(p->name) + 1);
    place(h, &h->parent_number, strlen(me->number) + 1);
    place(h, &h->parent_name, strlen(me->name) + 1);
    place(h, &h->files, files_size(files, *ret_files));
    place(h, &h->args, args);
    return 0;
}

static void put(char *file, const part *where, const void *bytes)
{
    if (where->size > 0) {
        memcpy(file + where->at, bytes, where->size);
    }
}

static int fill(char *file, const head *h, const kin_process *p, const char **files, int n)
{
    const kin_process *me = kin__process_current();
    memcpy(file + RECORD_SIZE, h, sizeof *h);
    put(file, &h->descriptors, p->fds);
    put(file, &h->key, p->key);
    put(file, &h->number, p->number);
    put(file, &h->name, p->name);
    put(file, &h->parent_number, me->number);
    put(file, &h->parent_name, me->name);
    char *at = file + h->files.at;
    for (int i = 0; i < n; i++) {
        size_t size = strlen(files[i]) + 1;
        memcpy(at, files[i], size);
        at += size;
    }
    kin__cargo unused = { .n = 0 }; /* its descriptors are among the listed: process.c */
    return kin__flat_write_with(p->args, file + h->args.at, h->args.size, &unused);
}

static int write_file(kin_process *p, const head *h, const char **files, int n)
{
    void *file;
    int fd = kin__os_clear_of_stdio(kin__os_memfd("kin-start"));
    if (fd < 0) {
        return kin__fail_os(fd, "no memory file for what %s is told", p->name);
    }
    int rv = kin__os_commit(fd, 0, h->size);
    rv = rv < 0 ? rv : kin__os_map_file(fd, h->size, &file);
    if (rv < 0) {
        kin__os_close(fd);
        return kin__fail_os(rv, "no memory for the %llu bytes that %s is told",
                            (unsigned long long)h->size, p->name);
    }
    rv = fill(file, h, p, files, n);
    if (rv < 0) {
        kin__os_unmap(file, h->size);
        kin__os_close(fd);
        return rv;
    }
    kin__os_unmap((char *)file + RECORD_SIZE, h->size - RECORD_SIZE);
    p->record = file;
    return fd;
}

int kin__packet_write(kin_process *p, const kin__packet_fds *fds)
{
    const char *files[FILES_MOST];
    int n;
    head h = {
        .magic = MAGIC,
        .fds = *fds,
        .daemon = p->daemon,
        .method = (int)p->method,
        .default_method = (int)kin__process_method(),
        .log_level = kin__log_level(),
        .lifeline = p->lifeline,
        .parent = kin__os_getpid(),
    };
    (void)kin__process_maker(&h.parent_started);
    kin__domain_place(&h.place);
    kin__os_get_signals(&h.signals);
    int rv = lay_out(p, &h, files, &n);
    if (rv < 0) {
        return rv;
    }
    return write_file(p, &h, files, n);
}

/* ---- reading ---------------------------------------------------------------------------- */

static int not_ours(const char *why)
{
    return kin__fail(KIN_ECORRUPT, "what this process was started with is no message of kin's: %s",
                     why);
}

/* Maps all of it; to be unmapped by the caller, but for the record. */
static int map(int fd, char **ret_file, uint64_t *ret_size)
{
    void *file;
    uint64_t size = 0;
    int rv = kin__os_file_size(fd, &size);
    if (rv < 0 || size < RECORD_SIZE + sizeof(head)) {
        return not_ours(rv < 0 ? "its descriptor is not open" : "it is too short");
    }
    rv = kin__os_map_file(fd, size, &file);
    if (rv < 0) {
        return kin__fail_os(rv, "cannot map the %llu bytes that this process was told",
                            (unsigned long long)size);
    }
    *ret_file = file;
    *ret_size = size;
    return 0;
}

static bool is_inside(const part *p, uint64_t size)
{
    return p->at <= size && p->size <= size - p->at;
}

static bool is_text(const char *file, const part *p)
{
    return p->size > 0 && memchr(file + p->at, '\0', p->size) == file + p->at + p->size - 1;
}

/* R1 */
static int check(const char *file, uint64_t size, head *ret_head)
{
    head h;
    memcpy(&h, file + RECORD_SIZE, sizeof h);
    if (h.magic != MAGIC || h.size > size) {
        return not_ours("it does not begin like one");
    }
    uint64_t here[2];
    int rv = kin__func_pack((kin_fn)(void (*)(void))kin_init, here);
    if (rv < 0 || here[0] != h.library[0] || here[1] != h.library[1]) {
        return rv < 0 ? rv : not_ours("its sender has another build of the library");
    }
    bool inside = is_inside(&h.descriptors, h.size) && is_inside(&h.key, h.size) &&
                  is_inside(&h.number, h.size) && is_inside(&h.name, h.size) &&
                  is_inside(&h.parent_number, h.size) && is_inside(&h.parent_name, h.size) &&
                  is_inside(&h.files, h.size) && is_inside(&h.args, h.size);
    if (!inside || !is_text(file, &h.number) || !is_text(file, &h.name) ||
        !is_text(file, &h.parent_number) || !is_text(file, &h.parent_name) || h.method < 0 ||
        h.method >= METHODS || h.default_method < 0 || h.default_method >= METHODS ||
        h.args.at % 8 != 0) {
        return not_ours("its parts are not where they should be");
    }
    *ret_head = h;
    return 0;
}

int kin__packet_place(int packet, kin__place *ret_place)
{
    char *file;
    uint64_t size;
    head h;
    int rv = map(packet, &file, &size);
    if (rv < 0) {
        return rv;
    }
    rv = check(file, size, &h);
    kin__os_unmap(file, size);
    if (rv == 0) {
        *ret_place = h.place;
    }
    return rv;
}

/* The modules that functions were sent from, unless they are here. The first one that cannot be had
 * may not be needed; whoever misses a function will name it. */
static const char *load_modules(const char *file, const head *h)
{
    const char *missing = NULL;
    const char *at = file + h->files.at;
    const char *end = at + h->files.size;
    while (at < end && *at != '\0') {
        size_t length = strnlen(at, (size_t)(end - at));
        if (at + length < end && !kin__os_module_load(at) && missing == NULL) {
            missing = at;
        }
        at += length + 1;
    }
    return missing;
}

static kin_process *copy_parent(const char *file, const head *h)
{
    const kin_process like = { .name = file + h->parent_name.at,
                               .number = file + h->parent_number.at };
    kin_process *parent = kin__process_make(&like);
    if (parent != NULL) {
        parent->pid = h->parent;
        parent->started = h->parent_started;
    }
    return parent;
}

static kin_process *copy_self(const char *file, const head *h)
{
    const kin_process like = { .name = file + h->name.at,
                               .number = file + h->number.at,
                               .key = file + h->key.at,
                               .key_size = h->key.size,
                               .fds = (const int *)(const void *)(file + h->descriptors.at),
                               .n_fds = h->descriptors.size / sizeof(int),
                               .daemon = h->daemon != 0,
                               .method = (enum method)h->method };
    return kin__process_make(&like);
}

static int read_target(const char *file, const head *h, kin_process *self)
{
    const char *missing = load_modules(file, h);
    int rv =
        (h->function[0] | h->function[1]) == 0 ? 0 : kin__func_unpack(h->function, &self->function);
    kin__cargo cargo = { .how = KIN__CARGO_SAME };
    kin__conn_prepare();
    rv = rv < 0 ? rv : kin__flat_read_with(file + h->args.at, h->args.size, &cargo, &self->args);
    if (rv == KIN_ENOTFOUND && missing != NULL) {
        return kin__fail(rv, "it needs functions of %s, which cannot be loaded here", missing);
    }
    return rv;
}

int kin__packet_read(int packet, kin_process **ret_self, kin__packet_fds *ret_fds,
                     kin__signals *ret_signals)
{
    char *file;
    uint64_t size;
    head h;
    int rv = map(packet, &file, &size);
    rv = rv < 0 ? rv : check(file, size, &h);
    if (rv < 0) {
        return rv; /* a process that leaves: what is mapped does not matter */
    }
    kin_process *parent = copy_parent(file, &h);
    kin_process *self = copy_self(file, &h);
    if (parent == NULL || self == NULL) {
        return kin__fail(KIN_ENOMEM, "no memory for a process object");
    }
    (void)kin_log_set_level(h.log_level);
    kin__process_set_method((enum method)h.default_method);
    self->record = (kin__record *)(void *)file;
    self->lifeline = h.lifeline;
    kin__process_become(self, parent);
    *ret_self = self;
    *ret_fds = h.fds;
    *ret_signals = h.signals;
    rv = read_target(file, &h, self);
    kin__os_unmap(file + RECORD_SIZE, size - RECORD_SIZE);
    return rv;
}

void kin__packet_take_back(kin_process *process, int packet)
{
    char *file;
    uint64_t size;
    head h;
    if (map(packet, &file, &size) == 0) {
        if (check(file, size, &h) == 0) {
            kin_obj emptied = process->args;
            kin__cargo cargo = { .how = KIN__CARGO_BACK };
            if (kin__flat_read_with(file + h.args.at, h.args.size, &cargo, &process->args) == 0) {
                kin_release(emptied);
            }
        }
        kin__os_unmap(file, size);
    }
    kin__os_close(packet);
}
