/* error.c - the table of errors, and the last sentence of each thread.
 *
 * Sentences are kept per thread, in a fixed room, so that failing needs no memory. What does not
 * fit is cut between two characters. */
#include "room.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define SENTENCE_ROOM 512

static _Thread_local char sentence[SENTENCE_ROOM];
static _Thread_local int failure;
static _Thread_local char unknown_text[32];
static _Thread_local char unknown_name[32];

const char *kin_strerror(int code)
{
    switch (code) {
#define CASE(name, number, text)                                                                   \
    case name:                                                                                     \
        return text;
        KIN_ERROR_MAP(CASE)
#undef CASE
    case KIN_OWNER_DIED:
        return "held, but its last holder died with it";
    default:
        break;
    }
    if (code >= 0) {
        return "success";
    }
    if (code <= KIN_EUSER) {
        return "a task's own error";
    }
    snprintf(unknown_text, sizeof unknown_text, "unknown error %d", code);
    return unknown_text;
}

const char *kin_errname(int code)
{
    switch (code) {
#define CASE(name, number, text)                                                                   \
    case name:                                                                                     \
        return #name;
        KIN_ERROR_MAP(CASE)
#undef CASE
    case KIN_EUSER:
        return "KIN_EUSER";
    case KIN_OWNER_DIED:
        return "KIN_OWNER_DIED";
    default:
        break;
    }
    if (code < KIN_EUSER) {
        snprintf(unknown_name, sizeof unknown_name, "KIN_EUSER%d", code - KIN_EUSER);
    } else {
        snprintf(unknown_name, sizeof unknown_name, "%d", code);
    }
    return unknown_name;
}

const char *kin_errmsg(void)
{
    return sentence;
}

size_t kin__cut(char *text, size_t length)
{
    size_t lead = length;
    while (lead > 0 && length - lead < 3 && ((unsigned char)text[lead - 1] & 0xC0) == 0x80) {
        lead--;
    }
    unsigned char first = lead > 0 ? (unsigned char)text[lead - 1] : 0;
    size_t wanted = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : first >= 0xC0 ? 2 : 1;
    if (wanted > length - lead + 1) { /* the character's end is missing */
        length = lead - 1;
    }
    text[length] = '\0';
    return length;
}

/* Formats aside first: an argument may well be the sentence before. */
static void keep(const char *tail, const char *format, va_list args)
{
    char text[SENTENCE_ROOM];
    int length = vsnprintf(text, sizeof text, format, args);
    if (length >= 0 && length < SENTENCE_ROOM && tail != NULL) {
        length += snprintf(text + length, sizeof text - (size_t)length, ": %s", tail);
    }
    if (length >= SENTENCE_ROOM) {
        kin__cut(text, SENTENCE_ROOM - 1);
    }
    memcpy(sentence, length < 0 ? "" : text, length < 0 ? 1 : strlen(text) + 1);
}

int kin__fail(int code, const char *format, ...)
{
    int saved = errno;
    va_list args;
    va_start(args, format);
    keep(NULL, format, args);
    va_end(args);
    errno = saved;
    failure = code;
    return code;
}

int kin__failure(void)
{
    return failure;
}

static int code_of(int error)
{
    switch (error) {
    case ENOMEM:
    case ENOSPC:
        return KIN_ENOMEM;
    case EMFILE:
    case ENFILE:
        return KIN_EMFILE;
    case EAGAIN:
        return KIN_EAGAIN;
    case ENOENT:
        return KIN_ENOENT;
    case EACCES:
    case EPERM:
        return KIN_EACCES;
    case EEXIST:
        return KIN_EEXIST;
    case ETIMEDOUT:
        return KIN_ETIMEDOUT;
    case EINTR:
        return KIN_EINTR;
    default:
        return KIN_EOS;
    }
}

int kin__fail_os(int error, const char *format, ...)
{
    int saved = errno;
    int number = error < 0 ? -error : error;
    char tail[128];
    if (strerror_r(number, tail, sizeof tail) != 0) {
        snprintf(tail, sizeof tail, "unknown error %d", number);
    }
    va_list args;
    va_start(args, format);
    keep(tail, format, args);
    va_end(args);
    errno = saved;
    failure = code_of(number);
    return failure;
}
