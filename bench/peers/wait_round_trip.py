"""wait_round_trip.py TRIPS CPU CPU BUSY: seconds for a message there and one back, both found by
connection.wait, for one of two pipes each. Both compute for BUSY seconds before they answer, which is
not counted."""
import sys
import time
from multiprocessing import Pipe
from multiprocessing.connection import wait
from peer import team

trips, busy = int(sys.argv[1]), float(sys.argv[4])


def receive(readers):
    for reader in wait(readers):
        reader.recv_bytes()
    end = time.perf_counter() + busy
    while time.perf_counter() < end:
        pass


def ask(readers, writer):
    for _ in range(trips):
        writer.send_bytes(b"12345678")
        receive(readers)


def answer(readers, writer):
    for _ in range(trips):
        receive(readers)
        writer.send_bytes(b"12345678")


here, to_there = Pipe(duplex=False)
there, to_here = Pipe(duplex=False)
silent, unused = Pipe(duplex=False)
print(team((int(sys.argv[2]), ask, ([there, silent], to_there)),
           (int(sys.argv[3]), answer, ([here, silent], to_here))) / trips - 2 * busy)
