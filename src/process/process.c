/* process.c - making and freeing process objects, and the questions that need no lock. What changes
 * during a process's life is in children.c; how it starts, in start.c. */
#include "child.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Atomic unsigned made_here; /* process objects, by the process below */
static _Atomic pid_t maker;

/* Numbers begin anew in a child: its first one is Process-N:1. */
static unsigned next_number(void)
{
    pid_t self = kin__os_getpid();
    if (atomic_exchange(&maker, self) != self) {
        atomic_store(&made_here, 0);
    }
    return atomic_fetch_add(&made_here, 1) + 1;
}

/* ---- keys ------------------------------------------------------------------------------------ */

#define KEY_SIZE 32 /* of one that nobody chose */

typedef struct key {
    struct key *older;
    size_t size;
    unsigned char bytes[];
} key;

static key *_Atomic own_key;
static key *_Atomic keys; /* all that were: never freed, for somebody may be reading one */

static key *copy_key(const void *bytes, size_t size)
{
    key *k = kin__os_malloc(sizeof *k + size);
    if (k != NULL) {
        k->size = size;
        memcpy(k->bytes, bytes, size);
    }
    return k;
}

static void keep(key *k)
{
    k->older = atomic_load(&keys);
    while (!atomic_compare_exchange_weak(&keys, &k->older, k)) {
    }
}

int kin_set_authkey(const void *bytes, size_t size)
{
    if (bytes == NULL || size == 0) {
        return kin__fail(KIN_EINVAL, "kin_set_authkey: the key is %s",
                         bytes == NULL ? "NULL" : "empty");
    }
    key *k = copy_key(bytes, size);
    if (k == NULL) {
        return kin__fail(KIN_ENOMEM, "kin_set_authkey: no memory for a key of %zu bytes", size);
    }
    keep(k);
    atomic_store(&own_key, k);
    return 0;
}

void kin__process_forget_key(void)
{
    atomic_store(&own_key, NULL);
}

const void *kin__process_key(size_t *ret_size)
{
    key *k = atomic_load(&own_key);
    if (k == NULL) {
        unsigned char any[KEY_SIZE];
        const kin_process *me = kin__process_current();
        int rv = me->key_size == 0 ? kin__os_random(any, sizeof any) : 0;
        key *made = me->key_size == 0 ? copy_key(any, sizeof any) : copy_key(me->key, me->key_size);
        if (rv < 0 || made == NULL) {
            kin__os_free(made);
            (void)kin__fail(KIN_ENOMEM, "no key for this family could be made");
            return NULL;
        }
        if (atomic_compare_exchange_strong(&own_key, &k, made)) {
            keep(made);
            k = made;
        } else {
            kin__os_free(made);
        }
    }
    *ret_size = k->size;
    return k->bytes;
}

/* ---- making ---------------------------------------------------------------------------------- */

static char *append(char *at, const void *bytes, size_t size)
{
    if (size > 0) {
        memcpy(at, bytes, size);
    }
    return at + size;
}

kin_process *kin__process_make(const kin_process *like)
{
    size_t fds_size = like->n_fds * sizeof *like->fds;
    size_t number_size = strlen(like->number) + 1;
    size_t name_size = strlen(like->name) + 1;
    kin_process *p =
        kin__os_calloc(1, sizeof *p + fds_size + like->key_size + number_size + name_size);
    if (p == NULL) {
        return NULL;
    }
    *p = *like;
    p->uses = 1;
    p->sentinel = -1;
    p->lifeline = -1;
    p->news = -1;
    p->line = -1;
    p->exitcode = KIN_RUNNING;
    char *at = p->text;
    p->fds = (const int *)(const void *)at; /* first: it has to be aligned */
    p->key = at = append(at, like->fds, fds_size);
    p->number = at = append(at, like->key, like->key_size);
    p->name = at = append(at, like->number, number_size);
    append(at, like->name, name_size);
    return p;
}

/* Fills in what the options say, and for what they do not, what this process is. */
static int choose(kin_process *like, const kin_process_options *o)
{
    const kin_process *me = kin__process_current();
    like->daemon = o->daemon == 0 ? me->daemon : o->daemon > 0;
    like->method = kin__process_method();
    like->fds = o->fds;
    like->n_fds = o->n_fds;
    like->key = o->authkey;
    like->key_size = o->authkey_size;
    if (o->authkey == NULL) {
        like->key = kin__process_key(&like->key_size);
    }
    if (like->key == NULL) {
        return KIN_ENOMEM;
    }
    int method = o->start_method != NULL
                     ? kin__process_method_of(o->start_method, "kin_process_new")
                     : (int)like->method;
    like->method = method < 0 ? METHOD_FORK : (enum method)method;
    return method < 0 ? method : 0;
}

static int check_options(const kin_process_options *o)
{
    if ((o->reserved[0] | o->reserved[1] | o->reserved[2] | o->reserved[3]) != 0) {
        return kin__fail(KIN_EINVAL, "kin_process_new: a reserved option is not zero");
    }
    if ((o->authkey == NULL) != (o->authkey_size == 0)) {
        return kin__fail(KIN_EINVAL, "kin_process_new: an authkey of %zu bytes at %p",
                         o->authkey_size, o->authkey);
    }
    if (o->fds == NULL && o->n_fds != 0) {
        return kin__fail(KIN_EINVAL, "kin_process_new: %zu descriptors at NULL", o->n_fds);
    }
    for (size_t i = 0; i < o->n_fds; i++) {
        if (o->fds[i] < 0 || !kin__os_is_open(o->fds[i])) {
            return kin__fail(KIN_EINVAL, "kin_process_new: descriptor %d is not open", o->fds[i]);
        }
    }
    return 0;
}

static int check_new(kin_process **ret_process, kin_fn function, kin_obj args,
                     const kin_process_options *o)
{
    if (ret_process == NULL || function == (kin_fn)0) {
        return kin__fail(KIN_EINVAL, "kin_process_new: %s is NULL",
                         function == (kin_fn)0 ? "the function" : "where to put the process");
    }
    int rv = kin__obj_check(args, "kin_process_new");
    if (rv < 0) {
        return rv;
    }
    if (kin_type_of(args) != KIN_TYPE_TUPLE) {
        return kin__fail(KIN_ETYPE, "kin_process_new: the arguments are no tuple (use kin_args)");
    }
    return check_options(o);
}

static bool is_listed(const int *fds, size_t n, int fd)
{
    for (size_t i = 0; i < n; i++) {
        if (fds[i] == fd) {
            return true;
        }
    }
    return false;
}

/* A child that is not forked gets the descriptors of the connections among its arguments like those
 * that the options list. The new list, which is the caller's to free, or NULL with a code. */
static int list_carried(kin_process *like, kin_obj args, int **ret_fds)
{
    kin__cargo carried = { .n = 0 };
    int rv = kin__local_fds(args, &carried);
    if (rv < 0 || carried.n == 0 || like->method == METHOD_FORK) {
        return rv < 0 ? rv : 0;
    }
    int *all = kin__os_malloc((like->n_fds + (size_t)carried.n) * sizeof *all);
    if (all == NULL) {
        return kin__fail(KIN_ENOMEM, "kin_process_new: no memory for a list of descriptors");
    }
    if (like->n_fds > 0) {
        memcpy(all, like->fds, like->n_fds * sizeof *all);
    }
    for (int i = 0; i < carried.n; i++) {
        if (!is_listed(all, like->n_fds, carried.fds[i])) {
            all[like->n_fds++] = carried.fds[i];
        }
    }
    like->fds = *ret_fds = all;
    return 0;
}

/* A name that nobody chose is made of the number. */
static kin_process *make_named(kin_process *like, const char *name)
{
    const char *mine = kin__process_current()->number;
    size_t size = strlen(mine) + sizeof "Process-:4294967295";
    char *text = kin__os_malloc(size);
    if (text == NULL) {
        return NULL;
    }
    (void)snprintf(text, size, "Process-%s%s%u", mine, *mine != '\0' ? ":" : "", next_number());
    like->number = text + strlen("Process-");
    like->name = name != NULL ? name : text;
    kin_process *p = kin__process_make(like);
    kin__os_free(text);
    return p;
}

int kin_process_new(kin_process **ret_process, kin_fn function, kin_obj args,
                    const kin_process_options *options)
{
    static const kin_process_options defaults;
    options = options != NULL ? options : &defaults;
    kin_process like = { .maker = kin__os_getpid(), .function = function };
    kin_process *p = NULL;
    int *fds = NULL;
    int rv = check_new(ret_process, function, args, options);
    rv = rv < 0 ? rv : choose(&like, options);
    rv = rv < 0 ? rv : list_carried(&like, args, &fds);
    if (rv == 0) {
        p = make_named(&like, options->name);
        kin__os_free(fds);
        rv = p != NULL ? 0 : kin__fail(KIN_ENOMEM, "kin_process_new: no memory for a process");
    }
    if (rv == 0) {
        p->args = kin__obj_own(args);
        *ret_process = p;
    } else {
        kin__obj_drop(args);
    }
    return rv;
}

int kin_start(kin_process **ret_process, kin_fn function, kin_obj args,
              const kin_process_options *options)
{
    kin_process *p = NULL;
    int rv = kin_process_new(&p, function, args, options);
    if (rv == 0) {
        rv = kin_process_start(p);
    }
    if (rv < 0 || ret_process == NULL) {
        kin_process_free(p);
    } else {
        *ret_process = p;
    }
    return rv;
}

/* ---- questions ------------------------------------------------------------------------ */

const char *kin_process_name(const kin_process *process)
{
    if (process == NULL) {
        (void)kin__fail(KIN_EINVAL, "kin_process_name: the process is NULL");
        return "";
    }
    return process->name;
}

bool kin_process_daemon(const kin_process *process)
{
    if (process == NULL) {
        (void)kin__fail(KIN_EINVAL, "kin_process_daemon: the process is NULL");
        return false;
    }
    return process->daemon;
}

const void *kin_process_authkey(const kin_process *process, size_t *ret_size)
{
    if (process == NULL || ret_size == NULL) {
        (void)kin__fail(KIN_EINVAL, "kin_process_authkey: %s is NULL",
                        process == NULL ? "the process" : "where to put the size");
        return NULL;
    }
    if (process == kin__process_current()) {
        return kin__process_key(ret_size);
    }
    if (process->key_size == 0) {
        (void)kin__fail(KIN_ENOTFOUND, "kin_process_authkey: the key of %s is not known here",
                        process->name);
        return NULL;
    }
    *ret_size = process->key_size;
    return process->key;
}

/* An exit code as Python shows it: a signal by its name. */
static void put_exitcode(FILE *to, int code)
{
    char name[KIN__SIGNAL_NAME];
    if (code == KIN_ENOTFOUND) {
        (void)fputs(" exitcode=unknown", to);
    } else if (code < 0 && kin__os_signal_name(-code, name)) {
        (void)fprintf(to, " exitcode=-%s", name);
    } else if (code != 0) {
        (void)fprintf(to, " exitcode=%d", code);
    }
}

char *kin_process_repr(const kin_process *process)
{
    if (process == NULL) {
        (void)kin__fail(KIN_EINVAL, "kin_process_repr: the process is NULL");
        return NULL;
    }
    char *text = NULL;
    size_t size;
    FILE *to = open_memstream(&text, &size);
    if (to == NULL) {
        (void)kin__fail(KIN_ENOMEM, "kin_process_repr: no memory for a line");
        return NULL;
    }
    int pid = kin_process_pid(process);
    bool ours = process->maker == kin__os_getpid();
    bool alive = kin_process_is_alive(process);
    (void)fprintf(to, "<Process name='%s'", process->name);
    if (pid > 0) {
        (void)fprintf(to, " pid=%d", pid);
    }
    if (ours) {
        (void)fprintf(to, " parent=%d", (int)process->maker);
    }
    (void)fputs(pid == 0 ? " initial" : alive ? " started" : ours ? " stopped" : " unknown", to);
    if (ours && pid > 0 && !alive) {
        put_exitcode(to, kin_process_exitcode(process));
    }
    (void)fprintf(to, "%s>", process->daemon ? " daemon" : "");
    if (fclose(to) != 0) {
        kin__os_free(text);
        (void)kin__fail(KIN_ENOMEM, "kin_process_repr: no memory for a line");
        return NULL;
    }
    return text;
}
