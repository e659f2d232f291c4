"""conn_stream.py SIZE COUNT: seconds for a message that goes one way over a Pipe."""
import sys
from multiprocessing import Pipe
from peer import team


def send(conn, message, count):
    for _ in range(count):
        conn.send_bytes(message)


def receive(conn, count):
    for _ in range(count):
        conn.recv_bytes()


size, count = map(int, sys.argv[1:])
one, other = Pipe()
print(team((0, send, (one, bytes(size), count)), (1, receive, (other, count))) / count)
