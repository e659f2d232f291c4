"""lock.py TIMES: seconds to acquire and release a lock that nobody else wants."""
import sys
import time
from multiprocessing import Lock
from peer import pin


def measure(lock, times):
    acquire, release = lock.acquire, lock.release
    begin = time.perf_counter()
    for _ in range(times):
        acquire()
        release()
    return time.perf_counter() - begin


times = int(sys.argv[1])
pin(0)
print(measure(Lock(), times) / times)
