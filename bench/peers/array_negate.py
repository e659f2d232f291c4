"""array_negate.py COUNT: seconds to negate a million ints, from how long COUNT of them take."""
import sys
import time
from multiprocessing import Array
from peer import pin

count = int(sys.argv[1])
pin(0)
array = Array("i", range(count))
begin = time.perf_counter()
for i in range(count):
    array[i] = -array[i]
print((time.perf_counter() - begin) / count * 1e6)
