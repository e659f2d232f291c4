"""The other side of pickle_python_test.c. It gets batches of pickles, and answers each with a text that
says what it sees, and with a pickle of its own. The texts have to be those of the test: containers
are numbered as one meets them, so that what is shared and what holds itself is told, too."""
import concurrent.futures
import io
import pickle
import pickletools
import struct
import sys
from multiprocessing.managers import Token

IN, OUT = sys.stdin.buffer, sys.stdout.buffer


def members(some, seen):
    return ",".join(sorted(text(x, None) for x in some))


def text(o, seen):
    kind = type(o)
    if seen is not None and kind in (list, tuple, dict, set, frozenset, Token) or isinstance(
            o, BaseException) and seen is not None:
        if kind not in (tuple, frozenset) or len(o) > 0:  # of these there may be one for all
            if id(o) in seen:
                return f"@{seen[id(o)]}"
            seen[id(o)] = len(seen)
    if kind is list:
        return "[" + ",".join(text(x, seen) for x in o) + "]"
    if kind is tuple:
        return "(" + ",".join(text(x, seen) for x in o) + ")"
    if kind is dict:
        return "{" + ",".join(text(k, seen) + ":" + text(v, seen) for k, v in o.items()) + "}"
    if kind is set:
        return "set{" + members(o, seen) + "}"
    if kind is frozenset:
        return "frozenset{" + members(o, seen) + "}"
    if kind is slice:
        return "slice(" + ",".join(text(x, seen) for x in (o.start, o.stop, o.step)) + ")"
    if kind is Token:
        return "token(" + ",".join(text(x, seen) for x in (o.typeid, o.address, o.id)) + ")"
    if hasattr(o, "kin_code"):
        return f"error({o.kin_code},{o.args[0]!r})"
    if isinstance(o, BaseException):
        return kind.__name__ + text(o.args, seen)
    return repr(o)


def dumps(o, n):
    """With the C pickler, sometimes with the other one, and sometimes without what is not needed."""
    protocol = 2 + n % 4
    if n % 7 == 0:
        out = io.BytesIO()
        pickle._Pickler(out, protocol).dump(o)
        return out.getvalue()
    data = pickle.dumps(o, protocol)
    return pickletools.optimize(data) if n % 5 == 0 else data


def get():
    head = IN.read(4)
    if len(head) < 4:
        return None
    return IN.read(struct.unpack("<I", head)[0])


def put(data):
    OUT.write(struct.pack("<I", len(data)) + data)


def converse():
    n = 0
    while (count := get()) is not None:
        batch = [get() for _ in range(int(count))]
        for data in batch:
            pickletools.dis(data, io.StringIO())
            o = pickle.loads(data)
            put(text(o, {}).encode("utf-8", "surrogatepass"))
            put(dumps(o, n))
            n += 1
        OUT.flush()


def exceptions():
    """Each with its str() and repr()."""
    try:
        open("/nonexistent/file")
    except OSError as e:
        yield e
    try:
        b"\xff\xfe".decode()
    except UnicodeDecodeError as e:
        yield e
    yield from (
        ValueError(), ValueError("a"), ValueError("a", 2), ValueError(7), ValueError(b"b"),
        ValueError(["l"]), ValueError("a'b"), ValueError(ValueError("in")), ValueError(None),
        KeyError("k"), KeyError(1), KeyError("a", "b"), OSError("a"), OSError(2, "none"),
        OSError(13, "no", "f"), OSError(17, "there", "a", None, "b"), OSError(99999, "other"),
        OSError(5, "io", b"bytes"), BlockingIOError(11, "again"), TimeoutError(110, "late"),
        UnicodeDecodeError("utf8", b"abcd", 1, 3, "why"), StopIteration(3), SystemExit(3),
        EOFError(), RecursionError("deep"), ConnectionRefusedError(111, "refused"),
        KeyboardInterrupt(), NotImplementedError("later"), MemoryError(),
        concurrent.futures.CancelledError(), ValueError("é€😀\ud800"), ValueError("x" * 3000),
    )


def show_exceptions():
    every = list(exceptions())
    put(str(len(every)).encode())
    for e in every:
        for protocol in range(2, 6):
            put(pickle.dumps(e, protocol))
            put(str(e).encode("utf-8", "surrogatepass"))
            put(repr(e).encode("utf-8", "surrogatepass"))
    OUT.flush()


if sys.argv[1] == "converse":
    converse()
else:
    show_exceptions()
