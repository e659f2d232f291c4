"""pool_stream.py TASKS: seconds for a task; all are submitted, then all results are taken."""
import sys
import time
from multiprocessing import Pool


def same(value):
    return value


tasks = int(sys.argv[1])
with Pool(2) as pool:
    pool.map(same, range(100))
    begin = time.perf_counter()
    results = [pool.apply_async(same, (i,)) for i in range(tasks)]
    assert [result.get() for result in results] == list(range(tasks))
    print((time.perf_counter() - begin) / tasks)
