"""pool_tasks.py QUESTION KIND N: what a pool of Python's takes, in seconds for one of N. KIND is Pool,
ThreadPool, executor (ProcessPoolExecutor), loky, or joblib (Parallel, which can only map)."""
import math
import multiprocessing
import multiprocessing.pool
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor


class Tasks:
    """Pools of all kinds, by the names of executors."""

    def __init__(self, kind, workers, **options):
        self.kind, self.workers = kind, workers
        if kind == "Pool":
            self.pool = multiprocessing.Pool(workers, **options)
        elif kind == "ThreadPool":
            self.pool = multiprocessing.pool.ThreadPool(workers)
        elif kind == "executor":
            self.pool = ProcessPoolExecutor(workers)
        elif kind == "loky":
            from joblib.externals.loky import ProcessPoolExecutor as Loky
            self.pool = Loky(workers)
        elif kind == "joblib":
            from joblib import Parallel
            self.pool = Parallel(n_jobs=workers)

    def submit(self, function, value):
        """A function that waits for the result."""
        if "Pool" in self.kind:
            return self.pool.apply_async(function, (value,)).get
        return self.pool.submit(function, value).result

    def map(self, function, values, chunksize=None):
        """With the chunks that Pool.map cuts, where the kind has no idea of its own."""
        if "Pool" in self.kind:
            return self.pool.map(function, values, chunksize)
        if self.kind == "joblib":
            from joblib import delayed
            return self.pool(delayed(function)(value) for value in values)
        share = math.ceil(len(values) / (4 * self.workers))
        return list(self.pool.map(function, values, chunksize=chunksize or share))

    def close(self):
        if "Pool" in self.kind:
            self.pool.close()
            self.pool.join()
        elif self.kind != "joblib":
            self.pool.shutdown()


def same(value):
    return value


def square(value):
    return value * value


def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


def length(data):
    return len(data) + data[0] + data[-1]


def pid_of(_):
    return os.getpid()


def timed(function, *arguments):
    begin = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - begin


def warm(kind, workers):
    tasks = Tasks(kind, workers)
    tasks.map(same, range(100))
    return tasks


def ask_round_trip(kind, n, pause=0):
    tasks = warm(kind, 2)
    seconds = 0
    for i in range(n):
        end = time.perf_counter() + pause
        while time.perf_counter() < end:
            pass
        begin = time.perf_counter()
        assert tasks.submit(same, i)() == i
        seconds += time.perf_counter() - begin
    tasks.close()
    return seconds / n


def ask_round_trip_asleep(kind, n):
    return ask_round_trip(kind, n, 100e-6)


def ask_stream(kind, n, workers=2):
    def stream():
        results = [tasks.submit(same, i) for i in range(n)]
        assert [result() for result in results] == list(range(n))

    tasks = warm(kind, workers)
    seconds = timed(stream)
    tasks.close()
    return seconds / n


def ask_map(kind, n):
    tasks = warm(kind, 2)
    seconds = timed(tasks.map, square, range(n))
    tasks.close()
    return seconds / n


def factorials(kind):
    tasks = Tasks(kind, 4)
    tasks.map(math.factorial, range(1, 101))
    tasks.close()


def ask_cold(kind, n):
    return timed(lambda: [factorials(kind) for _ in range(n)]) / n


def ask_warm(kind, n):
    tasks = warm(kind, 4)
    seconds = timed(lambda: [tasks.map(math.factorial, range(1, 101)) for _ in range(n)])
    tasks.close()
    return seconds / n


def ask_fib(kind, n):
    if kind == "serial":
        return timed(lambda: [fib(i) for i in range(25, 35)])
    tasks = warm(kind, 2)
    seconds = timed(lambda: [tasks.map(fib, range(25, 35), 1) for _ in range(n)]) / n
    tasks.close()
    return seconds


def ask_sleep(kind, n):
    tasks = warm(kind, 3)
    seconds = timed(tasks.map, time.sleep, [0.1] * n, 1)
    tasks.close()
    return seconds / n


def ask_argument(kind, n):
    tasks = warm(kind, 2)
    data = b"\1" * 100_000_000
    seconds = timed(lambda: [tasks.submit(length, data)() for _ in range(n)])
    tasks.close()
    return seconds / n


def ask_restarts(kind, n):
    tasks = Tasks(kind, 2, maxtasksperchild=1)
    begin = time.perf_counter()
    pids = tasks.map(pid_of, range(n), 1)
    seconds = time.perf_counter() - begin
    tasks.close()
    assert len(set(pids)) > 0.9 * n
    return seconds / n


def ask_idle(kind, n):
    """Not how long it takes: prints who we are, and sleeps for n seconds beside an idle pool."""
    tasks = warm(kind, 4)
    print(os.getpid(), flush=True)
    time.sleep(n)
    tasks.close()
    return 0


if __name__ == "__main__":
    question, kind, *numbers = sys.argv[1:]
    print(globals()["ask_" + question](kind, *map(int, numbers)))
