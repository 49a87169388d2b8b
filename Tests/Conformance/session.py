"""session.py FOLDER PORT WHO ADDRESS [TOKEN]: one keep-alive connection, and the TLS session that it was given. A line on standard
input is a command:

  GET      a request on the connection: `STATUS REASON`
  RESUME   a new connection that offers the session: `STATUS resumed`, `STATUS full`, or `error …`

FOLDER is laid out by demo/configure; only the standard library is used."""
import re
import socket
import ssl
import sys

folder, port, who, address, *token = sys.argv[1:]
context = ssl.create_default_context(cafile=f"{folder}/pki/servers-ca.crt")
context.check_hostname = False
context.load_cert_chain(f"{folder}/pki/{who}.crt", f"{folder}/pki/{who}.key")
authorization = f"x-bailiwick-authorization: {token[0]}\r\n" if token and token[0] else ""
REQUEST = f"GET /mail-dub1/alice/1 HTTP/1.1\r\nHost: gw\r\n{authorization}\r\n".encode()


def connect(session=None):
    raw = socket.socket()
    raw.bind((address, 0))
    raw.settimeout(30)
    raw.connect(("127.0.0.1", int(port)))
    return context.wrap_socket(raw, session=session)


def get(connection):
    connection.sendall(REQUEST)
    buffer = b""
    while b"\r\n\r\n" not in buffer:
        piece = connection.recv(65536)
        if not piece:
            raise ConnectionResetError("no answer")
        buffer += piece
    head, body = buffer.split(b"\r\n\r\n", 1)
    length = int(re.search(rb"(?i)content-length: (\d+)", head)[1])
    while len(body) < length:
        piece = connection.recv(65536)
        if not piece:
            raise ConnectionResetError("half an answer")
        body += piece
    reason = re.search(rb"<Reason>([a-z-]+)", body)
    return head[9:12].decode(), reason[1].decode() if reason else "-"


def answer(command):
    try:
        if command == "GET":
            return " ".join(get(connection))
        with connect(connection.session) as second:
            status, _ = get(second)
            return f"{status} {'resumed' if second.session_reused else 'full'}"
    except (OSError, ConnectionResetError) as error:
        return f"error {error}"


connection = connect()
for line in sys.stdin:
    print(answer(line.strip()), flush=True)
