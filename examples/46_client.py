"""46_client.py ADDRESS: asks the server in 46_server_for_python.c to count words."""
import sys
from multiprocessing.connection import Client

with Client(sys.argv[1], authkey=b"our secret") as conn:
    for text in "a rose is a rose", "to be or not to be", "":
        conn.send(text.split())
        print(conn.recv())
