"""value_add.py PROCESSES TIMES: seconds to count a Value up under its lock; TIMES by each."""
import sys
from multiprocessing import Value
from peer import team


def add(value, times):
    for _ in range(times):
        with value.get_lock():
            value.value += 1


processes, times = map(int, sys.argv[1:])
value = Value("l", 0)
members = [(index, add, (value, times)) for index in range(processes)]
print(team(*members) / (processes * times))
