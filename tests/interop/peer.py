"""peer.py listen|connect ADDRESS KEY [modern]: a Python at the other end.

Address and key are Python's, as literals: "'/a/path'", "('127.0.0.1', 80)", "None". `listen` prints the
address that it became when it is there, then accepts one, and answers each message with the same in
capitals. `connect` says "hello", and prints what it hears. What goes wrong is printed as its type and text.
"""
import sys
from ast import literal_eval
from multiprocessing.connection import Client, Listener

role, address, key = sys.argv[1], literal_eval(sys.argv[2]), literal_eval(sys.argv[3])
if "modern" in sys.argv[4:]:
    import handshake_312  # noqa: F401


def listen():
    with Listener(address, authkey=key) as listener:
        print(repr(listener.address), flush=True)
        with listener.accept() as conn:
            while True:
                conn.send_bytes(conn.recv_bytes().upper())


def connect():
    with Client(address, authkey=key) as conn:
        conn.send_bytes(b"hello")
        print(conn.recv_bytes(), flush=True)


try:
    {"listen": listen, "connect": connect}[role]()
except EOFError:
    print("the end")
except Exception as e:
    print(f"{type(e).__name__}: {e}")
