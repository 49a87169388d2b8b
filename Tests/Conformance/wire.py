"""wire.py FOLDER PORT PID: HTTP/1.1 as bytes over TLS, against a running gateway; exits 1 at the first surprise.

FOLDER is laid out by demo/configure, 127.0.10.0/24 is Dublin; only the standard library is used."""
import hashlib
import os
import re
import shutil
import socket
import ssl
import struct
import sys
import time

folder, port, pid = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])


def connect(who="dub1-mailserver", address="127.0.10.5", receive_buffer=None, at=port):
    context = ssl.create_default_context(cafile=f"{folder}/pki/servers-ca.crt")
    context.check_hostname = False
    context.load_cert_chain(f"{folder}/pki/{who}.crt", f"{folder}/pki/{who}.key")
    raw = socket.socket()
    if receive_buffer:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    raw.bind((address, 0))
    raw.settimeout(20)
    raw.connect(("127.0.0.1", at))
    return context.wrap_socket(raw)


class Reader:
    """Reads responses off one connection."""

    def __init__(self, connection):
        self.connection, self.buffer = connection, bytearray()

    def more(self):
        piece = self.connection.recv(65536)
        self.buffer += piece
        return piece

    def head(self):
        while b"\r\n\r\n" not in self.buffer:
            assert self.more(), f"the connection ended inside a head: {self.buffer!r}"
        head, _, rest = bytes(self.buffer).partition(b"\r\n\r\n")
        self.buffer = bytearray(rest)
        lines = head.decode().split("\r\n")
        fields = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines[1:])}
        return int(lines[0].split()[1]), fields

    def answer(self, is_head=False):
        status, fields = self.head()
        if is_head or status in (100, 204, 304):
            return status, fields, b""
        length = int(fields["content-length"])
        while len(self.buffer) < length:
            assert self.more(), "the connection ended inside a body"
        body = bytes(self.buffer[:length])
        del self.buffer[:length]
        return status, fields, body

    def ended(self):
        return self.more() == b""


def get(path, *fields):
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: gw", *fields, "", ""]).encode()


def put(path, body, *fields):
    return "\r\n".join([f"PUT {path} HTTP/1.1", "Host: gw", f"Content-Length: {len(body)}", *fields, "", ""]).encode() + body


def expect(value, wanted, what):
    assert value == wanted, f"{what}: {value!r}, expected {wanted!r}"


path = "/mail-dub1/alice/INBOX/wire"
descriptors = len(os.listdir(f"/proc/{pid}/fd"))

# Keep-alive, one connection, and pipelining: three requests in one write, answered in order.
connection = connect()
reader = Reader(connection)
connection.sendall(put(path, b"hello"))
expect(reader.answer()[0], 200, "PUT")
for _ in range(20):
    connection.sendall(get(path))
    expect(reader.answer()[2], b"hello", "GET on a kept connection")
connection.sendall(put(path + "-1", b"one") + get(path + "-1") + get(path + "-absent") + get(path))
expect([reader.answer()[::2] for _ in range(2)], [(200, b""), (200, b"one")], "pipelined")
expect(reader.answer()[0], 404, "pipelined")
expect(reader.answer()[2], b"hello", "pipelined")

# A request in single bytes, and two in pieces that cut everything.
for byte in get(path):
    connection.sendall(bytes([byte]))
expect(reader.answer()[2], b"hello", "byte by byte")

# A HEAD has no body, and what follows it is read right.
connection.sendall(f"HEAD {path} HTTP/1.1\r\nHost: gw\r\n\r\n".encode() + get(path))
status, fields, _ = reader.answer(is_head=True)
expect((status, fields["content-length"]), (200, "5"), "HEAD")
expect(reader.answer()[2], b"hello", "after a HEAD")
assert re.fullmatch(r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT", fields["date"]), fields["date"]

# Chunked bodies, with trailers.
connection.sendall(f"PUT {path} HTTP/1.1\r\nHost: gw\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
for piece in (b"5\r\nhello\r\n", b"7\r\n, world\r\n", b"0\r\nx-note: t\r\n\r\n"):
    connection.sendall(piece)
status, fields, _ = reader.answer()
expect((status, fields["etag"]), (200, f'"{hashlib.md5(b"hello, world").hexdigest()}"'), "chunked PUT")

# Expect: 100-continue: an allowed body is asked for, a refused one is not.
connection.sendall(f"PUT {path} HTTP/1.1\r\nHost: gw\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n".encode())
expect(reader.head()[0], 100, "an allowed body")
connection.sendall(b"hello")
expect(reader.answer()[0], 200, "an allowed body")
refused = connect("dub1-support")
refused.sendall(f"PUT {path} HTTP/1.1\r\nHost: gw\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n".encode())
status, fields, body = Reader(refused).answer()
expect((status, b"<Reason>not-entitled</Reason>" in body), (403, True), "a refused body")
expect(fields.get("connection"), "close", "a refused body that was not sent")

# A refused body that was sent is thrown away, and the connection lives on.
refused = connect("dub1-support")
reader = Reader(refused)
refused.sendall(put(path, b"x" * 100_000) + get(path))
expect(reader.answer()[0], 403, "a refused PUT")
expect(reader.answer()[2], b"hello", "after a refused PUT")

# A PUT that declares nothing is not an empty object.
connection.sendall(f"PUT {path}-none HTTP/1.1\r\nHost: gw\r\n\r\n".encode() + get(path + "-none"))
reader = Reader(connection)
expect(reader.answer()[0], 411, "a PUT without a length")
expect(reader.answer()[0], 404, "a PUT without a length")

# Connection: close, and HTTP/1.0's own framing is not spoken.
connection.sendall(get(path, "Connection: close"))
reader = Reader(connection)
status, fields, _ = reader.answer()
expect((status, fields.get("connection")), (200, "close"), "Connection: close")
assert reader.ended(), "the connection goes on after Connection: close"

# Framing that is refused: the status, a decision, and the end of the connection.
host = "Host: gw\r\n"
cases = [
    ("both lengths", 400, f"PUT {path} HTTP/1.1\r\n{host}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("two lengths", 400, f"PUT {path} HTTP/1.1\r\n{host}Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello"),
    ("a list of lengths", 400, f"PUT {path} HTTP/1.1\r\n{host}Content-Length: 5, 5\r\n\r\nhello"),
    ("a signed length", 400, f"PUT {path} HTTP/1.1\r\n{host}Content-Length: +5\r\n\r\nhello"),
    ("a hexadecimal length", 400, f"PUT {path} HTTP/1.1\r\n{host}Content-Length: 0x5\r\n\r\nhello"),
    ("a huge length", 400, f"PUT {path} HTTP/1.1\r\n{host}Content-Length: 99999999999999999999\r\n\r\n"),
    ("an unknown coding", 501, f"PUT {path} HTTP/1.1\r\n{host}Transfer-Encoding: gzip, chunked\r\n\r\n"),
    ("chunked twice", 501, f"PUT {path} HTTP/1.1\r\n{host}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("a bare LF", 400, f"GET {path} HTTP/1.1\n{host}\r\n"),
    ("a bare CR", 400, f"GET {path} HTTP/1.1\r\n{host}X: a\rb\r\n\r\n"),
    ("a folded line", 400, f"GET {path} HTTP/1.1\r\n{host}X: a\r\n b\r\n\r\n"),
    ("NUL in a value", 400, f"GET {path} HTTP/1.1\r\n{host}X: a\0b\r\n\r\n"),
    ("a space before the colon", 400, f"GET {path} HTTP/1.1\r\n{host}X : a\r\n\r\n"),
    ("an absolute target", 400, f"GET http://gw{path} HTTP/1.1\r\n{host}\r\n"),
    ("an authority target", 400, f"CONNECT gw:443 HTTP/1.1\r\n{host}\r\n"),
    ("an asterisk target", 400, f"OPTIONS * HTTP/1.1\r\n{host}\r\n"),
    ("no Host", 400, f"GET {path} HTTP/1.1\r\n\r\n"),
    ("an empty Host", 400, f"GET {path} HTTP/1.1\r\nHost:\r\n\r\n"),
    ("two Hosts", 400, f"GET {path} HTTP/1.1\r\n{host}{host}\r\n"),
    ("HTTP/1.0", 505, f"GET {path} HTTP/1.0\r\n{host}\r\n"),
    ("HTTP/2.0", 505, f"GET {path} HTTP/2.0\r\n{host}\r\n"),
    ("no HTTP", 400, "hello\r\n\r\n"),
    ("a long target", 414, f"GET {path}{'x' * 20000} HTTP/1.1\r\n{host}\r\n"),
    ("many fields", 431, f"GET {path} HTTP/1.1\r\n{host}{'X: y' + chr(13) + chr(10)}" * 1 + ("X: y\r\n" * 2000) + "\r\n"),
    ("long fields", 431, f"GET {path} HTTP/1.1\r\n{host}X: {'y' * 200000}\r\n\r\n"),
]
for what, wanted, text in cases:
    connection = connect()
    reader = Reader(connection)
    connection.sendall(text.encode("latin-1") + get(path))
    status, fields, body = reader.answer()
    expect(status, wanted, what)
    expect(fields.get("connection"), "close", what)
    assert "x-bailiwick-decision" in fields, f"{what}: no decision was recorded"
    assert b"<Reason>bad-request</Reason>" in body or b"<Reason>unsupported</Reason>" in body, f"{what}: {body!r}"
    try:
        assert reader.ended(), f"{what}: what followed was answered: {reader.buffer!r}"
    except (ConnectionResetError, ssl.SSLError):
        pass

# The same from a stranger is no decision; status and code are of one mind.
for what, wanted, text in cases:
    if wanted != 400:
        continue
    connection = connect("dub1-auditor")
    connection.sendall(text.encode("latin-1"))
    status, fields, body = Reader(connection).answer()
    expect((status, b"<Code>InvalidRequest</Code>" in body), (400, True), f"a stranger's {what}")
    assert "x-bailiwick-decision" not in fields, f"a stranger's {what} is recorded"

# A chunk that lies, or has an extension, is answered and ends the connection; nothing half is stored.
for chunk in ("5\r\nhello!\r\n", "5;a=b\r\nhello\r\n", "g\r\n", "5\nhello\r\n", "0\r\nno field\r\n\r\n"):
    connection = connect()
    connection.sendall(f"PUT {path}-half HTTP/1.1\r\nHost: gw\r\nTransfer-Encoding: chunked\r\n\r\n{chunk}".encode())
    status, fields, body = Reader(connection).answer()
    expect((status, fields.get("connection")), (400, "close"), chunk)

# A PUT whose client goes away is not stored either.
connection = connect()
connection.sendall(f"PUT {path}-half HTTP/1.1\r\nHost: gw\r\nContent-Length: 100\r\n\r\nhello".encode())
connection.close()
connection = connect()
connection.sendall(get(path + "-half"))
expect(Reader(connection).answer()[0], 404, "a PUT that broke off")


def resident():
    with open(f"/proc/{pid}/status") as status:
        return int(re.search(r"VmRSS:\s+(\d+)", status.read())[1]) * 1024


# A reader that does not read, and one that reads slowly, bound what is held in memory: 64 MiB object, eight of them.
size = 64 << 20
block = os.urandom(1 << 20)
connection = connect()
connection.sendall(f"PUT {path}-large HTTP/1.1\r\nHost: gw\r\nContent-Length: {size}\r\n\r\n".encode())
for _ in range(size >> 20):
    connection.sendall(block)
expect(Reader(connection).answer()[0], 200, "a large PUT")
before = resident()
stalled = [connect(receive_buffer=65536) for _ in range(8)]
for one in stalled:
    one.sendall(get(path + "-large"))
heads = [Reader(one).head()[0] for one in stalled]
expect(heads, [200] * 8, "large GETs")
deadline = time.monotonic() + 1.0
growth = 0
while time.monotonic() < deadline:
    growth = max(growth, resident() - before)
    time.sleep(0.05)
assert growth < 32 << 20, f"eight stalled readers of 64 MiB made the gateway grow by {growth >> 20} MiB"
for one in stalled:
    one.close()

# A whole read of the same, to its last byte.
connection = connect()
connection.sendall(get(path + "-large"))
status, _, body = Reader(connection).answer()
expect((status, hashlib.sha256(body).hexdigest()), (200, hashlib.sha256(block * (size >> 20)).hexdigest()), "a large GET")
connection.close()

# Pipelined behind answers that the socket does not take at once: each in its turn, whole.
connection = connect(receive_buffer=65536)
connection.sendall(get(path + "-large", "Range: bytes=0-4999999") + get(path) + get(path + "-large", "Range: bytes=5000000-9999999") + get(path))
time.sleep(0.5)
reader = Reader(connection)
whole = block * 10
for wanted in (whole[:5000000], b"hello", whole[5000000:10000000], b"hello"):
    status, _, body = reader.answer()
    expect(hashlib.sha256(body).hexdigest(), hashlib.sha256(wanted).hexdigest(), f"a pipelined answer of {len(wanted)} bytes, status {status}")
connection.close()

# Clients that reset their connection at any moment of an answer end their own request and nobody else's.
# What is refused after its look-up has the object open meanwhile: `planted` bears no tag.
planted = f"{folder}/store/dub1/alice/INBOX/planted"
with open(planted, "w") as file:
    file.write("nobody's")
steady = connect()
steady_reader = Reader(steady)
for turn in range(600):
    rude = connect()
    if turn < 300:
        rude.sendall(get(path + ("-large" if turn % 2 else "")) * (1 + turn % 3))
        time.sleep(turn % 10 / 2000)
    else:
        rude.sendall(get("/mail-dub1/alice/INBOX/planted"))
        time.sleep(turn % 20 / 40000)
    rude.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    socket.socket(fileno=rude.detach()).close()
    steady.sendall(get(path))
    expect(steady_reader.answer()[2], b"hello", "a GET beside a reset")
steady.close()
deadline = time.monotonic() + 10
while len(os.listdir(f"/proc/{pid}/fd")) > descriptors + 2:
    assert time.monotonic() < deadline, "connections that were reset keep their descriptors"
    time.sleep(0.1)

# Guesses at keys abroad, all at once: DESIGN 3.7 answers ten in a minute, of which the tries may meet two. Every other one meets what came
# from Virginia and is misplaced, of which too many say nothing either.
shutil.copytree(f"{folder}/store/iad1/alice/INBOX", f"{folder}/store/dub1/alice/INBOX", dirs_exist_ok=True)
guesses = [connect(address="127.0.20.5") for _ in range(60)]
for turn, guess in enumerate(guesses):
    guess.sendall(put("/mail-dub1/alice/INBOX/us" if turn % 2 else path, b"x"))
answers = [Reader(guess).answer()[2] for guess in guesses]
overwrites = sum(b"foreign-overwrite" in answer for answer in answers)
assert 10 <= overwrites <= 20, f"{overwrites} of 60 foreign overwrites were answered as such"
assert overwrites + sum(b"overloaded" in answer for answer in answers) == 60, answers

# As many requests to the operators' listener as fit into what is read at once, by somebody without a role, who then goes away.
operators = int(re.search(r'operators_listen = "127.0.0.1:(\d+)"', open(f"{folder}/dub1-gw1.toml").read())[1])
for turn in range(20):
    burst = connect(at=operators)
    burst.settimeout(0.2)
    try:
        burst.sendall(b"GET / HTTP/1.1\r\nHost:a\r\n\r\n" * 12000)
    except OSError:
        pass
    burst.close()
operator = connect(at=operators)
operator.sendall(get("/health"))
expect(Reader(operator).answer()[0], 200, "/health after the bursts")
operator.close()
print("every answer was the expected one")
