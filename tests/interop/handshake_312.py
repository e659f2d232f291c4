"""Has this Python shake hands as Python 3.12 and later do: challenges name a digest, and so do answers.
`import handshake_312` before a Listener or a Client is made."""
import hmac
import os
from multiprocessing import AuthenticationError, connection

DIGESTS = "md5", "sha256", "sha384", "sha3_256", "sha3_384"


def split(text):
    name, brace, rest = text.partition(b"}")
    name = name[1:].decode("ascii", "replace") if text[:1] == b"{" and brace else None
    if name not in DIGESTS:
        raise AuthenticationError(f"unsupported digest: {text[:20]}")
    return name, rest


def answer_challenge(conn, authkey):
    frame = conn.recv_bytes(256)
    if not frame.startswith(b"#CHALLENGE#"):
        raise AuthenticationError(f"a challenge was expected: {frame}")
    body = frame[11:]
    if len(body) == 20:
        answer = hmac.digest(authkey, body, "md5")
    else:
        name, _ = split(body)
        answer = b"{%s}" % name.encode() + hmac.digest(authkey, body, name)
    conn.send_bytes(answer)
    if conn.recv_bytes(256) != b"#WELCOME#":
        raise AuthenticationError("digest sent was rejected")


def deliver_challenge(conn, authkey):
    body = b"{sha256}" + os.urandom(40)
    conn.send_bytes(b"#CHALLENGE#" + body)
    answer = conn.recv_bytes(256)
    try:
        name, mac = ("md5", answer) if len(answer) == 16 else split(answer)
        if not hmac.compare_digest(mac, hmac.digest(authkey, body, name)):
            raise AuthenticationError("digest received was wrong")
    except AuthenticationError:
        conn.send_bytes(b"#FAILURE#")
        raise
    conn.send_bytes(b"#WELCOME#")


connection.answer_challenge = answer_challenge
connection.deliver_challenge = deliver_challenge
