"""manager_serves.py ROLE ADDRESS KEY: a SyncManager of Python as server, for a client of ours.

Address and key are Python's, as literals. It prints where it listens, and what comes to its gate. What
is asked of it by name: "gate", which says that it was reached and never answers; "who", which knows the
thread that serves a connection.
"""
import os
import sys
import threading
from ast import literal_eval
from multiprocessing.managers import SyncManager


class Gate:
    def enter(self):
        print("entered", flush=True)
        threading.Event().wait()


class Who:
    def serves(self):
        return threading.get_native_id()

    def breaks(self):
        raise ZeroDivisionError("by design")


class Manager(SyncManager):
    pass


Manager.register("gate", Gate)
Manager.register("who", Who)
Manager.register("members", set, exposed=("__contains__", "__len__", "add", "discard"))  # as in 3.14
role, address, key = sys.argv[1], literal_eval(sys.argv[2]), literal_eval(sys.argv[3])
if isinstance(address, str) and address[0] == "/" and os.path.exists(address):
    os.unlink(address)  # of one that was killed
server = Manager(address=address, authkey=key).get_server()
print(server.address[1] if isinstance(server.address, tuple) else "path", flush=True)
server.serve_forever()
