"""manager.py WHAT CLIENTS TIMES [tcp]: seconds for one of it, through a Manager on the second
processor, with the clients on the first and the second in turn."""
import sys
import time
from multiprocessing.managers import SyncManager
from peer import pin, team


def get(thing, times):
    for i in range(times):
        thing[i * 7919 % 1000]


def set_(thing, times):
    for i in range(times):
        thing[i * 7919 % 1000] = i


def add(thing, times):
    for i in range(times):
        thing[i * 7919 % 1000] += 1


def append(thing, times):
    for i in range(times):
        thing.append(i)


def attribute(thing, times):
    for _ in range(times):
        thing.a


def set_attribute(thing, times):
    for i in range(times):
        thing.a = i


def lock(thing, times):
    for _ in range(times):
        thing.acquire()
        thing.release()


def make(manager, times):
    for _ in range(times):
        manager.dict()


def start(address, times):
    """And stop: together, as nobody wants one without the other."""
    begin = time.perf_counter()
    for _ in range(times):
        manager = SyncManager(address=address)
        manager.start()
        manager.shutdown()
    return time.perf_counter() - begin


def thing_for(manager, what):
    if what in ("get", "set", "add"):
        return manager.dict({i: i for i in range(1000)})
    if what in ("attribute", "set_attribute"):
        return manager.Namespace(a=1)
    return {"append": manager.list, "lock": manager.Lock}[what]()


ROLES = {"get": get, "set": set_, "add": add, "append": append, "attribute": attribute,
         "set_attribute": set_attribute, "lock": lock}

what, clients, times = sys.argv[1], *map(int, sys.argv[2:4])
address = ("127.0.0.1", 0) if sys.argv[4:] == ["tcp"] else None
if what == "start":
    print(start(address, times) / times)
else:
    pin(1)
    manager = SyncManager(address=address)
    manager.start()
    pin(None)
    if what == "make":
        pin(0)
        begin = time.perf_counter()
        make(manager, times)
        print((time.perf_counter() - begin) / times)
    else:
        thing = thing_for(manager, what)
        print(team(*((i, ROLES[what], (thing, times)) for i in range(clients))) / (clients * times))
    manager.shutdown()
