"""manager_client.py ROLE ADDRESS KEY: a Python program as client of a manager of ours.

Address and key are Python's, as literals. Each role prints what it sees, and "done" at its end.
"""
import multiprocessing
import queue
import sys
import threading
from ast import literal_eval
from multiprocessing.managers import BaseManager, RemoteError, SyncManager


class Manager(BaseManager):
    pass


for name in ("get_queue", "get_lock", "get_event", "get_slow", "get_sum", "fails", "nothing"):
    Manager.register(name)

role, address, key = sys.argv[1], literal_eval(sys.argv[2]), literal_eval(sys.argv[3])
multiprocessing.current_process().authkey = key  # for proxies within what is sent


def connected(kind=Manager):
    m = kind(address=address, authkey=key)
    m.connect()
    return m


def thrown(call, *args):
    try:
        call(*args)
    except Exception as e:
        return type(e).__module__ + "." + type(e).__name__
    return "nothing"


def calls():
    m = connected()
    q = m.get_queue()
    q.put([1, "two", {"three": 3.0}])
    print(q.get(timeout=5), q.qsize(), q.empty())
    print(thrown(q.get_nowait), thrown(q.get, True, 0.05))
    lock = m.get_lock()
    print(lock.acquire(), lock.acquire(False), lock.release())
    event = m.get_event()
    threading.Timer(0.05, m.get_event().set).start()
    print(event.wait(5), event.is_set())
    print(m.get_sum(1, 2, more=3)._getvalue(), str(m.get_sum(4)))
    print(thrown(m.nothing), thrown(m.fails))
    print(isinstance(str(q), str), m._number_of_objects() > 0, "refcount" in m._debug_info())


def default_types():
    m = connected(SyncManager)
    q, lock, value = m.Queue(2), m.RLock(), m.Value("i", 5)
    q.put(1)
    q.put(2)
    print(thrown(q.put_nowait, 3), q.full(), q.get(), q.get())
    print(lock.acquire(), lock.acquire(), lock.release(), lock.release(), thrown(lock.release))
    value.value += 2
    print(value.value)
    c = m.Condition()
    with c:
        threading.Thread(target=notify, args=(c,)).start()
        print(c.wait(5))
    q.put(m.Event())  # a proxy within a message comes back as one
    e = q.get()
    e.set()
    print(type(e).__name__, e.is_set())


def collections():
    m = connected(SyncManager)
    d, row, ns = m.dict({"a": 1}), m.list([3, 1, 2]), m.Namespace(x=1)
    d["b"] = [2]
    d["row"] = row  # a proxy in a proxy
    d["row"].append(4)
    row.sort()
    print(d["a"], d["b"], row[:], len(row), list(d), thrown(d.__getitem__, "zz"))
    print(d["row"][-1], thrown(row.__getitem__, 9), str(m.dict(d.copy() and {"k": (1,)})))
    ns.y = "two"
    print(ns.x, ns.y, thrown(getattr, ns, "z"))
    a = m.Array("i", [1, 2, 3])
    a[1] = 7
    print(a[:] == [1, 7, 3] or list(a[:]), len(a))


def notify(c):
    with c:
        c.notify()


def many():
    m = connected()
    q = m.get_queue()

    def put(i):
        for j in range(20):
            q.put(i)

    threads = [threading.Thread(target=put, args=(i,)) for i in range(20)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    print(sum(q.get() for _ in range(400)))


def hold():
    lock = connected().get_lock()
    lock.acquire()
    print("held", flush=True)
    sys.stdin.read()


try:
    {"calls": calls, "default_types": default_types, "collections": collections, "many": many, "hold": hold}[role]()
    print("done")
except Exception as e:
    print(f"{type(e).__name__}: {e}")
