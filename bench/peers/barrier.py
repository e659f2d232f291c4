"""barrier.py PARTIES ROUNDS: seconds of a round."""
import sys
from multiprocessing import Barrier
from peer import team


def wait(barrier, rounds):
    for _ in range(rounds):
        barrier.wait()


parties, rounds = map(int, sys.argv[1:])
barrier = Barrier(parties)
members = [(index % 2, wait, (barrier, rounds)) for index in range(parties)]
print(team(*members) / rounds)
