"""queue_stream.py PAIRS SIZE COUNT MAXSIZE: seconds for a message; COUNT of each producer."""
import sys
from multiprocessing import Queue
from peer import team


def produce(queue, message, count):
    for _ in range(count):
        queue.put(message)


def consume(queue, count):
    for _ in range(count):
        queue.get()


pairs, size, count, maxsize = map(int, sys.argv[1:])
queue = Queue(maxsize)
members = [(0, produce, (queue, bytes(size), count)), (1, consume, (queue, count))] * pairs
print(team(*members) / (pairs * count))
