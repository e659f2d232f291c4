/* log.c - lines for people: to stderr, or to a handler of the user's.
 *
 * Idea.  A handler and its ctx belong together, so they sit in a sink that never changes once it is
 * made; setting a handler is one store of a pointer. There is no lock, hence none that a fork could
 * leave locked. Sinks are never freed, for a thread may be about to call one, but they are found
 * again: a program that switches between two handlers makes two.
 *
 * Death.  Nothing here is shared.
 */
#include "room.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define LINE_ROOM 1024

struct sink {
    kin_log_handler handler;
    void *ctx;
    struct sink *older;
};

static atomic_int threshold = KIN_LOG_WARNING;
static _Atomic(struct sink *) sinks;   /* all there are, newest first */
static _Atomic(struct sink *) current; /* NULL: stderr */
static _Thread_local bool in_handler;

int kin_log_set_level(int level)
{
    atomic_store(&kin__os_crash_quietly, level > KIN_LOG_ERROR);
    return atomic_exchange(&threshold, level);
}

int kin__log_level(void)
{
    return threshold;
}

static struct sink *find_sink(kin_log_handler handler, void *ctx)
{
    struct sink *sink = sinks;
    while (sink != NULL && (sink->handler != handler || sink->ctx != ctx)) {
        sink = sink->older;
    }
    return sink;
}

static struct sink *make_sink(kin_log_handler handler, void *ctx)
{
    struct sink *sink = kin__os_malloc(sizeof *sink);
    if (sink != NULL) {
        *sink = (struct sink){ .handler = handler, .ctx = ctx, .older = sinks };
        while (!atomic_compare_exchange_weak(&sinks, &sink->older, sink)) {
        }
    }
    return sink;
}

void kin_log_set_handler(kin_log_handler handler, void *ctx)
{
    if (handler == NULL) {
        current = NULL;
        return;
    }
    struct sink *sink = find_sink(handler, ctx);
    sink = sink != NULL ? sink : make_sink(handler, ctx);
    if (sink == NULL) {
        kin_log(KIN_LOG_ERROR,
                "kin_log_set_handler: no memory for another handler, the one before stays");
        return;
    }
    current = sink;
}

static const char *level_name(int level, char *room, size_t size)
{
    switch (level) {
    case KIN_LOG_SUBDEBUG:
        return "SUBDEBUG";
    case KIN_LOG_DEBUG:
        return "DEBUG";
    case KIN_LOG_INFO:
        return "INFO";
    case KIN_LOG_SUBWARNING:
        return "SUBWARNING";
    case KIN_LOG_WARNING:
        return "WARNING";
    case KIN_LOG_ERROR:
        return "ERROR";
    default:
        snprintf(room, size, "%d", level);
        return room;
    }
}

static void print(int level, const char *text)
{
    char room[16];
    char line[LINE_ROOM + 64];
    int length = snprintf(line, sizeof line, "[%s/%d] %s\n", level_name(level, room, sizeof room),
                          (int)kin__os_getpid(), text);
    kin__os_complain(line, (size_t)length);
}

void kin_log(int level, const char *format, ...)
{
    int limit = threshold;
    if (format == NULL || level < limit || limit >= KIN_LOG_OFF) {
        return;
    }
    int saved = errno;
    char text[LINE_ROOM];
    va_list args;
    va_start(args, format);
    int length = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (length >= LINE_ROOM) {
        kin__cut(text, LINE_ROOM - 1);
    }
    struct sink *sink = current;
    if (length >= 0 && (sink == NULL || in_handler)) { /* a handler's own lines would not end */
        print(level, text);
    } else if (length >= 0) {
        in_handler = true;
        sink->handler(level, text, sink->ctx);
        in_handler = false;
    }
    errno = saved;
}
