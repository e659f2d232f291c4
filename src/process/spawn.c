/* spawn.c - a fresh image of this program that turns into what it was started for.
 *
 * Idea. The same file is executed, with the same arguments; a variable in the environment says what
 * the image is to be and which descriptor tells it the rest. Before main, we take that variable out
 * of the environment, so that nobody inherits it; in kin_init the image turns into its task, and
 * never comes back.
 *
 *      KIN__START=c7.0       a child ('s': the fork server), told by descriptor 7, at the first try
 *
 * Rules.
 *   R1  An image that waits for kin_init starts no process by any method: a program that does so
 *       above its kin_init would otherwise start itself for ever.
 *   R2  When something lies where the family's memory belongs, the image executes itself again: the
 *       kernel chooses other addresses each time.
 *   R3  An image that ends without kin_init says so, and that it failed: its task was not run.
 *
 * Death. The starter may die at any time: descriptors and their contents are there without it.
 *
 * Not here. What is told: packet.c. The system calls: os/spawn.c, os/inherit.c.
 */
#include "packet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VARIABLE "KIN__START="
#define PATH_ROOM 4096
#define TRIES 16

static struct {
    int role; /* 0: an image like any other */
    int packet;
    int tries;
} told;

static char **arguments; /* main's */

/* ---- in the starter ----------------------------------------------------------------------- */

/* The environment with the variable in front; free it. */
static const char **environment_with(const char *variable)
{
    const char *const *env = kin__os_environment();
    size_t n = 0;
    while (env != NULL && env[n] != NULL) {
        n++;
    }
    const char **with = kin__os_malloc((n + 2) * sizeof *with);
    if (with != NULL) {
        with[0] = variable;
        if (n > 0) {
            memcpy(with + 1, env, n * sizeof *with);
        }
        with[n + 1] = NULL;
    }
    return with;
}

pid_t kin__process_exec_self(kin__role role, int told_by, const int *keep, size_t n_keep)
{
    char path[PATH_ROOM];
    char variable[sizeof VARIABLE + 32];
    (void)snprintf(variable, sizeof variable, VARIABLE "%c%d.0", role, told_by);
    int rv = kin__os_own_program(path, sizeof path);
    if (rv < 0) {
        return kin__fail_os(rv, "cannot find this program's file");
    }
    const char **env = environment_with(variable);
    if (env == NULL) {
        return kin__fail(KIN_ENOMEM, "no memory for an environment");
    }
    kin__signals signals;
    kin__os_get_signals(&signals);
    const char *const paths[] = { path, NULL };
    const char *const plain[] = { path, NULL };
    const kin__spawn how = {
        .paths = paths,
        .argv = arguments[0] != NULL ? (const char *const *)arguments : plain,
        .env = env,
        .stdio = { kin__os_is_open(0) ? 0 : -1, kin__os_is_open(1) ? 1 : -1,
                   kin__os_is_open(2) ? 2 : -1 },
        .keep = keep,
        .n_keep = n_keep,
        .signals = signals.mask,
    };
    kin__os_flush();
    pid_t pid = kin__os_spawn(&how);
    kin__os_free(env);
    return pid < 0 ? kin__fail_os(pid, "cannot start %s anew", path) : pid;
}

/* What a spawned child holds beside stdio: the listed descriptors, and these of ours. */
static pid_t exec_child(kin_process *p, int packet, const kin__packet_fds *fds)
{
    kin__place place;
    kin__domain_place(&place);
    int *keep = kin__os_malloc((p->n_fds + 5) * sizeof *keep);
    if (keep == NULL) {
        return kin__fail(KIN_ENOMEM, "kin_process_start: no memory for a list of descriptors");
    }
    size_t n = 0;
    keep[n++] = packet;
    keep[n++] = place.fd;
    if (fds->server >= 0) {
        keep[n++] = fds->server;
    }
    if (fds->tether >= 0) {
        keep[n++] = fds->tether;
    }
    if (p->lifeline >= 0) {
        keep[n++] = p->lifeline;
    }
    for (size_t i = 0; i < p->n_fds; i++) {
        keep[n++] = p->fds[i];
    }
    pid_t pid = kin__process_exec_self(ROLE_CHILD, packet, keep, n);
    kin__os_free(keep);
    return pid;
}

pid_t kin__process_spawn(kin_process *p)
{
    const kin__packet_fds fds = {
        .server = kin__process_server(),
        .tether = p->daemon ? kin__process_tether() : -1,
    };
    if (p->daemon && fds.tether < 0) {
        return fds.tether;
    }
    int packet = kin__packet_write(p, &fds);
    if (packet < 0) {
        return packet;
    }
    KIN__STEP("start.packet");
    pid_t pid = exec_child(p, packet, &fds);
    KIN__STEP("start.spawned");
    if (pid < 0) {
        kin__packet_take_back(p, packet);
        return pid;
    }
    kin__os_close(packet);
    return pid;
}

/* ---- in the image ------------------------------------------------------------------------- */

/* Before main and before the program's own constructors, which may start processes too. */
__attribute__((constructor(101))) static void look_for_role(void)
{
    const char *text = getenv("KIN__START");
    char role;
    if (text == NULL) {
        return;
    }
    if (sscanf(text, "%c%d.%d", &role, &told.packet, &told.tries) == 3 &&
        (role == ROLE_CHILD || role == ROLE_SERVER)) {
        told.role = role;
        kin__domain_await();
    }
    (void)unsetenv("KIN__START");
}

/* R3 */
__attribute__((destructor)) static void complain_of_no_init(void)
{
    static const char text[] =
        "kin: a process was to run a function, but its program ended without "
        "calling kin_init(argc, argv) at the top of main\n";
    if (told.role != 0) {
        kin__os_complain(text, sizeof text - 1);
        kin__os_leave(1);
    }
}

int kin__process_check_role(const char *verb)
{
    if (told.role == 0) {
        return 0;
    }
    return kin__fail(KIN_ESTATE,
                     "%s: this process was started to run a function, and has not come to kin_init "
                     "yet: that belongs at the top of main",
                     verb);
}

static _Noreturn void give_up(const kin_process *self)
{
    (void)fprintf(stderr, "%s: could not begin: %s\n", self != NULL ? self->name : "kin",
                  kin_errmsg());
    kin__os_leave(1);
}

/* R2 */
static void try_again(void)
{
    char path[PATH_ROOM];
    char variable[sizeof VARIABLE + 32];
    if (told.tries >= TRIES || kin__os_own_program(path, sizeof path) < 0) {
        return;
    }
    (void)snprintf(variable, sizeof variable, VARIABLE "%c%d.%d", told.role, told.packet,
                   told.tries + 1);
    const char **env = environment_with(variable);
    if (env != NULL) {
        (void)kin__os_exec(path, (const char *const *)arguments, env);
    }
}

static void attach(void)
{
    kin__place place;
    int rv = kin__packet_place(told.packet, &place);
    rv = rv < 0 ? rv : kin__domain_attach(&place);
    if (rv == KIN_EAGAIN) {
        try_again();
    }
    if (rv < 0) {
        give_up(NULL);
    }
    (void)kin__os_keep_from_exec(place.fd);
}

void kin__process_enter(int argc, char **argv)
{
    (void)argc;
    arguments = argv;
    atomic_store(&kin__process_ready, true);
    if (told.role == 0) {
        return;
    }
    kin_process *self = NULL;
    kin__packet_fds fds = { -1, -1 };
    kin__signals signals;
    KIN__STEP("start.image");
    attach();
    KIN__STEP("start.attached");
    if (kin__packet_read(told.packet, &self, &fds, &signals) < 0) {
        give_up(self);
    }
    kin__role role = (kin__role)told.role;
    told.role = 0;
    kin__os_close(told.packet);
    if (role == ROLE_SERVER) {
        kin__process_serve(self, fds.server);
    }
    kin__process_set_server(fds.server);
    kin__process_hold_lifeline(self);
    kin__process_live(self, fds.tether);
}

int kin_init(int argc, char **argv)
{
    if (argc < 0 || argv == NULL) {
        return kin__fail(KIN_EINVAL, "kin_init: %d arguments at %p", argc, (void *)argv);
    }
    kin__process_enter(argc, argv);
    size_t unused;
    return kin__process_key(&unused) == NULL ? KIN_ENOMEM : kin__join();
}
