/* descriptor.c - descriptors as objects, for messages between relatives.
 *
 * A descriptor is a small number and no thing with an address: it is told from NULL by adding 1. */
#include "room.h"

#include <errno.h>

#define kin_descriptor_KIND 65

static int number(const void *thing)
{
    return (int)(intptr_t)thing - 1;
}

static int pack(void *thing, int ret_fds[KIN__LOCAL_FDS], uint64_t *ret_note)
{
    ret_fds[0] = number(thing);
    *ret_note = 0;
    if (!kin__os_is_open(ret_fds[0])) {
        return kin__fail(KIN_EINVAL, "descriptor %d is not open", ret_fds[0]);
    }
    return 1;
}

static void *unpack(const int *fds, int n, uint64_t note)
{
    (void)note;
    if (n != 1) {
        (void)kin__fail(KIN_ECORRUPT, "%d descriptors where one should be", n);
        for (int i = 0; i < n; i++) {
            kin__os_close(fds[i]);
        }
        return NULL;
    }
    return (void *)(intptr_t)(fds[0] + 1);
}

static void end(void *thing)
{
    kin__os_close(number(thing));
}

static const kin__local_ops descriptor_ops = {
    .kind = kin_descriptor_KIND,
    .name = "descriptor",
    .pack = pack,
    .unpack = unpack,
    .free = end,
};

void kin__conn_prepare(void)
{
    kin__local_kind(&descriptor_ops);
    kin__local_kind(&kin__conn_ops);
}

kin_obj kin_descriptor(int fd)
{
    if (fd < 0 || !kin__os_is_open(fd)) {
        return kin__obj_invalid(
            kin__fail(KIN_EINVAL, "kin_descriptor: descriptor %d is not open", fd));
    }
    kin__local_kind(&descriptor_ops);
    return kin__local_object((void *)(intptr_t)(fd + 1), &descriptor_ops, false);
}

int kin_as_descriptor(kin_obj o)
{
    return number(kin_as_shared_type(o, kin_descriptor_KIND));
}

int kin_take_descriptor(kin_obj o)
{
    return number(kin_take_shared_type(o, kin_descriptor_KIND));
}
