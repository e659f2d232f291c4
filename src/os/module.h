/* os/module.h - where a function is, told so that another process understands it. */
#ifndef KIN_OS_MODULE_H
#define KIN_OS_MODULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    KIN__NO_MODULE = 1, /* not loaded in this process */
    KIN__NO_CODE = 2,   /* the offset lies outside the module's code */
};

/* The module (program, library, plug-in) whose code `address` lies in: its id, which is that of its
 * build, and the offset in it. 0 or -KIN__NO_MODULE. */
int kin__os_module_of(uintptr_t address, uint64_t *ret_id, uint64_t *ret_offset);

/* The other way: 0, -KIN__NO_MODULE or -KIN__NO_CODE. */
int kin__os_module_at(uint64_t id, uint64_t offset, uintptr_t *ret_address);

/* What the function that begins at `address` is called: its symbol's name where the loader knows
 * it, else "module+0xoffset". */
void kin__os_function_name(uintptr_t address, char *ret, size_t size);
/* The name of the function that begins at `address`, where the loader knows it: its exported ones.
 * Else "". */
void kin__os_symbol_name(uintptr_t address, char *name, size_t size);

/* The files of the modules that were asked for so far, but for the program itself: how many, at
 * most `room`. They stay loaded, and the names valid. */
int kin__os_module_files(const char **ret_files, int room);

/* Looks at all modules that are loaded, so that children need not. */
void kin__os_modules_note(void);

/* Loads a module unless it is loaded. False when it cannot be. */
bool kin__os_module_load(const char *file);

#endif
