"""load.py FOLDER PORT WHO COUNT THREADS OUTPUT: GET of one object over and over, on keep-alive connections that are made again when
they break. Each answer whose head came whole is a line of OUTPUT: status, x-bailiwick-decision or -, x-amz-request-id. It ends after
COUNT answers, or, where COUNT is 0, when standard input does; and after a minute without an answer, with exit status 1.

FOLDER is laid out by demo/configure, 127.0.10.0/24 is Dublin; only the standard library is used."""
import re
import socket
import ssl
import sys
import threading
import time

folder, port, who, count, threads, path = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4]), int(sys.argv[5]), sys.argv[6]
REQUEST = b"GET /mail-dub1/alice/1 HTTP/1.1\r\nHost: gw\r\n\r\n"
over = threading.Event()
lock = threading.Lock()
left = count
answered = time.monotonic()
SILENCE_SECONDS_MAX = 60
output = open(path, "w", buffering=1)


def connect():
    context = ssl.create_default_context(cafile=f"{folder}/pki/servers-ca.crt")
    context.check_hostname = False
    context.load_cert_chain(f"{folder}/pki/{who}.crt", f"{folder}/pki/{who}.key")
    raw = socket.socket()
    raw.bind(("127.0.10.5", 0))
    raw.settimeout(10)
    raw.connect(("127.0.0.1", port))
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return context.wrap_socket(raw)


def answers(connection):
    global left, answered
    buffer = b""
    while not over.is_set():
        with lock:
            if count and left == 0:
                return over.set()
            left -= 1
        connection.sendall(REQUEST)
        while b"\r\n\r\n" not in buffer:
            piece = connection.recv(65536)
            if not piece:
                raise ConnectionResetError
            buffer += piece
        head, buffer = buffer.split(b"\r\n\r\n", 1)
        fields = dict(re.findall(rb"(?m)^([^:\r\n]+): ([^\r\n]*)", head.lower()))
        decision = fields.get(b"x-bailiwick-decision", b"-").decode()
        output.write(f"{head[9:12].decode()} {decision} {fields[b'x-amz-request-id'].decode()}\n")
        answered = time.monotonic()
        length = int(fields[b"content-length"])
        while len(buffer) < length:
            piece = connection.recv(65536)
            if not piece:
                raise ConnectionResetError
            buffer += piece
        buffer = buffer[length:]
        if fields.get(b"connection") == b"close":
            raise ConnectionResetError


def work():
    while not over.is_set():
        try:
            connection = connect()
            try:
                answers(connection)
            finally:
                connection.close()
        except OSError:
            time.sleep(0.005)
            if time.monotonic() - answered > SILENCE_SECONDS_MAX:
                over.set()


workers = [threading.Thread(target=work) for _ in range(threads)]
for worker in workers:
    worker.start()
if count == 0:
    sys.stdin.read()
    over.set()
for worker in workers:
    worker.join()
if time.monotonic() - answered > SILENCE_SECONDS_MAX:
    sys.exit(f"no answer for {SILENCE_SECONDS_MAX} s")
