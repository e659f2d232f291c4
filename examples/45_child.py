"""45_child.py FD: looks at what comes over the socket FD, for 45_python_child.c, which starts it."""
import statistics
import sys
from multiprocessing.connection import Connection


def look_at(numbers):
    if not numbers:
        return ValueError("there are none")
    return {"mean": statistics.mean(numbers), "median": statistics.median(numbers)}


with Connection(int(sys.argv[1])) as conn:
    conn.send("numbers, please")
    try:
        while True:
            conn.send(look_at(conn.recv()))
    except EOFError:
        pass
