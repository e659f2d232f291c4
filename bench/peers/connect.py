"""connect.py TIMES path|tcp: seconds to connect to another process, and to authenticate each other."""
import sys
import tempfile
from multiprocessing.connection import Client, Listener
from peer import team

KEY = b"secret key"


def connect(address, times):
    for _ in range(times):
        Client(address, authkey=KEY).close()


def accept(listener, times):
    for _ in range(times):
        listener.accept().close()


times = int(sys.argv[1])
with tempfile.TemporaryDirectory() as folder:
    address = f"{folder}/s" if sys.argv[2] == "path" else ("127.0.0.1", 0)
    with Listener(address, backlog=128, authkey=KEY) as listener:
        print(team((None, connect, (listener.address, times)), (None, accept, (listener, times)))
              / times)
