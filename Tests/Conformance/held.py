"""held.py FOLDER PORT: requests whose bodies are held back, told by lines of JSON on standard input; each is answered by a line.

FOLDER is laid out by demo/configure; only the standard library is used.

{"begin": NAME, "who", "from", "path", "headers": {…}, "length": N}   the head of a PUT that expects 100; ends with what comes then
{"end": NAME, "body"}      the body; ends with the answer, status 0 where the connection was cut off
{"wait": NAME}             waits for an answer, or the end of the connection
"""
import json
import re
import socket
import ssl
import sys

folder, port = sys.argv[1], int(sys.argv[2])
connections = {}


def connect(who, address):
    context = ssl.create_default_context(cafile=f"{folder}/pki/servers-ca.crt")
    context.check_hostname = False
    context.load_cert_chain(f"{folder}/pki/{who}.crt", f"{folder}/pki/{who}.key")
    raw = socket.socket()
    raw.bind((address, 0))
    raw.settimeout(30)
    raw.connect(("127.0.0.1", port))
    return context.wrap_socket(raw)


def answer(connection):
    """The next response, interim ones too."""
    try:
        received = b""
        while b"\r\n\r\n" not in received:
            piece = connection.recv(1)
            if not piece:
                return {"status": 0}
            received += piece
        lines = received.decode().split("\r\n")
        fields = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines[1:] if line)}
        body = b""
        while len(body) < int(fields.get("content-length", 0)):
            piece = connection.recv(65536)
            if not piece:
                return {"status": 0}
            body += piece
    except (ConnectionError, ssl.SSLError):
        return {"status": 0}
    code = re.search(b"<Code>(.*?)</Code>", body)
    reason = re.search(b"<Reason>(.*?)</Reason>", body)
    return {
        "status": int(lines[0].split()[1]), "headers": fields, "code": code.group(1).decode() if code else "",
        "reason": reason.group(1).decode() if reason else "",
    }


def begin(name, what):
    connection = connections[name] = connect(what["who"], what["from"])
    head = f"PUT {what['path']} HTTP/1.1\r\nHost: x\r\nContent-Length: {what['length']}\r\nExpect: 100-continue\r\n"
    for field, value in what.get("headers", {}).items():
        head += f"{field}: {value}\r\n"
    connection.sendall(head.encode() + b"\r\n")
    return answer(connection)


def end(name, what):
    try:
        connections[name].sendall(what["body"].encode())
    except (ConnectionError, ssl.SSLError):
        return {"status": 0}
    return answer(connections[name])


for line in sys.stdin:
    what = json.loads(line)
    if "begin" in what:
        said = begin(what["begin"], what)
    elif "end" in what:
        said = end(what["end"], what)
    else:
        said = answer(connections[what["wait"]])
    print(json.dumps(said), flush=True)
