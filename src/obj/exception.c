/* exception.c - Python's exceptions as errors: which ones there are, what their text is.
 *
 * Idea. An exception is an error that has a mark (its place in the table below, which is all that
 * we know of exceptions) and arguments. Its code is the one of ours that comes closest; the other
 * way, an error of ours travels as the first in the table that has its code.
 *
 * The text is what Python's str() says: the argument itself where that is one str, and then the
 * same object, so that a hundred exceptions of one long text cost one; or a repr, cut where it is
 * long.
 */
#include "node.h"
#include <errno.h>
#include <kin/pickle.h>
#include <stdio.h>
#include <string.h>

#define BUILTIN(name, code)                                                                        \
    {                                                                                              \
        "builtins", name, name, code, 0                                                            \
    }
#define OF(module, name, code)                                                                     \
    {                                                                                              \
        module, name, module "." name, code, 0                                                     \
    }
/* Those with an errno. */
#define SYSTEM(name, code, number)                                                                 \
    {                                                                                              \
        "builtins", name, name, code, number                                                       \
    }

static const exception_type types[] = {
    BUILTIN("RuntimeError", KIN_EUSER),
    BUILTIN("ValueError", KIN_EINVAL),
    BUILTIN("TypeError", KIN_ETYPE),
    BUILTIN("OverflowError", KIN_ERANGE),
    BUILTIN("IndexError", KIN_ERANGE),
    BUILTIN("KeyError", KIN_ENOTFOUND),
    BUILTIN("LookupError", KIN_ENOTFOUND),
    BUILTIN("NotImplementedError", KIN_EUNSUPPORTED),
    SYSTEM("TimeoutError", KIN_ETIMEDOUT, ETIMEDOUT),
    OF("multiprocessing.context", "TimeoutError", KIN_ETIMEDOUT),
    OF("concurrent.futures._base", "TimeoutError", KIN_ETIMEDOUT),
    OF("asyncio.exceptions", "TimeoutError", KIN_ETIMEDOUT),
    SYSTEM("InterruptedError", KIN_EINTR, EINTR),
    OF("queue", "Empty", KIN_EEMPTY),
    OF("queue", "Full", KIN_EFULL),
    OF("queue", "ShutDown", KIN_ECLOSED),
    OF("concurrent.futures._base", "CancelledError", KIN_ECANCELLED),
    OF("asyncio.exceptions", "CancelledError", KIN_ECANCELLED),
    OF("threading", "BrokenBarrierError", KIN_EBROKEN),
    OF("concurrent.futures.process", "BrokenProcessPool", KIN_EBROKEN),
    OF("concurrent.futures._base", "BrokenExecutor", KIN_EBROKEN),
    BUILTIN("EOFError", KIN_EEOF),
    OF("multiprocessing.context", "AuthenticationError", KIN_EAUTH),
    OF("multiprocessing.context", "BufferTooShort", KIN_EBUFTOOSHORT),
    OF("multiprocessing.context", "ProcessError", KIN_EUSER),
    OF("multiprocessing.managers", "RemoteError", KIN_EUSER),
    OF("multiprocessing.pool", "MaybeEncodingError", KIN_EUSER),
    BUILTIN("MemoryError", KIN_ENOMEM),
    SYSTEM("OSError", KIN_EOS, -1),
    SYSTEM("BlockingIOError", KIN_EOS, EAGAIN),
    SYSTEM("BrokenPipeError", KIN_EOS, EPIPE),
    SYSTEM("ChildProcessError", KIN_EOS, ECHILD),
    SYSTEM("ConnectionAbortedError", KIN_EOS, ECONNABORTED),
    SYSTEM("ConnectionError", KIN_EOS, -1),
    SYSTEM("ConnectionRefusedError", KIN_EREFUSED, ECONNREFUSED),
    SYSTEM("ConnectionResetError", KIN_EOS, ECONNRESET),
    SYSTEM("FileExistsError", KIN_EEXIST, EEXIST),
    SYSTEM("FileNotFoundError", KIN_ENOENT, ENOENT),
    SYSTEM("IsADirectoryError", KIN_EOS, EISDIR),
    SYSTEM("NotADirectoryError", KIN_EOS, ENOTDIR),
    SYSTEM("PermissionError", KIN_EACCES, EACCES),
    SYSTEM("ProcessLookupError", KIN_EOS, ESRCH),
    BUILTIN("UnicodeDecodeError", KIN_EINVAL),
    BUILTIN("UnicodeEncodeError", KIN_EINVAL),
    BUILTIN("UnicodeError", KIN_EINVAL),
    BUILTIN("UnicodeTranslateError", KIN_EINVAL),
    BUILTIN("RecursionError", KIN_EUSER),
    BUILTIN("BaseException", KIN_EUSER),
    BUILTIN("BaseExceptionGroup", KIN_EUSER),
    BUILTIN("Exception", KIN_EUSER),
    BUILTIN("ExceptionGroup", KIN_EUSER),
    BUILTIN("ArithmeticError", KIN_EUSER),
    BUILTIN("AssertionError", KIN_EUSER),
    BUILTIN("AttributeError", KIN_EUSER),
    BUILTIN("BufferError", KIN_EUSER),
    BUILTIN("FloatingPointError", KIN_EUSER),
    BUILTIN("GeneratorExit", KIN_EUSER),
    BUILTIN("ImportError", KIN_EUSER),
    BUILTIN("IndentationError", KIN_EUSER),
    BUILTIN("KeyboardInterrupt", KIN_EUSER),
    BUILTIN("ModuleNotFoundError", KIN_EUSER),
    BUILTIN("NameError", KIN_EUSER),
    BUILTIN("PythonFinalizationError", KIN_EUSER),
    BUILTIN("ReferenceError", KIN_EUSER),
    BUILTIN("StopAsyncIteration", KIN_EUSER),
    BUILTIN("StopIteration", KIN_EUSER),
    BUILTIN("SyntaxError", KIN_EUSER),
    BUILTIN("SystemError", KIN_EUSER),
    BUILTIN("SystemExit", KIN_EUSER),
    BUILTIN("TabError", KIN_EUSER),
    BUILTIN("UnboundLocalError", KIN_EUSER),
    BUILTIN("ZeroDivisionError", KIN_EUSER),
    BUILTIN("BytesWarning", KIN_EUSER),
    BUILTIN("DeprecationWarning", KIN_EUSER),
    BUILTIN("EncodingWarning", KIN_EUSER),
    BUILTIN("FutureWarning", KIN_EUSER),
    BUILTIN("ImportWarning", KIN_EUSER),
    BUILTIN("PendingDeprecationWarning", KIN_EUSER),
    BUILTIN("ResourceWarning", KIN_EUSER),
    BUILTIN("RuntimeWarning", KIN_EUSER),
    BUILTIN("SyntaxWarning", KIN_EUSER),
    BUILTIN("UnicodeWarning", KIN_EUSER),
    BUILTIN("UserWarning", KIN_EUSER),
    BUILTIN("Warning", KIN_EUSER),
    OF("pickle", "PickleError", KIN_EUSER),
    OF("_pickle", "PickleError", KIN_EUSER),
    OF("_pickle", "PicklingError", KIN_EUSER),
    OF("_pickle", "UnpicklingError", KIN_EUSER),
};

enum { TYPES = sizeof types / sizeof types[0] };

const exception_type *kin__exception_type(unsigned mark)
{
    return mark == 0 || mark > TYPES ? NULL : &types[mark - 1];
}

static bool is_text(const char *text, const char *s, size_t size)
{
    return strlen(text) == size && memcmp(text, s, size) == 0;
}

unsigned kin__exception_find(const char *module, size_t module_size, const char *name,
                             size_t name_size)
{
    for (unsigned i = 0; i < TYPES; i++) {
        if (is_text(types[i].name, name, name_size) &&
            is_text(types[i].module, module, module_size)) {
            return i + 1;
        }
    }
    return 0;
}

unsigned kin__exception_of(int code)
{
    for (unsigned i = 0; i < TYPES; i++) {
        if (types[i].code == code) {
            return i + 1;
        }
    }
    return 1;
}

/* ---- texts ------------------------------------------------------------------------- */

/* Those of the system and of files: [Errno 2] No such file or directory: 'name'. */
static bool is_of_system(unsigned mark)
{
    return types[mark - 1].number != 0;
}

/* Python makes OSError(2, ...) a FileNotFoundError. */
unsigned kin__exception_narrow(unsigned mark, const box *args)
{
    bool told = strcmp(types[mark - 1].full, "OSError") == 0 && args->node.len >= 2 &&
                args->node.len <= 5 && args->items[0].type == KIN_TYPE_INT;
    int64_t number = told ? args->items[0].as.i : 0;
    number = number == EPERM ? EACCES : number;
    for (unsigned i = 0; i < TYPES && number > 0; i++) {
        if (types[i].number == number) {
            return i + 1;
        }
    }
    return mark;
}

size_t kin__exception_shown(unsigned mark, const box *args)
{
    return is_of_system(mark) && args->node.len > 2 && args->node.len <= 5 ? 2 : args->node.len;
}

typedef struct speech {
    char *s;
    size_t size;
} speech;

/* Python's str(), or with `quoted` repr(). */
static void add_obj(speech *t, kin_obj o, bool quoted)
{
    size_t left = EXCEPTION_TEXT - t->size;
    if (left < BRIEF) {
        return;
    }
    o = !quoted && o.type == KIN_TYPE_ERROR ? ((const box *)o.as.p)->items[ERROR_TEXT] : o;
    if (quoted || o.type != KIN_TYPE_STR) {
        t->size += kin__repr_cut(o, t->s + t->size, left);
        return;
    }
    size_t n = kin_len(o) < left ? kin_len(o) : left - 1;
    memcpy(t->s + t->size, kin_as_str(o), n);
    t->size = n == kin_len(o) ? t->size + n : kin__cut(t->s, t->size + n);
}

static void add_text(speech *t, const char *s)
{
    size_t n = strlen(s);
    if (n < EXCEPTION_TEXT - t->size) {
        memcpy(t->s + t->size, s, n);
        t->size += n;
    }
}

static void say_file(speech *t, const kin_obj *args, size_t n)
{
    add_text(t, "[Errno ");
    add_obj(t, args[0], false);
    add_text(t, "] ");
    add_obj(t, args[1], false);
    if (n > 2 && args[2].type != KIN_TYPE_NONE) {
        add_text(t, ": ");
        add_obj(t, args[2], true);
    }
    if (n > 4 && args[4].type != KIN_TYPE_NONE) {
        add_text(t, " -> ");
        add_obj(t, args[4], true);
    }
}

/* Of encoding, bytes, begin, end, reason. */
static bool say_decoding(speech *t, const kin_obj *args, size_t n)
{
    char where[100];
    if (n != 5 || args[1].type != KIN_TYPE_BYTES) {
        return false;
    }
    int64_t begin = kin_as_int(args[2]);
    int64_t end = kin_as_int(args[3]);
    if (begin < 0 || end <= begin || (uint64_t)end > kin_len(args[1])) {
        return false;
    }
    if (end == begin + 1) {
        (void)snprintf(where, sizeof where, "' codec can't decode byte 0x%02x in position %lld: ",
                       ((const uint8_t *)kin_as_bytes(args[1]))[begin], (long long)begin);
    } else {
        (void)snprintf(where, sizeof where,
                       "' codec can't decode bytes in position %lld-%lld: ", (long long)begin,
                       (long long)end - 1);
    }
    add_text(t, "'");
    add_obj(t, args[0], false);
    add_text(t, where);
    add_obj(t, args[4], false);
    return true;
}

/* As Python has it: the result could not be sent, and why. */
static void say_encoding(speech *t, const kin_obj *args)
{
    add_text(t, "Error sending result: '");
    add_obj(t, args[1], false);
    add_text(t, "'. Reason: '");
    add_obj(t, args[0], false);
    add_text(t, "'");
}

static bool is_named(unsigned mark, const char *name)
{
    return strcmp(types[mark - 1].name, name) == 0;
}

/* What str() says otherwise than of all the others. */
static bool say_special(speech *t, unsigned mark, const kin_obj *args, size_t n)
{
    if (n >= 2 && n <= 5 && is_of_system(mark)) {
        say_file(t, args, n);
        return true;
    }
    if (n == 2 && is_named(mark, "MaybeEncodingError")) {
        say_encoding(t, args);
        return true;
    }
    return is_named(mark, "UnicodeDecodeError") && say_decoding(t, args, n);
}

kin_obj kin__exception_text(unsigned mark, box *args, char ret_text[EXCEPTION_TEXT],
                            size_t *ret_size)
{
    speech t = { .s = ret_text };
    size_t n = args->node.len;
    if (n == 1 && !is_named(mark, "KeyError")) {
        kin_obj only = args->items[0];
        only = only.type == KIN_TYPE_ERROR ? ((const box *)only.as.p)->items[ERROR_TEXT] : only;
        if (only.type == KIN_TYPE_STR) {
            return borrowed(only);
        }
    }
    if (!say_special(&t, mark, args->items, n) && n > 0) {
        add_obj(&t, n == 1 ? args->items[0] : of_node(args), true);
    }
    *ret_size = t.size;
    return (kin_obj){ 0 };
}

/* ---- making and asking ------------------------------------------------------------- */

static int find(const char *type, unsigned *ret_mark)
{
    const char *name = type == NULL ? NULL : strrchr(type, '.');
    if (type != NULL) {
        *ret_mark = name == NULL ? kin__exception_find("builtins", 8, type, strlen(type))
                                 : kin__exception_find(type, (size_t)(name - type), name + 1,
                                                       strlen(name + 1));
    }
    if (type == NULL || *ret_mark == 0) {
        return kin__fail(type == NULL ? KIN_EINVAL : KIN_ENOTFOUND,
                         "kin_exception: %s is no exception that is known",
                         type == NULL ? "NULL" : type);
    }
    return 0;
}

kin_obj kin_exception(const char *type, kin_obj args)
{
    char buffer[EXCEPTION_TEXT];
    size_t size = 0;
    unsigned mark = 0;
    int rv = find(type, &mark);
    if (rv == 0 && (args.type != KIN_TYPE_TUPLE || ((const node *)args.as.p)->mark != 0)) {
        rv = kin__obj_mismatch(args, "kin_exception", "a tuple of arguments");
    }
    if (rv < 0) {
        kin_release(args);
        return kin__obj_invalid(rv);
    }
    mark = kin__exception_narrow(mark, args.as.p);
    kin_obj same = kin__exception_text(mark, args.as.p, buffer, &size);
    kin_obj text = same.type == KIN_TYPE_INVALID ? kin_strn(buffer, size) : kin_retain(same);
    return kin__error_new(types[mark - 1].code, mark, text, kin__obj_own(args));
}

static const exception_type *type_of(kin_obj o)
{
    return o.type == KIN_TYPE_ERROR ? kin__exception_type(((const node *)o.as.p)->mark) : NULL;
}

const char *kin_error_type(kin_obj o)
{
    const exception_type *type = type_of(o);
    return type == NULL ? "" : type->full;
}

kin_obj kin_error_args(kin_obj o)
{
    if (type_of(o) == NULL) {
        return kin__obj_invalid(
            kin__fail(KIN_ENOTFOUND, "kin_error_args: this is no exception of Python"));
    }
    return borrowed(((const box *)o.as.p)->items[ERROR_ARGS]);
}
