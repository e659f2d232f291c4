"""86_worker.py HOST:PORT: works on the jobs of 86_job_queue.c, until it gets None."""
import sys
import time
from multiprocessing.managers import BarrierProxy, DictProxy, SyncManager


class Manager(SyncManager):  # a BaseManager could not go through `for n in results`
    pass


Manager.register("jobs")
Manager.register("results", proxytype=DictProxy)
Manager.register("all_here", proxytype=BarrierProxy)


def steps(n):
    count = 0
    while n != 1:
        n = n // 2 if n % 2 == 0 else 3 * n + 1
        count += 1
    time.sleep(0.01)  # a job takes its time
    return count


host, port = sys.argv[1].rsplit(":", 1)
manager = Manager(address=(host, int(port)), authkey=b"our secret")
manager.connect()
jobs, results = manager.jobs(), manager.results()
done = 0
manager.all_here().wait()
for n in iter(jobs.get, None):
    results[n] = steps(n)
    done += 1
print("a worker in Python:", done, "jobs", file=sys.stderr)
