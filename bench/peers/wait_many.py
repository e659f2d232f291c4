"""wait_many.py TIMES N: seconds for connection.wait over N descriptors, one of which is readable."""
import os
import resource
import sys
import time
from multiprocessing.connection import wait

times, n = int(sys.argv[1]), int(sys.argv[2])
most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
silent, _ = os.pipe()
ready, writer = os.pipe()
os.write(writer, b"x")
fds = [os.dup(silent) for _ in range(n - 1)]
fds.insert(n // 2, ready)
begin = time.perf_counter()
for _ in range(times):
    assert wait(fds) == [ready]
print((time.perf_counter() - begin) / times)
