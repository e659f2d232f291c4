/* kin-manager - shared dicts, lists, queues and locks for programs on any machine.
 *
 * A manager of its own: it has no program around it, serves what its options name, and lets clients
 * make more. It says where it listens on stdout, whom it refuses on stderr, and ends on SIGTERM,
 * SIGINT, or when a client asks it to. The manual: docs/man/kin-manager.1. */
#include <kin.h>

#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { KEY_MOST = 4096 };

/* Long options without a letter. */
enum { MD5 = 256, NO_CREATE, CLIENTS, MESSAGE, MEMORY, RATE, ACK_QUEUE };

typedef struct settings {
    kin_manager *manager;
    const char *address;
    const char *key_file;
    kin_serve_options serve;
} settings;

static const struct argp_option options[] = {
    { "address", 'a', "ADDRESS", 0, "host:port, a path, or @name; default: 127.0.0.1, a free port",
      0 },
    { "authkey-file", 'k', "FILE", 0, "whose bytes, without a newline at the end, are the key", 0 },
    { "allow-md5", MD5, 0, 0, "serve clients that know no better digest: Python up to 3.11", 0 },
    { "no-create", NO_CREATE, 0, 0, "clients may only use what is named here", 0 },
    { "max-clients", CLIENTS, "N", 0, "connections at once", 0 },
    { "max-message", MESSAGE, "BYTES", 0, "of a request", 0 },
    { "max-memory", MEMORY, "BYTES", 0, "that may wait for all clients together", 0 },
    { "max-rate", RATE, "N", 0, "requests a second of one program, or host by TCP", 0 },
    { 0, 0, 0, 0, "Things to serve under a name:", 1 },
    { "dict", 'd', "NAME", 0, 0, 1 },
    { "list", 'l', "NAME", 0, 0, 1 },
    { "set", 's', "NAME", 0, 0, 1 },
    { "namespace", 'n', "NAME", 0, 0, 1 },
    { "queue", 'q', "NAME[:SIZE]", 0, "SIZE: messages at most", 1 },
    { "ack-queue", ACK_QUEUE, "NAME[:SIZE]", 0,
      "the same, and what its taker did not finish goes back", 1 },
    { "lock", 'L', "NAME", 0, 0, 1 },
    { "event", 'e', "NAME", 0, 0, 1 },
    { 0 },
};

const char *argp_program_version = "kin-manager " KIN_VERSION;

/* ---- things ---------------------------------------------------------------------------------- */

static int add_thing(kin_manager *m, int key, const char *name)
{
    void *thing = NULL;
    int rv = KIN_EINVAL;
    switch (key) {
    case 'd':
        rv = kin_manager_dict(m, (kin_shared_dict **)&thing, kin_none());
        break;
    case 'l':
        rv = kin_manager_list(m, (kin_shared_list **)&thing, kin_none());
        break;
    case 's':
        rv = kin_manager_set(m, (kin_shared_set **)&thing, kin_none());
        break;
    case 'n':
        rv = kin_manager_namespace(m, (kin_shared_namespace **)&thing, kin_none());
        break;
    case 'L':
        rv = kin_manager_lock(m, (kin_lock **)&thing);
        break;
    case 'e':
        rv = kin_manager_event(m, (kin_event **)&thing);
        break;
    default:
        break;
    }
    return rv < 0 ? rv : kin_manager_register(m, name, kin_shared(thing));
}

/* ---- options --------------------------------------------------------------------------------- */

static size_t number(const char *text, struct argp_state *state)
{
    char *end;
    errno = 0;
    unsigned long long n = strtoull(text, &end, 10);
    if (end == text || *end != '\0' || text[0] == '-' || n == 0 || errno != 0) {
        argp_error(state, "\"%s\" is no number above 0", text);
    }
    return n;
}

/* A name with a colon would be one whose size was mistyped. */
static void check_name(const char *name, size_t size, struct argp_state *state)
{
    if (size == 0 || memchr(name, ':', size) != NULL) {
        argp_error(state, "\"%s\": a thing has a name, without a colon in it", name);
    }
}

static int add_queue(kin_manager *m, char *text, bool ack, struct argp_state *state)
{
    kin_queue *queue;
    char *colon = strrchr(text, ':');
    check_name(text, colon != NULL ? (size_t)(colon - text) : strlen(text), state);
    kin_queue_options how = { .joinable = true, .ack = ack };
    how.maxsize = colon != NULL ? number(colon + 1, state) : 0;
    int rv = kin_manager_queue(m, &queue, &how);
    if (colon != NULL) {
        *colon = '\0';
    }
    return rv < 0 ? rv : kin_manager_register(m, text, kin_shared(queue));
}

static void add(kin_manager *m, int key, char *text, struct argp_state *state)
{
    bool is_queue = key == 'q' || key == ACK_QUEUE;
    if (!is_queue) {
        check_name(text, strlen(text), state);
    }
    int rv = is_queue ? add_queue(m, text, key == ACK_QUEUE, state) : add_thing(m, key, text);
    if (rv == KIN_EEXIST) {
        argp_error(state, "there are two things of the name \"%s\"", text);
    } else if (rv < 0) {
        argp_failure(state, 1, 0, "%s: %s", text, kin_errmsg());
    }
}

static error_t parse(int key, char *argument, struct argp_state *state)
{
    settings *s = state->input;
    switch (key) {
    case 'a':
        s->address = argument;
        return 0;
    case 'k':
        s->key_file = argument;
        return 0;
    case MD5:
        s->serve.allow_md5 = true;
        return 0;
    case NO_CREATE:
        s->serve.allow_create = false;
        return 0;
    case CLIENTS:
        s->serve.max_clients = number(argument, state);
        return 0;
    case MESSAGE:
        s->serve.max_message = number(argument, state);
        return 0;
    case MEMORY:
        s->serve.max_memory = number(argument, state);
        return 0;
    case RATE:
        s->serve.max_rate = number(argument, state);
        return 0;
    case ARGP_KEY_END:
        if (s->key_file == NULL) {
            argp_error(state, "--authkey-file is needed: whoever has the key may use what is here");
        }
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "what is %s?", argument);
        return EINVAL;
    default:
        break;
    }
    if (argument == NULL) {
        return ARGP_ERR_UNKNOWN;
    }
    add(s->manager, key, argument, state);
    return 0;
}

/* ---- the key --------------------------------------------------------------------------------- */

static void fail(const char *what, const char *why)
{
    fprintf(stderr, "kin-manager: %s: %s\n", what, why);
    exit(1);
}

/* Its size. */
static size_t read_key(const char *path, char *key)
{
    struct stat about;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &about) < 0) {
        fail(path, strerror(errno));
    }
    if (about.st_mode & S_IROTH) {
        fprintf(stderr, "kin-manager: everybody can read the key in %s\n", path);
    }
    ssize_t n = read(fd, key, KEY_MOST);
    close(fd);
    if (n < 0) {
        fail(path, strerror(errno));
    }
    if (n > 0 && key[n - 1] == '\n') {
        n--;
    }
    if (n == 0 || n == KEY_MOST) {
        fail(path, n == 0 ? "there is no key in it" : "the key in it is too long");
    }
    return (size_t)n;
}

/* ---- serving --------------------------------------------------------------------------------- */

/* Who was refused, and why. */
static void on_log(int level, const char *text, void *ctx)
{
    (void)level;
    (void)ctx;
    fprintf(stderr, "kin-manager: %s\n", text);
}

static void on_signal(int number)
{
    (void)number;
    (void)kin_interrupt();
}

int main(int argc, char **argv)
{
    static const struct argp argp = {
        options,
        parse,
        0,
        "Serves shared dicts, lists, queues and locks to C programs (kin_manager_connect) and to "
        "Python's multiprocessing.managers.",
        0,
        0,
        0
    };
    char key[KEY_MOST];
    settings s = { .address = "127.0.0.1:0", .serve = { .allow_create = true } };
    KIN_CHECK(kin_init(argc, argv));
    KIN_CHECK(kin_manager_new(&s.manager, NULL));
    argp_parse(&argp, argc, argv, 0, NULL, &s);
    s.serve.authkey_size = read_key(s.key_file, key);
    s.serve.authkey = key;

    sigaction(SIGTERM, &(const struct sigaction){ .sa_handler = on_signal }, NULL);
    sigaction(SIGINT, &(const struct sigaction){ .sa_handler = on_signal }, NULL);
    (void)kin_log_set_level(KIN_LOG_INFO);
    kin_log_set_handler(on_log, NULL);
    if (kin_manager_serve(s.manager, s.address, &s.serve) < 0) {
        fail(s.address, kin_errmsg());
    }
    explicit_bzero(key, sizeof key);
    printf("%s\n", kin_manager_address(s.manager));
    fflush(stdout);

    int rv = kin_manager_join(s.manager, KIN_FOREVER);
    kin_manager_free(s.manager);
    return rv == 0 || rv == KIN_EINTR ? 0 : 1;
}
