#include "harness.h"

#include "process/packet.h"
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

static kin_obj twice(kin_obj args)
{
    return kin_int(2 * kin_arg_int(args, 0));
}

static const kin__packet_fds no_fds = { -1, -1 };

static kin_process *make(kin_obj args)
{
    kin_process *p = NULL;
    CHECK_OK(kin_init(0, (char *[]){ NULL }));
    CHECK_OK(kin__process_prepare());
    CHECK_OK(kin_process_new(&p, twice, args,
                             KIN_OPT(kin_process_options, .name = "packed", .authkey = "secret",
                                     .authkey_size = 6, .daemon = true, .start_method = "spawn")));
    return p;
}

/* ---- there ---------------------------------------------------------------------------- */

static int read_it(void *ctx)
{
    kin_process *self = NULL;
    kin__packet_fds fds;
    kin__signals signals;
    size_t size;
    if (kin__packet_read(*(int *)ctx, &self, &fds, &signals) < 0) {
        (void)fprintf(stderr, "# %s\n", kin_errmsg());
        return 1;
    }
    const void *key = kin_process_authkey(kin_current_process(), &size);
    bool right = self->function == twice && kin_len(self->args) == 2 && self->daemon &&
                 self->method == METHOD_SPAWN && strcmp(self->name, "packed") == 0 && size == 6 &&
                 memcmp(key, "secret", 6) == 0 && fds.tether == -1;
    right = right && strcmp(kin_process_name(kin_parent_process()), "MainProcess") == 0 &&
            kin_process_pid(kin_parent_process()) == kin__os_getppid() &&
            kin_process_is_alive(kin_parent_process());
    self->record->exitcode = 42;
    atomic_store(&self->record->left, 1);
    return right ? 0 : 2;
}

TEST(what_is_told_arrives)
{
    kin_process *p = make(kin_args(kin_int(21), kin_list(kin_str("x"))));
    int packet = kin__packet_write(p, &no_fds);
    CHECK_GE(packet, 0);
    CHECK_EQ(test_join(test_child(read_it, &packet)), 0);
    CHECK_EQ(p->record->left, 1);
    CHECK_EQ(p->record->exitcode, 42);
    kin__os_close(packet);
    kin_process_free(p);
}

TEST(what_nobody_read_is_taken_back_with_its_buffers)
{
    char *bytes = kin_alloc(5);
    kin_usage_info usage;
    CHECK_NOT_NULL(bytes);
    memcpy(bytes, "hello", 5);
    kin_process *p = make(kin_args(kin_list(kin_buffer(bytes, 5))));
    int packet = kin__packet_write(p, &no_fds);
    CHECK_GE(packet, 0);
    size_t size = 0;
    CHECK_NULL(kin_take_buffer(kin_at(kin_at(p->args, 0), 0), &size));
    kin__packet_take_back(p, packet);
    char *taken = kin_take_buffer(kin_at(kin_at(p->args, 0), 0), &size);
    CHECK_PTR(taken, bytes);
    CHECK_EQ(size, 5);
    kin_free(taken);
    kin_process_free(p);
    CHECK_OK(kin_usage(&usage));
    CHECK_EQ(usage.blocks, 0);
}

/* ---- bytes of strangers ---------------------------------------------------------------- */

TEST(what_is_no_packet_is_refused)
{
    kin__place place;
    CHECK_ERROR(kin__packet_place(-1, &place), KIN_ECORRUPT);
    int fd = kin__os_memfd("test");
    CHECK_ERROR(kin__packet_place(fd, &place), KIN_ECORRUPT);
    CHECK_EQ(kin__os_commit(fd, 0, 65536), 0);
    CHECK_ERROR(kin__packet_place(fd, &place), KIN_ECORRUPT);
    kin__os_close(fd);
}

struct garbled {
    int packet;
    size_t at;
};

/* May fail, may even succeed where the byte did not matter; may not crash. */
static int read_garbled(void *ctx)
{
    kin_process *self = NULL;
    kin__packet_fds fds;
    kin__signals signals;
    kin__place place;
    struct garbled *g = ctx;
    (void)kin__packet_place(g->packet, &place);
    int rv = kin__packet_read(g->packet, &self, &fds, &signals);
    return rv < 0 && kin_errmsg()[0] == '\0' ? 1 : 0;
}

TEST_WITHIN(60, a_packet_with_any_byte_changed_does_no_harm)
{
    kin_process *p =
        make(kin_args(kin_int(1), kin_str("some text"), kin_dict(kin_int(1), kin_none())));
    int packet = kin__packet_write(p, &no_fds);
    uint64_t size = 0;
    CHECK_GE(packet, 0);
    CHECK_EQ(kin__os_file_size(packet, &size), 0);
    for (size_t i = RECORD_SIZE; i < size; i += 1 + test_random() % 5) {
        struct garbled g = { packet, i };
        char was;
        char is = (char)test_random();
        CHECK_EQ(pread(packet, &was, 1, (off_t)i), 1);
        CHECK_EQ(pwrite(packet, &is, 1, (off_t)i), 1);
        CHECK_EQ(test_join(test_child(read_garbled, &g)), 0);
        CHECK_EQ(pwrite(packet, &was, 1, (off_t)i), 1);
    }
    kin__packet_take_back(p, packet);
    kin_process_free(p);
}
