"""conn_round_trip.py TRIPS SIZE CPU CPU: seconds for a message there and one back, over a Pipe."""
import sys
from multiprocessing import Pipe
from peer import team


def ask(conn, trips, message):
    for _ in range(trips):
        conn.send_bytes(message)
        conn.recv_bytes()


def answer(conn, trips):
    for _ in range(trips):
        conn.send_bytes(conn.recv_bytes())


trips, size, *cpus = map(int, sys.argv[1:])
one, other = Pipe()
print(team((cpus[0], ask, (one, trips, bytes(size))), (cpus[1], answer, (other, trips))) / trips)
