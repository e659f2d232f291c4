"""process_start.py TIMES: seconds to start and join a process."""
import sys
import time
from multiprocessing import Process


def nothing():
    pass


times = int(sys.argv[1])
begin = time.perf_counter()
for _ in range(times):
    child = Process(target=nothing)
    child.start()
    child.join()
print((time.perf_counter() - begin) / times)
