"""lock.py Lock|RLock|Semaphore PROCESSES TIMES: seconds of a turn with a lock that they all want;
lock.py new 1 TIMES: seconds to make a lock and let it go."""
import multiprocessing
import sys
import time
from peer import pin, team


def turns(lock, times):
    acquire, release = lock.acquire, lock.release
    for _ in range(times):
        acquire()
        release()


def make(times):
    for _ in range(times):
        multiprocessing.Lock()


def seconds(function, *args):
    begin = time.perf_counter()
    function(*args)
    return time.perf_counter() - begin


kind, processes, times = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
if kind == "new":
    print(seconds(make, times) / times)
elif processes == 1:
    pin(0)
    print(seconds(turns, getattr(multiprocessing, kind)(), times) / times)
else:
    lock = getattr(multiprocessing, kind)()
    members = [(index % 2, turns, (lock, times)) for index in range(processes)]
    print(team(*members) / (processes * times))
