"""segment.py create|attach|close COUNT: seconds to do that with a segment of 4 KiB."""
import sys
import time
from multiprocessing.shared_memory import SharedMemory
from peer import pin

phase, count = sys.argv[1], int(sys.argv[2])
pin(0)
SharedMemory(create=True, size=1).unlink()  # the first one starts a process
at = [time.perf_counter()]
made = [SharedMemory(create=True, size=4096) for _ in range(count)]
at.append(time.perf_counter())
seen = [SharedMemory(name=segment.name) for segment in made]
at.append(time.perf_counter())
for segment in seen:
    segment.close()
at.append(time.perf_counter())
for segment in made:
    segment.close()
    segment.unlink()
which = ("create", "attach", "close").index(phase)
print((at[which + 1] - at[which]) / count)
