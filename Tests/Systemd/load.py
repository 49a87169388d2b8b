"""load.py PKI PORT CONNECTIONS: GET over and over on so many keep-alive connections, until standard input ends; each that ends is made
again. Prints one line of JSON: `answers` by status; `refused` connections; `handshakes` that broke; `unanswered` requests, whose
connection ended before a byte of the answer; `truncated` answers; `closed`, connections that the server ended with an answer's end."""
import collections
import json
import re
import socket
import ssl
import sys
import threading

pki, port, connections = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
REQUEST = b"GET /mail-dub1/alice/1 HTTP/1.1\r\nHost: gateway\r\n\r\n"
context = ssl.create_default_context(cafile=f"{pki}/servers-ca.crt")
context.check_hostname = False
context.load_cert_chain(f"{pki}/dub1-mailserver.crt", f"{pki}/dub1-mailserver.key")
over = threading.Event()
lock = threading.Lock()
counts = collections.Counter()
answers = collections.Counter()


def count(name):
    with lock:
        counts[name] += 1


def connect():
    raw = socket.socket()
    raw.bind(("127.0.10.5", 0))
    raw.settimeout(20)
    try:
        raw.connect(("127.0.0.1", port))
    except ConnectionRefusedError:
        count("refused")
        return None
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        return context.wrap_socket(raw)
    except OSError:
        count("handshakes")
        return None


def receive(connection):
    try:
        return connection.recv(65536)
    except OSError:
        return b""


def exchange(connection):
    """One request; False when the connection is at its end."""
    try:
        connection.sendall(REQUEST)
    except OSError:
        count("unanswered")
        return False
    buffer = b""
    while b"\r\n\r\n" not in buffer:
        piece = receive(connection)
        if not piece:
            count("truncated" if buffer else "unanswered")
            return False
        buffer += piece
    head, body = buffer.split(b"\r\n\r\n", 1)
    length = int(re.search(rb"(?im)^content-length: (\d+)", head)[1])
    while len(body) < length:
        piece = receive(connection)
        if not piece:
            count("truncated")
            return False
        body += piece
    with lock:
        answers[int(head[9:12])] += 1
    if re.search(rb"(?im)^connection: close", head):
        count("closed")
        return False
    return True


def work():
    while not over.is_set():
        connection = connect()
        if connection is None:
            over.wait(0.01)
            continue
        count("connections")
        while not over.is_set() and exchange(connection):
            pass
        connection.close()


workers = [threading.Thread(target=work) for _ in range(connections)]
for worker in workers:
    worker.start()
sys.stdin.read()
over.set()
for worker in workers:
    worker.join()
print(json.dumps({"answers": answers, **{name: counts[name] for name in
    ("connections", "refused", "handshakes", "unanswered", "truncated", "closed")}}))
