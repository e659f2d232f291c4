/* command.c - which program is meant, and whether what was asked for makes sense.
 *
 * A program without a slash in its name is tried in each directory of the PATH that it will have
 * itself. All the paths are made here, since the child that tries them cannot allocate. */
#include "popen.h"

#include <stdlib.h>
#include <string.h>

#define DEFAULT_PATH "/bin:/usr/bin"
#define SHELL "/bin/sh"

/* ---- options -------------------------------------------------------------------------- */

static const kin_run_options no_options;

static int check_one(int value, const char *field, const char *verb)
{
    if (value == KIN_STDOUT && strcmp(field, ".err") != 0) {
        return kin__fail(KIN_EINVAL, "%s: %s cannot be KIN_STDOUT, which is for .err alone", verb,
                         field);
    }
    if (value < KIN_DEVNULL) {
        return kin__fail(KIN_EINVAL,
                         "%s: %s cannot be %d: it is a descriptor, or one of KIN_INHERIT, "
                         "KIN_PIPE, KIN_STDOUT, KIN_DEVNULL",
                         verb, field, value);
    }
    if (value > 0 && !kin__os_is_open(value)) {
        return kin__fail(KIN_EINVAL, "%s: %s is descriptor %d, which is not open", verb, field,
                         value);
    }
    return 0;
}

static int check_stdio(const kin_run_options *options, const char *verb)
{
    int rv = check_one(options->in, ".in", verb);
    rv = rv < 0 ? rv : check_one(options->out, ".out", verb);
    return rv < 0 ? rv : check_one(options->err, ".err", verb);
}

static int check_listed(const kin_run_options *options, const char *verb)
{
    if (options->fds == NULL && options->n_fds > 0) {
        return kin__fail(KIN_EINVAL, "%s: .fds is NULL, and has %zu", verb, options->n_fds);
    }
    for (size_t i = 0; i < options->n_fds; i++) {
        if (options->fds[i] < 0 || !kin__os_is_open(options->fds[i])) {
            return kin__fail(KIN_EINVAL, "%s: .fds lists descriptor %d, which is not open", verb,
                             options->fds[i]);
        }
    }
    return 0;
}

int kin__subprocess_check(const char *const argv[], const kin_run_options *options,
                          const char *verb)
{
    if (memcmp(options->reserved, no_options.reserved, sizeof no_options.reserved) != 0) {
        return kin__fail(KIN_EINVAL, "%s: a reserved option is not zero", verb);
    }
    if (argv == NULL || argv[0] == NULL) {
        return kin__fail(KIN_EINVAL, "%s: argv is %s", verb, argv == NULL ? "NULL" : "empty");
    }
    int rv = check_stdio(options, verb);
    return rv < 0 ? rv : check_listed(options, verb);
}

/* ---- the program ---------------------------------------------------------------------- */

/* argv becomes /bin/sh -c and all of it. */
static int wrap_in_shell(struct command *command, const char *const argv[])
{
    size_t count = 0;
    while (argv[count] != NULL) {
        count++;
    }
    const char **wrapped = kin__os_malloc((count + 3) * sizeof *wrapped);
    if (wrapped == NULL) {
        return KIN_ENOMEM;
    }
    wrapped[0] = SHELL;
    wrapped[1] = "-c";
    memcpy(wrapped + 2, argv, (count + 1) * sizeof *wrapped);
    command->argv = wrapped;
    command->argv_memory = wrapped;
    return 0;
}

static const char *path_of(const char *const *env)
{
    const char *path = env == NULL ? getenv("PATH") : NULL;
    for (; env != NULL && *env != NULL && path == NULL; env++) {
        path = strncmp(*env, "PATH=", 5) == 0 ? *env + 5 : NULL;
    }
    return path != NULL ? path : DEFAULT_PATH;
}

static size_t count_directories(const char *path)
{
    size_t count = 1;
    for (; *path != '\0'; path++) {
        count += *path == ':';
    }
    return count;
}

/* Writes "directory/name", or "name" for an empty directory, which is the one it starts in. */
static char *write_path(char *at, const char *directory, size_t length, const char *name)
{
    memcpy(at, directory, length);
    at += length;
    if (length > 0) {
        *at++ = '/';
    }
    size_t size = strlen(name) + 1;
    memcpy(at, name, size);
    return at + size;
}

/* One piece of memory: the pointers, then what they point to. */
static int search(struct command *command, const char *name, const char *path)
{
    size_t count = count_directories(path);
    size_t pointers = (count + 1) * sizeof(const char *);
    const char **paths = kin__os_malloc(pointers + strlen(path) + count * (strlen(name) + 2));
    if (paths == NULL) {
        return KIN_ENOMEM;
    }
    char *at = (char *)paths + pointers;
    for (size_t i = 0; i < count; i++) {
        size_t length = strcspn(path, ":");
        paths[i] = at;
        at = write_path(at, path, length, name);
        path += length + 1;
    }
    paths[count] = NULL;
    command->paths = paths;
    command->paths_memory = paths;
    return 0;
}

int kin__subprocess_find(struct command *command, const char *const argv[],
                         const kin_run_options *options)
{
    *command = (struct command){ .argv = argv, .name = argv[0], .alone = { argv[0] } };
    command->paths = command->alone;
    if (options->shell) {
        command->alone[0] = SHELL;
        return wrap_in_shell(command, argv);
    }
    bool is_path = argv[0][0] == '\0' || strchr(argv[0], '/') != NULL;
    return is_path ? 0 : search(command, argv[0], path_of(options->env));
}

void kin__subprocess_forget(struct command *command)
{
    kin__os_free(command->argv_memory);
    kin__os_free(command->paths_memory);
}
