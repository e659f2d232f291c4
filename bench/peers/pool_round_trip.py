"""pool_round_trip.py TIMES: seconds of one Pool.apply, with two workers."""
import sys
import time
from multiprocessing import Pool


def same(value):
    return value


times = int(sys.argv[1])
with Pool(2) as pool:
    pool.map(same, range(100))
    begin = time.perf_counter()
    for i in range(times):
        assert pool.apply(same, (i,)) == i
    print((time.perf_counter() - begin) / times)
