/* 40_pickle - objects as Python's pickles, and back.
 *
 * What pickle.dumps writes of data is read, and the other way round. Nothing in a pickle is ever
 * called: what is more than data is refused, by name and place.
 */
#include <kin.h>
#include <stdio.h>
#include <stdlib.h>

/* What Python 3.11 writes of {'when': (2024, 5.5), 'who': {b'ann'}, 'self': the dict itself}. */
static const char from_python[] =
    "\x80\x04\x95\x33\0\0\0\0\0\0\0}\x94(\x8c\4when\x94M\xe8\7G@\x16\0\0\0\0\0\0\x86\x94"
    "\x8c\3who\x94\x8f\x94(C\3ann\x94\x90\x8c\4self\x94h\0u.";

/* os.system('rm -rf /') */
static const char hostile[] = "\x80\4\x8c\2os\x8c\6system\x93\x8c\10rm -rf /\x85R.";

int main(void)
{
    kin_obj o;
    KIN_CHECK(kin_loads(from_python, sizeof from_python - 1, &o));
    kin_print(o);
    kin_release(o); /* also what holds itself */

    if (kin_loads(hostile, sizeof hostile - 1, &o) == KIN_EUNSUPPORTED) {
        printf("%s\n", kin_errmsg());
    }

    /* Given away, like to any verb; what comes out is ours to free. */
    void *data;
    size_t size;
    kin_obj failure = kin_exception("KeyError", kin_args(kin_str("nokey")));
    KIN_CHECK(kin_dumps(kin_tuple(kin_str("#ERROR"), failure), &data, &size));
    printf("%zu bytes\n", size);
    KIN_CHECK(kin_loads(data, size, &o));
    kin_print(o);
    printf("%s is %s\n", kin_error_type(kin_at(o, 1)), kin_errname(kin_error_code(kin_at(o, 1))));
    kin_release(o);
    free(data);

    /* What a stranger may take: here, lists in lists in lists are too much. */
    kin_loads_options options = { .max_depth = 2, .max_size = 1000 };
    if (kin_loads_with("]]]aa.", 6, &options, &o) < 0) {
        printf("%s\n", kin_errmsg());
    }
    return 0;
}
