"""What the peers share: processes that begin at the same moment, each on its processor."""
import os
import time
from multiprocessing import Barrier, Process

CPUS = sorted(os.sched_getaffinity(0))


def pin(cpu):
    """The n-th of the processors that we may use; None: all."""
    os.sched_setaffinity(0, CPUS if cpu is None else {CPUS[cpu % len(CPUS)]})


def run(barrier, cpu, role, args):
    pin(cpu)
    barrier.wait()
    role(*args)


def team(*members):
    """Runs (cpu, role, args) in a process each; seconds until the last is done."""
    barrier = Barrier(len(members) + 1)
    children = [Process(target=run, args=(barrier, *member)) for member in members]
    for child in children:
        child.start()
    barrier.wait()
    begin = time.perf_counter()
    for child in children:
        child.join()
    return time.perf_counter() - begin
