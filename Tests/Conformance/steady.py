"""steady.py FOLDER PORT WHO CONNECTIONS: GET of one object over and over on keep-alive connections, each made again only when the
server said that it closes. A line on standard input asks for the counts so far: `answered N wrong N refused N dropped N connections N`;
the last ones, after the end of all connections, for a line `end`.

  wrong    answers other than 200 with the whole object
  refused  connections that could not be made
  dropped  connections that ended otherwise than by an answer with `Connection: close`

FOLDER is laid out by demo/configure, 127.0.10.0/24 is Dublin; only the standard library is used."""
import collections
import socket
import ssl
import sys
import threading

folder, port, who, connections = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
REQUEST = b"GET /mail-dub1/alice/1 HTTP/1.1\r\nHost: gw\r\n\r\n"
over = threading.Event()
lock = threading.Lock()
counts = collections.Counter()
problems = []
context = ssl.create_default_context(cafile=f"{folder}/pki/servers-ca.crt")
context.check_hostname = False
context.load_cert_chain(f"{folder}/pki/{who}.crt", f"{folder}/pki/{who}.key")


def count(name, problem=None):
    with lock:
        counts[name] += 1
        if problem and len(problems) < 20:
            problems.append(f"{name}: {problem}")


def connect():
    raw = socket.socket()
    raw.bind(("127.0.10.5", 0))
    raw.settimeout(30)
    raw.connect(("127.0.0.1", port))
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return context.wrap_socket(raw)


def exchange(connection, buffer):
    """One request; the rest of what was read, or None when the server closes."""
    connection.sendall(REQUEST)
    while b"\r\n\r\n" not in buffer:
        piece = connection.recv(65536)
        if not piece:
            raise ConnectionResetError("no answer")
        buffer += piece
    head, buffer = buffer.split(b"\r\n\r\n", 1)
    lines = head.lower().split(b"\r\n")
    length = next(int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length:"))
    while len(buffer) < length:
        piece = connection.recv(65536)
        if not piece:
            raise ConnectionResetError("half an answer")
        buffer += piece
    if head[9:12] == b"200":
        count("answered")
    else:
        count("wrong", head[:200])
    return None if b"connection: close" in lines else buffer[length:]


def work():
    while not over.is_set():
        try:
            connection = connect()
        except OSError as error:
            count("refused", error)
            over.wait(0.01)
            continue
        count("connections")
        try:
            buffer = b""
            while buffer is not None and not over.is_set():
                buffer = exchange(connection, buffer)
        except OSError as error:
            count("dropped", error)
        finally:
            connection.close()


def tell():
    with lock:
        names = ("answered", "wrong", "refused", "dropped", "connections")
        print(" ".join(f"{name} {counts[name]}" for name in names), *problems, flush=True)


workers = [threading.Thread(target=work) for _ in range(connections)]
for worker in workers:
    worker.start()
for line in sys.stdin:
    if line.strip() == "end":
        break
    tell()
over.set()
for worker in workers:
    worker.join()
tell()
