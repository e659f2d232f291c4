"""run_command.py PROGRAM TIMES: seconds to run a program and wait for it, by subprocess.run."""
import subprocess
import sys
import time

program, times = [sys.argv[1]], int(sys.argv[2])
begin = time.perf_counter()
for _ in range(times):
    subprocess.run(program, check=True)
print((time.perf_counter() - begin) / times)
