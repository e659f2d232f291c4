"""process_start.py METHOD MIB TIMES: seconds to start and join a process, from a parent that size."""
import sys
import time
from multiprocessing import get_context


def nothing():
    pass


def measure(context, times):
    begin = time.perf_counter()
    for _ in range(times):
        child = context.Process(target=nothing)
        child.start()
        child.join()
    return (time.perf_counter() - begin) / times


if __name__ == "__main__":
    memory = bytearray(b"\1") * (int(sys.argv[2]) << 20)
    context = get_context(sys.argv[1])
    measure(context, 1)  # the first one starts a server, and more
    print(measure(context, int(sys.argv[3])))
