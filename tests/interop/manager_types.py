"""manager_types.py ROLE ADDRESS KEY: what Python's users do with a manager, against one of ours.

Address and key are Python's, as literals. A role checks what it sees, and prints "done" at its end.
"""
import multiprocessing
import queue
import sys
import threading
from ast import literal_eval
from multiprocessing.managers import RemoteError, SyncManager


class Manager(SyncManager):
    pass


for name in ("set", "get_barrier", "get_board", "get_queue", "get_lock", "get_sum"):
    Manager.register(name)

role, address, key = sys.argv[1], literal_eval(sys.argv[2]), literal_eval(sys.argv[3])
multiprocessing.current_process().authkey = key


def connected():
    m = Manager(address=address, authkey=key)
    m.connect()
    return m


def same(seen, expected):
    if seen != expected or type(seen) is not type(expected):
        raise SystemExit(f"{seen!r} and not {expected!r}")


def raises(kind, call, *args, **names):
    try:
        seen = call(*args, **names)
    except kind as e:
        same(type(e), kind)
        return e.args
    raise SystemExit(f"{call} {args}: {seen!r} and no {kind.__name__}")


def dicts(m):
    d = m.dict({"a": 1}, b=2)
    d["c"] = [1, (2.5, None)]
    same(d["c"], [1, (2.5, None)])
    same(d.copy(), {"a": 1, "b": 2, "c": [1, (2.5, None)]})
    same(list(d), ["a", "b", "c"])  # by an Iterator
    same((d.keys(), d.values()), (["a", "b", "c"], [1, 2, [1, (2.5, None)]]))
    same(d.items(), [("a", 1), ("b", 2), ("c", [1, (2.5, None)])])
    same((len(d), "a" in d, "z" in d), (3, True, False))
    same((d.get("z"), d.get("z", 5), d.setdefault("d", 4), d.pop("d"), d.pop("d", 7)), (None, 5, 4, 4, 7))
    d.update({"a": 9}, e=5)
    same(d.popitem(), ("e", 5))
    del d["b"]
    same(raises(KeyError, d.__getitem__, "b"), ("b",))
    same(raises(KeyError, d.__delitem__, (1, 2)), ((1, 2),))
    raises(KeyError, d.pop, "b")
    d.clear()
    same((len(d), str(d)), (0, "{}"))
    raises(KeyError, d.popitem)


def lists(m):
    x = m.list([0, 1, 2, 3, 4])
    x.append("y")
    x.extend([7, 8])
    same(x[:], [0, 1, 2, 3, 4, "y", 7, 8])
    same((x[0], x[-1], x[1:3], x[::3], len(x)), (0, 8, [1, 2], [0, 3, 7], 8))
    x[1:3] = ["in", "stead", "of"]
    x[0] = None
    del x[-1]
    same(x[:], [None, "in", "stead", "of", 3, 4, "y", 7])
    x.insert(1, 1)
    x.remove("y")
    same((x.pop(), x.pop(0), x.index("of"), x.count(4), 4 in x), (7, None, 3, 1, True))
    x.reverse()
    same(x[:], [4, 3, "of", "stead", "in", 1])
    x = m.list([3, 1, 2])
    x.sort(reverse=True)
    same(x[:], [3, 2, 1])
    x += [5]
    x *= 2
    same((x[:], x + [0], x * 2 == x[:] + x[:]), ([3, 2, 1, 5] * 2, [3, 2, 1, 5] * 2 + [0], True))
    raises(IndexError, x.__getitem__, 8)
    raises(IndexError, m.list().pop)
    raises(ValueError, x.remove, "nothing")
    raises(ValueError, x.index, "nothing")
    raises(TypeError, x.__getitem__, "one")
    x.append(KeyError("k"))
    same((type(x[-1]), x[-1].args), (KeyError, ("k",)))  # a value: nothing is raised


def sets(m):
    s = m.set([1, 2])
    s.add(3)
    s.discard(9)
    same((len(s), 3 in s, s.copy()), (3, True, {1, 2, 3}))
    raises(KeyError, s.remove, 9)
    same((s.union([4]), s.union([4], {5})), ({1, 2, 3, 4}, {1, 2, 3, 4, 5}))
    same((s.intersection({3, 4}), s.difference({3, 4}), s.symmetric_difference([3, 4])), ({3}, {1, 2}, {1, 2, 4}))
    same((s.issubset([1, 2, 3, 4]), s.issuperset([9]), s.isdisjoint([9])), (True, False, True))
    s.update([4], (5,))
    s.difference_update([1])
    s.intersection_update([2, 3, 4, 9])
    s.symmetric_difference_update([2, 7])
    same(s.copy(), {3, 4, 7})
    same(s.pop() in (3, 4, 7), True)
    s.clear()
    raises(KeyError, s.pop)


def namespaces(m):
    n = m.Namespace(x=1)
    n.y = [2]
    same((n.x, n.y), (1, [2]))
    del n.x
    raises(AttributeError, getattr, n, "x")


def queues(m):
    for q in (m.Queue(2), m.JoinableQueue(2)):
        q.put({"a": 1})
        q.put(2, block=False)
        raises(queue.Full, q.put_nowait, 3)
        raises(queue.Full, q.put, 3, True, 0.01)
        same((q.qsize(), q.full(), q.empty()), (2, True, False))
        same((q.get(), q.get(timeout=9)), ({"a": 1}, 2))
        raises(queue.Empty, q.get_nowait)
        raises(queue.Empty, q.get, timeout=0.01)
    q.task_done()
    q.task_done()
    q.join()
    raises(ValueError, q.task_done)


def locks(m):
    one, many = m.Lock(), m.RLock()
    same((one.acquire(), one.acquire(False), one.acquire(True, 0.01), one.release()), (True, False, False, None))
    raises(RuntimeError, one.release)
    with many, many:
        same(many.acquire(timeout=1), True)
        many.release()
    raises(RuntimeError, many.release)
    with one:
        same(in_thread(one.acquire, False), False)
    for kind in (m.Semaphore, m.BoundedSemaphore):
        s = kind(2)
        same((s.acquire(), s.acquire(), s.acquire(False), s.acquire(timeout=0.01)), (True, True, False, False))
        s.release()
        s.release()
    raises(ValueError, s.release)


def conditions(m):
    c, d = m.Condition(), m.dict(go=False)
    raises(RuntimeError, c.notify)
    with c:
        same(c.wait(0.01), False)
        t = threading.Thread(target=change, args=(c, d))
        t.start()
        same(c.wait_for(lambda: d["go"], 20), True)
    t.join()
    e = m.Event()
    same((e.is_set(), e.wait(0.01)), (False, False))
    threading.Thread(target=e.set).start()
    same((e.wait(20), e.is_set(), e.clear(), e.is_set()), (True, True, None, False))


def change(c, d):
    with c:
        d["go"] = True
        c.notify_all()


def barriers(m):
    b = m.Barrier(2)
    same((b.parties, b.n_waiting, b.broken), (2, 0, False))
    t, seen = threading.Thread(target=lambda: seen.append(b.wait())), []
    t.start()
    seen.append(b.wait(20))
    t.join()
    same(sorted(seen), [0, 1])
    b.abort()
    same(b.broken, True)
    raises(threading.BrokenBarrierError, b.wait)
    b.reset()
    raises(threading.BrokenBarrierError, b.wait, 0.01)


def values(m):
    v, a = m.Value("i", 5), m.Array("d", [1.5, 2.5])
    v.value += 1
    same((v.value, v.get()), (6, 6))
    a[0] = 9
    same((a[0], len(a), list(a[:])), (9.0, 2, [9.0, 2.5]))
    raises(IndexError, a.__getitem__, 2)


def in_thread(call, *args):
    seen = []
    t = threading.Thread(target=lambda: seen.append(call(*args)))
    t.start()
    t.join()
    return seen[0]


def types():
    m = connected()
    for check in (dicts, lists, sets, namespaces, queues, locks, conditions, barriers, values):
        check(m)


def nested():
    m = connected()
    d = m.dict()
    d["row"] = m.list([m.dict(n=1), 2])
    d["row"][0]["n"] += 1
    d["row"][0]["more"] = m.Queue()
    d["row"][0]["more"].put(d["row"])
    again = in_thread(lambda: d["row"][0]["more"].get())
    again.append(3)
    same((d["row"][0]["n"], len(d["row"]), d["row"][2]), (2, 3, 3))
    n = m.Namespace()
    n.lock = m.Lock()
    with n.lock:
        same(in_thread(lambda: n.lock.acquire(False)), False)
    same(n.lock.acquire(False), True)


def strict():
    m = connected()
    for make in (m.dict, m.list, m.Queue, m.Lock, m.Namespace, m.Event, m.Pool):
        if "KeyError" not in raises(RemoteError, make)[0]:
            raise SystemExit("another trouble")
    same(m.get_sum(1, 2)._getvalue(), 3)
    same(m.get_board().get("a"), 1)


def board():  # by an unmodified program that knows three lines of it
    d = connected().get_board()
    for i in range(100):
        d[i] = i
    same(len(d), 101)


def hold():
    m = connected()
    m.get_lock().acquire()
    print("held", flush=True)
    m.get_queue().get()


def meet():
    m = connected()
    m.get_barrier().wait()


def crowd():
    m = connected()
    d, together = m.get_board(), threading.Barrier(201)

    def work(i):
        d[i] = -i
        together.wait()
        together.wait()
        same(d[i], -i)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(200)]
    [t.start() for t in threads]
    together.wait()
    print("all", flush=True)
    sys.stdin.read()
    together.wait()
    [t.join() for t in threads]
    same(len(d), 201)


try:
    globals()[role]()
    print("done")
except Exception as e:
    print(f"{type(e).__name__}: {e}")
