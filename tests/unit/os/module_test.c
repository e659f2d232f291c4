#include "harness.h"

#include "os/module.h"
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int here(void)
{
    return 1;
}

TEST(a_function_of_the_program_comes_back)
{
    uint64_t id = 0, offset = 0;
    CHECK_EQ(kin__os_module_of((uintptr_t)here, &id, &offset), 0);
    CHECK_NE(id, 0);
    uintptr_t address = 0;
    CHECK_EQ(kin__os_module_at(id, offset, &address), 0);
    CHECK_EQ(address, (uintptr_t)here);
}

TEST(a_function_of_a_library_comes_back)
{
    uintptr_t function = (uintptr_t)dlsym(RTLD_DEFAULT, "srunner_create"); /* of Check, or libc */
    function = function != 0 ? function : (uintptr_t)dlsym(RTLD_DEFAULT, "getpid");
    uint64_t id, offset, own, any;
    uintptr_t address = 0;
    CHECK_EQ(kin__os_module_of(function, &id, &offset), 0);
    CHECK_EQ(kin__os_module_of((uintptr_t)here, &own, &any), 0);
    CHECK_NE(id, own);
    CHECK_EQ(kin__os_module_at(id, offset, &address), 0);
    CHECK_EQ(address, function);
}

TEST(what_is_no_code_is_in_no_module)
{
    static int data;
    int local;
    uint64_t id = 7, offset = 7;
    CHECK_EQ(kin__os_module_of((uintptr_t)&data, &id, &offset), -KIN__NO_MODULE);
    CHECK_EQ(kin__os_module_of((uintptr_t)&local, &id, &offset), -KIN__NO_MODULE);
    CHECK_EQ(kin__os_module_of(0, &id, &offset), -KIN__NO_MODULE);
    CHECK_EQ(id, 7);
}

TEST(an_unknown_module_and_a_wild_offset_are_refused)
{
    uint64_t id, offset;
    uintptr_t address = 7;
    CHECK_EQ(kin__os_module_of((uintptr_t)here, &id, &offset), 0);
    CHECK_EQ(kin__os_module_at(id ^ 1, offset, &address), -KIN__NO_MODULE);
    CHECK_EQ(kin__os_module_at(id, 0, &address), -KIN__NO_CODE);
    CHECK_EQ(kin__os_module_at(id, UINT64_MAX, &address), -KIN__NO_CODE);
    CHECK_EQ(kin__os_module_at(id, UINT64_C(1) << 40, &address), -KIN__NO_CODE);
    CHECK_EQ(address, 7);
}

/* ---- plug-ins ---------------------------------------------------------------------- */

/* Builds lib<name>.so in a folder of the test; false when there is no compiler. */
static bool build(const char *folder, const char *name, int value, const char *flags)
{
    char command[400];
    snprintf(command, sizeof command,
             "echo 'int plugged(void) { return %d; }' | cc -shared -fPIC %s -xc - -o %s/%s.so "
             "2>/dev/null",
             value, flags, folder, name);
    return system(command) == 0;
}

static void *load(const char *folder, const char *name)
{
    char path[200];
    snprintf(path, sizeof path, "%s/%s.so", folder, name);
    return dlopen(path, RTLD_NOW);
}

static void remove_folder(const char *folder)
{
    char command[200];
    snprintf(command, sizeof command, "rm -r %s", folder);
    CHECK_EQ(system(command), 0);
}

/* In a child, since what was named to others stays mapped, which the harness would call a leak.
 * 0: all is well; else the line of what is not. */
static int use_plug_ins(void *ctx)
{
    const char *folder = ctx;
    static const char *const names[] = { "one", "two" };
    uint64_t ids[2], offsets[2];
    for (int i = 0; i < 2; i++) {
        void *module = load(folder, names[i]);
        uintptr_t function = module ? (uintptr_t)dlsym(module, "plugged") : 0;
        uintptr_t address = 0;
        if (function == 0 || kin__os_module_of(function, &ids[i], &offsets[i]) != 0 ||
            kin__os_module_at(ids[i], offsets[i], &address) != 0 || address != function) {
            return 1;
        }
        dlclose(module);
    }
    if (ids[0] == ids[1]) {
        return 2;
    }
    uintptr_t address = 0;
    if (kin__os_module_at(ids[1], offsets[1], &address) != 0) {
        return 3;
    }
    return ((int (*)(void))address)() == 2 ? 0 : 4; /* it is still there */
}

static void try_plug_ins(const char *flags)
{
    char folder[] = "/tmp/kin-module-XXXXXX";
    CHECK_NOT_NULL(mkdtemp(folder));
    bool built = build(folder, "one", 1, flags) && build(folder, "two", 2, flags);
    int status = built ? test_join(test_child(use_plug_ins, folder)) : 0;
    remove_folder(folder);
    if (!built) {
        SKIP("no compiler");
    }
    CHECK_EQ(status, 0);
}

TEST(plug_ins_are_told_apart_and_stay_loaded)
{
    try_plug_ins("");
}

TEST(plug_ins_without_a_build_id_are_told_apart_too)
{
    try_plug_ins("-Wl,--build-id=none");
}

TEST(a_module_that_is_not_loaded_here_is_unknown)
{
    char folder[] = "/tmp/kin-module-XXXXXX";
    CHECK_NOT_NULL(mkdtemp(folder));
    if (!build(folder, "gone", 3, "")) {
        remove_folder(folder);
        SKIP("no compiler");
    }
    struct found {
        uint64_t id, offset;
        int rv;
    } *found = test_shared(sizeof *found);
    pid_t child = fork();
    if (child == 0) {
        void *gone = load(folder, "gone");
        found->rv =
            kin__os_module_of((uintptr_t)dlsym(gone, "plugged"), &found->id, &found->offset);
        _exit(0);
    }
    CHECK_EQ(test_join(child), 0);
    remove_folder(folder);
    CHECK_EQ(found->rv, 0);
    uintptr_t address;
    CHECK_EQ(kin__os_module_at(found->id, found->offset, &address), -KIN__NO_MODULE);
}

static void *look_up(void *ctx)
{
    uintptr_t functions[] = { (uintptr_t)here, (uintptr_t)getpid, (uintptr_t)dlsym };
    for (int i = 0; i < 3000; i++) {
        uint64_t id, offset;
        uintptr_t address = 0;
        if (kin__os_module_of(functions[i % 3], &id, &offset) != 0 ||
            kin__os_module_at(id, offset, &address) != 0 || address != functions[i % 3]) {
            *(bool *)ctx = true;
        }
    }
    return NULL;
}

TEST(threads_find_modules_at_once)
{
    pthread_t threads[4];
    bool wrong[4] = { false };
    for (int i = 0; i < 4; i++) {
        CHECK_EQ(pthread_create(&threads[i], NULL, look_up, &wrong[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
        CHECK(!wrong[i]);
    }
}

TEST(a_function_that_the_loader_knows_has_its_name)
{
    char name[100] = "x";
    kin__os_symbol_name((uintptr_t)strtol, name, sizeof name);
    CHECK_CONTAINS(name, "strtol");
    kin__os_symbol_name((uintptr_t)strtol + 1, name, sizeof name);
    CHECK_STR(name, "");
    kin__os_symbol_name((uintptr_t)strtol, name, 4);
    CHECK_EQ(strlen(name), 3);
    kin__os_symbol_name(0, name, sizeof name);
    CHECK_STR(name, "");
}
