/* journal.c - lines on their way into a file that others write to, too.
 *
 * Idea. Lines gather in the family's memory, and go to the file many at a time, under its lock. The
 * file is whole JSON between any two writes: each begins where the closing bracket was, and ends
 * with another one.
 *
 *     [ \n first ,\n line ,\n line \n] \n          "}}" is at the end of lines and nowhere else
 *                                  ^ `at`
 *
 * Rules.
 *   R1  A journal has one writer at a time: a worker, or who comes after him.
 *   R2  A line is there when `extent` says so, by one store.
 *   R3  Before the file is touched `at` says where. `extent` is emptied, and then `at`, when all is
 *       in the file.
 *   R4  Who has the lock, and finds the file without its end, cuts it behind its last whole line.
 *
 * Death. Killed while he added a line: it is not there. Killed while he wrote: the next one with
 * the lock mends the file (R4); the next one of the journal compares it with the text, from `at`
 * on, and writes what is not there (R3). Nobody else has written whole lines like these: they name
 * the place and the time.
 */
#include "seen.h"

#include <errno.h>
#include <string.h>

#define END "\n]\n"
#define END_SIZE (sizeof END - 1)
#define HEAD "[\n{\"ph\":\"M\",\"pid\":0,\"tid\":0,\"name\":\"kin\",\"args\":{}}"
#define HEAD_SIZE (sizeof HEAD - 1)
#define HALF (KIN__JOURNAL_ROOM / 2)
#define EIGHTH (KIN__JOURNAL_ROOM / 8)
#define PATIENCE 100000000 /* ns for the lock before lines are dropped */
#define PIECE 4096

_Static_assert(KIN__JOURNAL_LINE <= PIECE, "the end of a file has a whole line in it");

/* ---- lines ----------------------------------------------------------------------------------- */

typedef struct extent {
    uint32_t from, to;
} extent;

/* Not believed: it may have been scribbled upon. */
static extent extent_of(const kin__journal *journal)
{
    uint64_t word = atomic_load_explicit(&journal->extent, memory_order_relaxed);
    extent e = { .from = (uint32_t)(word >> 32), .to = (uint32_t)word };
    return e.to <= KIN__JOURNAL_ROOM && e.from <= e.to ? e : (extent){ 0 };
}

static void set_extent(kin__journal *journal, uint32_t from, uint32_t to)
{
    /* a signal fence would do: who reads it was this process, or has seen its death */
    atomic_store_explicit(&journal->extent, (uint64_t)from << 32 | to, memory_order_release);
}

char *kin__journal_line(kin__journal *journal)
{
    return journal->text + extent_of(journal).to;
}

static void drop_all(kin__journal *journal)
{
    extent e = extent_of(journal);
    for (uint32_t i = e.from; i + 1 < e.to; i++) {
        journal->dropped += journal->text[i] == ',' && journal->text[i + 1] == '\n';
    }
    set_extent(journal, 0, 0);
    journal->patience = 0;
}

void kin__journal_add(kin__journal *journal, size_t length)
{
    extent e = extent_of(journal);
    KIN__STEP("journal.line");
    if (e.to + length > KIN__JOURNAL_ROOM) { /* nobody has relieved it */
        journal->dropped++;
        return;
    }
    set_extent(journal, e.from, e.to + (uint32_t)length); /* R2 */
}

bool kin__journal_is_due(const kin__journal *journal)
{
    uint32_t to = extent_of(journal).to;
    return to >= HALF && to >= journal->patience;
}

void kin__journal_relieve(kin__journal *journal, const char *path)
{
    uint32_t to = extent_of(journal).to;
    bool full = to > KIN__JOURNAL_ROOM - EIGHTH;
    int rv = kin__journal_write(journal, path, full ? kin__os_now() + PATIENCE : 0);
    journal->patience = rv < 0 ? to + EIGHTH : 0;
    if (rv < 0 && full) {
        drop_all(journal);
    }
}

/* ---- the file -------------------------------------------------------------------------------- */

static bool is_line_end(const char *text, size_t size, size_t at)
{
    return memcmp(text + at, "}}", 2) == 0 &&
           (at + 2 == size || text[at + 2] == ',' || text[at + 2] == '\n');
}

/* R4: *ret_end is where the last whole line ends; below that nothing is changed. */
static int mend(int fd, uint64_t size, uint64_t *ret_end)
{
    char tail[PIECE];
    uint64_t from = size > sizeof tail ? size - sizeof tail : 0;
    ssize_t n = kin__os_file_read(fd, tail, sizeof tail, from);
    size_t i = n >= 2 ? (size_t)n - 1 : 0;
    while (i > 0 && !is_line_end(tail, (size_t)n, i - 1)) {
        i--;
    }
    if (i == 0) {
        return n < 0 ? (int)n : -EINVAL;
    }
    *ret_end = from + i + 1;
    bool whole = (size_t)n - i - 1 == END_SIZE && memcmp(tail + i + 1, END, END_SIZE) == 0;
    return whole ? 0 : kin__os_file_cut(fd, *ret_end);
}

static int find_end(int fd, uint64_t *ret_end)
{
    char head[HEAD_SIZE];
    uint64_t size;
    int rv = kin__os_file_size(fd, &size);
    ssize_t n = rv < 0 ? rv : kin__os_file_read(fd, head, sizeof head, 0);
    if (n < 0) {
        return (int)n;
    }
    if (memcmp(head, HEAD, (size_t)n) != 0) {
        return -EINVAL;
    }
    if ((size_t)n == HEAD_SIZE) {
        return mend(fd, size, ret_end);
    }
    *ret_end = HEAD_SIZE;
    return kin__os_file_write(fd, HEAD END, HEAD_SIZE + END_SIZE, 0);
}

/* How many bytes of `text` lie in the file at `at`. */
static uint32_t in_common(int fd, const char *text, uint32_t size, uint64_t at)
{
    char piece[PIECE];
    uint32_t same = 0;
    while (same < size) {
        uint32_t wanted = size - same < sizeof piece ? size - same : (uint32_t)sizeof piece;
        ssize_t n = kin__os_file_read(fd, piece, wanted, at + same);
        for (ssize_t i = 0; i < n; i++, same++) {
            if (piece[i] != text[same]) {
                return same;
            }
        }
        if (n <= 0) {
            break;
        }
    }
    return same;
}

/* Lines that a dead writer had got into the file are not written again. */
static void skip_written(kin__journal *journal, int fd)
{
    uint64_t at = atomic_load_explicit(&journal->at, memory_order_relaxed);
    extent e = extent_of(journal);
    if (at == 0) {
        return;
    }
    const char *text = journal->text + e.from;
    uint32_t same = in_common(fd, text, e.to - e.from, at);
    while (same > 0 && same < e.to - e.from && memcmp(text + same, ",\n", 2) != 0) {
        same--;
    }
    set_extent(journal, e.from + same, e.to);
    atomic_store_explicit(&journal->at, 0, memory_order_release);
}

static int write_rest(kin__journal *journal, int fd, uint64_t end)
{
    extent e = extent_of(journal);
    memcpy(journal->text + e.to, END, END_SIZE);
    atomic_store_explicit(&journal->at, end, memory_order_release); /* R3 */
    KIN__STEP("journal.begun");
    int rv = kin__os_file_write(fd, journal->text + e.from, e.to - e.from + END_SIZE, end);
    KIN__STEP("journal.written");
    if (rv < 0) { /* as it was, then */
        (void)kin__os_file_cut(fd, end);
        (void)kin__os_file_write(fd, END, END_SIZE, end);
    } else {
        set_extent(journal, 0, 0);
    }
    KIN__STEP("journal.emptied");
    atomic_store_explicit(&journal->at, 0, memory_order_release);
    return rv;
}

int kin__journal_write(kin__journal *journal, const char *path, int64_t deadline)
{
    extent e = extent_of(journal);
    if (e.from == e.to) {
        return 0;
    }
    int fd = kin__os_file_lock(path, deadline);
    if (fd < 0) {
        return fd;
    }
    uint64_t end;
    int rv = find_end(fd, &end);
    if (rv == 0) {
        skip_written(journal, fd);
        rv = write_rest(journal, fd, end);
    }
    kin__os_file_unlock(fd);
    return rv;
}
