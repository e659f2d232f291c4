"""sync_round_trip.py condition|events TRIPS CPU CPU: seconds for two who wake each other in turn."""
import sys
from multiprocessing import Condition, Event, RawValue
from peer import team


def by_condition(changed, turn, index, trips):
    with changed:
        for _ in range(trips):
            while turn.value != index:
                changed.wait()
            turn.value = 1 - index
            changed.notify()


def by_events(mine, theirs, trips):
    for _ in range(trips):
        mine.wait()
        mine.clear()
        theirs.set()


kind, trips = sys.argv[1], int(sys.argv[2])
cpus = tuple(map(int, sys.argv[3:]))
if kind == "condition":
    changed, turn = Condition(), RawValue("i", 0)
    members = [(cpus[i], by_condition, (changed, turn, i, trips)) for i in range(2)]
else:
    events = Event(), Event()
    events[0].set()
    members = [(cpus[i], by_events, (events[i], events[1 - i], trips)) for i in range(2)]
print(team(*members) / trips)
