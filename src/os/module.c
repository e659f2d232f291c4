/* module.c - functions as (module, offset), for processes that loaded the module elsewhere.
 *
 * Idea. A module is named by its build-id, or, built without one, by a hash of its segments and of
 * the first page of its code. What was found stays in a small table, so that asking again costs a
 * few nanoseconds. A module that got into the table is pinned in memory: its entry stays right
 * without anybody looking, and a function that was sent away stays callable.
 *
 * Rules.
 *   R1  An entry is written by whoever moved its state from FREE to TAKEN, once, and is read only
 *       when it is DONE. Two threads may find one module at a time and write it twice.
 *   R2  A full table makes lookups slow, not wrong.
 *
 * Death. Private memory. A child forked while another thread was writing has an entry that stays
 * TAKEN: nobody reads it. */
#include "module.h"

#include "room.h"
#include <dlfcn.h>
#include <elf.h>
#include <inttypes.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MODULES = 64, SEGMENTS = 4, PAGE = 4096 };
enum { FREE, TAKEN, DONE };

typedef struct segment {
    uintptr_t begin, end;
} segment;

typedef struct module {
    uint64_t id;
    uintptr_t base;
    const char *file;       /* "" for the program itself; a pinned one's stays valid */
    segment code[SEGMENTS]; /* unused ones are empty */
} module;

static struct {
    _Atomic int state;
    module module;
} table[MODULES];

/* A static program has no dlopen, and no module that could go away. */
__attribute__((weak)) extern void *dlopen(const char *, int);

/* ---- names ------------------------------------------------------------------------- */

static uint64_t hash(uint64_t h, const void *data, size_t size)
{
    const unsigned char *bytes = data;
    for (size_t i = 0; i < size; i++) {
        h = (h ^ bytes[i]) * UINT64_C(0x100000001b3);
    }
    return h;
}

/* The first 8 bytes of the build-id among the notes of a segment, or 0. */
static uint64_t build_id(const char *notes, size_t size, size_t align)
{
    while (size >= sizeof(ElfW(Nhdr))) {
        ElfW(Nhdr) note;
        memcpy(&note, notes, sizeof note);
        size_t name = sizeof note;
        size_t what = (name + note.n_namesz + align - 1) & ~(align - 1);
        size_t next = (what + note.n_descsz + align - 1) & ~(align - 1);
        if (next > size) {
            return 0;
        }
        if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 && note.n_descsz >= 8 &&
            memcmp(notes + name, "GNU", 4) == 0) {
            uint64_t id;
            memcpy(&id, notes + what, sizeof id);
            return id;
        }
        notes += next;
        size -= next;
    }
    return 0;
}

/* For a module that was linked without a build-id. */
static uint64_t likeness(const struct dl_phdr_info *info)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (unsigned i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];
        if (p->p_type != PT_LOAD) {
            continue;
        }
        h = hash(h, &p->p_vaddr, sizeof p->p_vaddr);
        h = hash(h, &p->p_memsz, sizeof p->p_memsz);
        if (p->p_flags == (PF_R | PF_X)) {
            h = hash(h, (const char *)(info->dlpi_addr + p->p_vaddr),
                     p->p_memsz < PAGE ? p->p_memsz : PAGE);
        }
    }
    return h;
}

static void describe(const struct dl_phdr_info *info, module *ret)
{
    unsigned n = 0;
    uint64_t id = 0;
    for (unsigned i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];
        uintptr_t at = info->dlpi_addr + p->p_vaddr;
        if (p->p_type == PT_NOTE && id == 0) {
            id = build_id((const char *)at, p->p_memsz, p->p_align == 8 ? 8 : 4);
        }
        if (p->p_type == PT_LOAD && p->p_flags & PF_X && n < SEGMENTS) {
            ret->code[n++] = (segment){ at, at + p->p_memsz };
        }
    }
    ret->base = info->dlpi_addr;
    ret->id = id != 0 ? id : likeness(info);
}

/* ---- looking ----------------------------------------------------------------------- */

static bool has_code(const module *m, uintptr_t address)
{
    for (unsigned i = 0; i < SEGMENTS; i++) {
        if (address >= m->code[i].begin && address < m->code[i].end) {
            return true;
        }
    }
    return false;
}

typedef struct search {
    uintptr_t address; /* what is looked for: this, or if 0 the id */
    module found;
} search;

static int look(struct dl_phdr_info *info, size_t size, void *ctx)
{
    search *s = ctx;
    (void)size;
    module m = { 0 };
    describe(info, &m);
    if (s->address != 0 ? !has_code(&m, s->address) : m.id != s->found.id) {
        return 0;
    }
    s->found = m;
    s->found.file = info->dlpi_name;
    return 1;
}

/* Keeps a module loaded for good; the program itself is so anyway. */
static bool pin(const char *path)
{
    return path[0] == 0 ||
           (dlopen != NULL && dlopen(path, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE) != NULL);
}

/* What dlopen was given may begin at a directory that nobody is in by the time that it is
 * needed. */
static const char *whole_name(const char *file)
{
    bool relative = file[0] != '/' && strchr(file, '/') != NULL;
    char *whole = relative ? realpath(file, NULL) : NULL;
    return whole != NULL ? whole : file;
}

static void remember(const module *found)
{
    for (unsigned i = 0; i < MODULES; i++) {
        int state = FREE;
        if (atomic_compare_exchange_strong(&table[i].state, &state, TAKEN)) {
            table[i].module = *found;
            table[i].module.file = whole_name(found->file);
            /* pairs with the acquire in known() */
            atomic_store_explicit(&table[i].state, DONE, memory_order_release);
            return;
        }
    }
}

/* The table's module that has an address, or if that is 0 an id. */
static const module *known(uintptr_t address, uint64_t id)
{
    for (unsigned i = 0; i < MODULES; i++) {
        const module *m = &table[i].module;
        int state = atomic_load_explicit(&table[i].state, memory_order_acquire);
        if (state == FREE) {
            return NULL;
        }
        if (state == DONE && (address != 0 ? has_code(m, address) : m->id == id)) {
            return m;
        }
    }
    return NULL;
}

static bool find(uintptr_t address, uint64_t id, module *ret)
{
    const module *m = known(address, id);
    if (m != NULL) {
        *ret = *m;
        return true;
    }
    search s = { .address = address, .found.id = id };
    if (dl_iterate_phdr(look, &s) == 0) {
        return false;
    }
    if (pin(s.found.file)) {
        remember(&s.found);
    }
    *ret = s.found;
    return true;
}

int kin__os_module_of(uintptr_t address, uint64_t *ret_id, uint64_t *ret_offset)
{
    module m;
    if (address == 0 || !find(address, 0, &m)) {
        return -KIN__NO_MODULE;
    }
    *ret_id = m.id;
    *ret_offset = address - m.base;
    return 0;
}

int kin__os_module_at(uint64_t id, uint64_t offset, uintptr_t *ret_address)
{
    module m;
    if (!find(0, id, &m)) {
        return -KIN__NO_MODULE;
    }
    if (!has_code(&m, m.base + offset)) {
        return -KIN__NO_CODE;
    }
    *ret_address = m.base + offset;
    return 0;
}

void kin__os_function_name(uintptr_t address, char *ret, size_t size)
{
    Dl_info info;
    bool known = dladdr((const void *)address, &info) != 0 && info.dli_fname != NULL;
    if (known && info.dli_sname != NULL && (uintptr_t)info.dli_saddr == address) {
        (void)snprintf(ret, size, "%s", info.dli_sname);
    } else if (known) {
        const char *slash = strrchr(info.dli_fname, '/');
        (void)snprintf(ret, size, "%s+0x%" PRIxPTR, slash != NULL ? slash + 1 : info.dli_fname,
                       address - (uintptr_t)info.dli_fbase);
    } else {
        (void)snprintf(ret, size, "0x%" PRIxPTR, address);
    }
}

int kin__os_module_files(const char **ret_files, int room)
{
    int n = 0;
    for (unsigned i = 0; i < MODULES && n < room; i++) {
        /* pairs with the release in remember() */
        if (atomic_load_explicit(&table[i].state, memory_order_acquire) == DONE &&
            table[i].module.file[0] != 0) {
            ret_files[n++] = table[i].module.file;
        }
    }
    return n;
}

static bool is_known_file(const char *file)
{
    for (unsigned i = 0; i < MODULES; i++) {
        int state = atomic_load_explicit(&table[i].state, memory_order_acquire);
        if (state == FREE) {
            return false;
        }
        if (state == DONE && strcmp(table[i].module.file, file) == 0) {
            return true;
        }
    }
    return false;
}

static int note(struct dl_phdr_info *info, size_t size, void *ctx)
{
    module m = { 0 };
    (void)size;
    (void)ctx;
    describe(info, &m);
    m.file = info->dlpi_name;
    if (m.code[0].end != 0 && pin(m.file)) {
        remember(&m);
    }
    return 0;
}

void kin__os_modules_note(void)
{
    (void)dl_iterate_phdr(note, NULL);
}

bool kin__os_module_load(const char *file)
{
    if (is_known_file(file)) {
        return true;
    }
    return dlopen != NULL && dlopen(file, RTLD_LAZY | RTLD_NODELETE) != NULL;
}

void kin__os_symbol_name(uintptr_t address, char *name, size_t size)
{
    Dl_info info;
    bool known = dladdr((void *)address, &info) != 0 && info.dli_sname != NULL &&
                 (uintptr_t)info.dli_saddr == address;
    (void)snprintf(name, size, "%s", known ? info.dli_sname : "");
}
