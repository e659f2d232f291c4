#include "harness.h"

#include <errno.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

static const char *name_of_ours(void)
{
    static char name[64];
    snprintf(name, sizeof name, "kin-os-test-%d", (int)getpid());
    return name;
}

TEST(a_segment_has_its_size_and_its_memory_at_once)
{
    const char *name = name_of_ours();
    int fd = kin__os_shm_create(name, 4097);
    CHECK_GE(fd, 0);
    uint64_t size = 0, id = 0;
    CHECK_EQ(kin__os_shm_look(fd, &size, &id), 0);
    CHECK_EQ(size, 4097);
    int again = kin__os_shm_open(name);
    CHECK_GE(again, 0);
    void *a = NULL, *b = NULL;
    CHECK_EQ(kin__os_map_file(fd, 4097, &a), 0);
    CHECK_EQ(kin__os_map_file(again, 4097, &b), 0);
    ((char *)a)[4096] = 'x';
    CHECK_EQ(((char *)b)[4096], 'x');
    kin__os_unmap(a, 4097);
    kin__os_unmap(b, 4097);
    CHECK_EQ(kin__os_shm_create(name, 1), -EEXIST);
    CHECK_EQ(kin__os_shm_unlink(name), 0);
    CHECK_EQ(kin__os_shm_unlink(name), -ENOENT);
    CHECK_EQ(kin__os_shm_open(name), -ENOENT);
    close(fd);
    close(again);
}

TEST(a_segment_that_cannot_be_is_refused_and_leaves_no_name)
{
    const char *name = name_of_ours();
    CHECK_EQ(kin__os_shm_create(name, (uint64_t)1 << 60), -ENOSPC);
    CHECK_EQ(kin__os_shm_open(name), -ENOENT);
    CHECK_EQ(kin__os_shm_create("a/b", 10), -EINVAL);
    char name_too_long[300];
    memset(name_too_long, 'n', sizeof name_too_long - 1);
    name_too_long[299] = '\0';
    CHECK_EQ(kin__os_shm_create(name_too_long, 10), -ENAMETOOLONG);
    CHECK_EQ(kin__os_shm_unlink(name_too_long), -ENAMETOOLONG);
}

TEST(only_the_file_that_was_meant_is_unlinked)
{
    const char *name = name_of_ours();
    uint64_t first = 0, second = 0, size;
    int fd = kin__os_shm_create(name, 10);
    CHECK_EQ(kin__os_shm_look(fd, &size, &first), 0);
    CHECK_EQ(kin__os_shm_unlink(name), 0);
    int another = kin__os_shm_create(name, 10);
    CHECK_EQ(kin__os_shm_look(another, &size, &second), 0);
    CHECK_EQ(kin__os_shm_unlink_own(name, first), -ENOENT);
    CHECK_EQ(kin__os_shm_unlink_own(name, second), 0);
    CHECK_EQ(kin__os_shm_unlink_own(name, second), -ENOENT);
    close(fd);
    close(another);
}

TEST(of_two_who_mean_the_same_file_one_unlinks_it)
{
    const char *name = name_of_ours();
    uint64_t id = 0, size;
    int fd = kin__os_shm_create(name, 10);
    CHECK_EQ(kin__os_shm_look(fd, &size, &id), 0);
    CHECK_EQ(flock(fd, LOCK_EX), 0); /* as somebody who is about to */
    CHECK_EQ(kin__os_shm_unlink_own(name, id), -EWOULDBLOCK);
    CHECK_EQ(flock(fd, LOCK_UN), 0);
    CHECK_EQ(kin__os_shm_unlink_own(name, id), 0);
    close(fd);
}
