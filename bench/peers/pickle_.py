"""pickle_.py dumps|loads ints|strs|records: seconds to write or read it, with Python's C pickle."""
import pickle
import sys
import time
from peer import pin


def records(n):
    return [{"id": i, "name": f"user number {i}", "score": i * 0.37,
             "tags": ["alpha", f"t{i % 100}", "gamma"], "pos": (i, i * 2, 1.5), "ok": bool(i & 1),
             "note": None} for i in range(n)]


def dumps(subject):
    begin = time.perf_counter()
    pickle.dumps(subject)
    return time.perf_counter() - begin


def loads(subject):
    data = pickle.dumps(subject)
    begin = time.perf_counter()
    pickle.loads(data)
    return time.perf_counter() - begin


pin(0)
SUBJECTS = {
    "ints": lambda: list(range(1000000)),
    "strs": lambda: [f"key-{i}" for i in range(100000)],
    "records": lambda: records(120000),
}
subject = SUBJECTS[sys.argv[2]]()
measure = dumps if sys.argv[1] == "dumps" else loads
measure(subject)
print(min(measure(subject) for _ in range(3)))
