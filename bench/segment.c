/* How long does it take to create a segment with a name, to attach one, and to close one? */
#include <fcntl.h>
#include <kin.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/bench.h"

#define COUNT 500
#define SIZE 4096

enum phase { CREATE, ATTACH, CLOSE, PHASES };

/* A way to do it: all three return or take what is mapped, or a handle. */
typedef struct way {
    void *(*create)(const char *name);
    void *(*attach)(const char *name);
    void (*close)(void *segment);
} way;

/* Creates as many, attaches each once more, and closes all; seconds of one phase for one. */
static double measure(const way *w, const void *phase)
{
    static char names[COUNT][40];
    static void *made[COUNT], *seen[COUNT];
    double at[PHASES + 1];
    for (int i = 0; i < COUNT; i++) {
        snprintf(names[i], sizeof names[i], "kin_bench_%d_%d", (int)getpid(), i);
    }
    at[CREATE] = kin_now();
    for (int i = 0; i < COUNT; i++) {
        made[i] = w->create(names[i]);
    }
    at[ATTACH] = kin_now();
    for (int i = 0; i < COUNT; i++) {
        seen[i] = w->attach(names[i]);
    }
    at[CLOSE] = kin_now();
    for (int i = 0; i < COUNT; i++) {
        w->close(seen[i]);
    }
    at[PHASES] = kin_now();
    for (int i = 0; i < COUNT; i++) {
        w->close(made[i]);
        BENCH_MUST(shm_unlink(names[i]) == 0);
    }
    enum phase which = *(const enum phase *)phase;
    return (at[which + 1] - at[which]) / COUNT;
}

/* ---- ours ------------------------------------------------------------------------------ */

static void *our_create(const char *name)
{
    kin_shm *segment = NULL;
    KIN_CHECK(kin_shm_create(&segment, name, SIZE));
    return segment;
}

static void *our_attach(const char *name)
{
    kin_shm *segment = NULL;
    KIN_CHECK(kin_shm_open(&segment, name));
    return segment;
}

static void our_close(void *segment)
{
    kin_shm_free(segment);
}

static double ours(const void *phase)
{
    return measure(&(way){ our_create, our_attach, our_close }, phase);
}

/* ---- by hand --------------------------------------------------------------------------- */

static void *map(int fd, size_t size)
{
    void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    BENCH_MUST(at != MAP_FAILED && close(fd) == 0);
    return at;
}

static void *hand_create(const char *name)
{
    int fd = shm_open(name, O_CREAT | O_EXCL | O_RDWR, 0600);
    BENCH_MUST(fd >= 0 && ftruncate(fd, SIZE) == 0);
    return map(fd, SIZE);
}

/* There is memory for it then, or an error. */
static void *hand_create_whole(const char *name)
{
    int fd = shm_open(name, O_CREAT | O_EXCL | O_RDWR, 0600);
    BENCH_MUST(fd >= 0 && posix_fallocate(fd, 0, SIZE) == 0);
    return map(fd, SIZE);
}

static void *hand_attach(const char *name)
{
    struct stat file;
    int fd = shm_open(name, O_RDWR, 0600);
    BENCH_MUST(fd >= 0 && fstat(fd, &file) == 0);
    return map(fd, (size_t)file.st_size);
}

static void hand_close(void *segment)
{
    BENCH_MUST(munmap(segment, SIZE) == 0);
}

static double by_hand(const void *phase)
{
    return measure(&(way){ hand_create, hand_attach, hand_close }, phase);
}

static double by_hand_whole(const void *phase)
{
    return measure(&(way){ hand_create_whole, hand_attach, hand_close }, phase);
}

/* ---- asking ---------------------------------------------------------------------------- */

static void ask(const char *name, const char *calls, const char *peer, enum phase phase)
{
    bench_run(&(bench_case){
        .name = name,
        .unit = "us",
        .ours = ours,
        .floor = by_hand,
        .floor_is = calls,
        .peer = peer,
        .conditions = "on cpu 0, 4 KiB",
        .arg = &phase,
        .others = { { .name = "with posix_fallocate", .measure = by_hand_whole } } });
}

int main(int argc, char **argv)
{
    KIN_CHECK(kin_init(argc, argv));
    bench_pin(0);
    ask("segment: create", "shm_open, ftruncate, mmap, close", "segment.py create 500", CREATE);
    ask("segment: attach", "shm_open, fstat, mmap, close", "segment.py attach 500", ATTACH);
    ask("segment: close", "munmap", "segment.py close 500", CLOSE);
    return 0;
}
