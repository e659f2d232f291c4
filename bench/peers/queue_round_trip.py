"""queue_round_trip.py TRIPS free|CPU CPU: seconds for a message there and one back."""
import sys
from multiprocessing import Queue
from peer import team


def ask(there, back, trips):
    for _ in range(trips):
        there.put(b"12345678")
        back.get()


def answer(there, back, trips):
    for _ in range(trips):
        back.put(there.get())


trips = int(sys.argv[1])
cpus = (None, None) if sys.argv[2] == "free" else tuple(map(int, sys.argv[2:]))
args = (Queue(), Queue(), trips)
print(team((cpus[0], ask, args), (cpus[1], answer, args)) / trips)
