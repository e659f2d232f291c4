"""queue_stream.py Queue|SimpleQueue PAIRS SIZE COUNT MAXSIZE: seconds for a message; COUNT of each
producer."""
import multiprocessing
import sys
from peer import team


def produce(queue, message, count):
    for _ in range(count):
        queue.put(message)


def consume(queue, count):
    for _ in range(count):
        queue.get()


pairs, size, count, maxsize = map(int, sys.argv[2:])
queue = multiprocessing.Queue(maxsize) if sys.argv[1] == "Queue" else multiprocessing.SimpleQueue()
members = [(0, produce, (queue, bytes(size), count)), (1, consume, (queue, count))] * pairs
print(team(*members) / (pairs * count))
