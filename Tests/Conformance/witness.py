"""witness.py URL WITNESS-VKEY LOG-KEY [RECORD]: holds a tlog-witness to c2sp.org/tlog-witness and c2sp.org/tlog-cosignature with a log of
its own. Hashes, proofs, notes and signatures are made here, from RFC 6962 and the specifications, with PyCA's Ed25519.

LOG-KEY is the file of the log's private key, 32 bytes in hexadecimal. With RECORD, grows the log for ever, one entry a request, and
writes a line `SIZE ROOT` for every cosignature that it has, going on from the last line where there are some."""
import base64
import hashlib
import http.client
import os
import struct
import sys
import time
import urllib.parse

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

url, witness_vkey, log_key = urllib.parse.urlsplit(sys.argv[1]), sys.argv[2], sys.argv[3]
ORIGIN = "logs.example.org/python"
EM_DASH = "\u2014"


def key_id(name, kind, public):
    return hashlib.sha256(name.encode() + b"\n" + bytes([kind]) + public).digest()[:4]


def raw(private):
    return private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


signer = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(open(log_key).read()))
other = Ed25519PrivateKey.generate()
witness_name, witness_id, witness_key = witness_vkey.split("+", 2)
witness_key = base64.b64decode(witness_key)
assert witness_key[0] == 4
assert key_id(witness_name, 4, witness_key[1:]).hex() == witness_id


class Log:
    """RFC 6962, section 2.1, word by word."""

    def __init__(self, entries):
        self.leaves = [hashlib.sha256(b"\0" + entry).digest() for entry in entries]

    def root(self, start=0, end=None):
        end = len(self.leaves) if end is None else end
        count = end - start
        if count == 0:
            return hashlib.sha256(b"").digest()
        if count == 1:
            return self.leaves[start]
        split = 1 << (count - 1).bit_length() - 1
        return hashlib.sha256(b"\1" + self.root(start, start + split) + self.root(start + split, end)).digest()

    def consistency(self, old, size):
        def subproof(m, start, end, whole):
            count = end - start
            if m == count:
                return [] if whole else [self.root(start, end)]
            split = 1 << (count - 1).bit_length() - 1
            if m <= split:
                return subproof(m, start, start + split, whole) + [self.root(start + split, end)]
            return subproof(m - split, start + split, end, False) + [self.root(start, start + split)]

        return subproof(old, 0, size, True) if old else []

    def note(self, size, private=signer, name=ORIGIN, origin=ORIGIN, root=None):
        text = f"{origin}\n{size}\n{base64.b64encode(root or self.root(0, size)).decode()}\n"
        signature = key_id(name, 1, raw(private)) + private.sign(text.encode())
        return f"{text}\n{EM_DASH} {name} {base64.b64encode(signature).decode()}\n"


def post(body, method="POST", path="/add-checkpoint"):
    connection = http.client.HTTPConnection(url.hostname, url.port, timeout=10)
    connection.request(method, url.path + path, body.encode() if isinstance(body, str) else body)
    answer = connection.getresponse()
    return answer.status, answer.getheader("Content-Type"), answer.read().decode()


def ask(log, old, size, proof=None, **how):
    proof = log.consistency(old, size) if proof is None else proof
    lines = "".join(base64.b64encode(hash).decode() + "\n" for hash in proof)
    return post(f"old {old}\n{lines}\n" + log.note(size, **how))


def is_cosigned(log, size, answer):
    """Is the answer the witness's cosignature of that checkpoint, of about now?"""
    text = log.note(size).split("\n\n")[0] + "\n"
    dash, name, data = answer.rstrip("\n").split(" ")
    data = base64.b64decode(data)
    seconds = struct.unpack(">Q", data[4:12])[0]
    assert (dash, name, data[:4].hex()) == (EM_DASH, witness_name, witness_id) and answer.endswith("\n") and len(data) == 76, answer
    assert abs(seconds - time.time()) < 10, seconds
    try:
        Ed25519PublicKey.from_public_bytes(witness_key[1:]).verify(data[12:], f"cosignature/v1\ntime {seconds}\n{text}".encode())
    except InvalidSignature:
        return False
    return True


def expect(answer, status, size=None):
    assert answer[0] == status, answer
    if size is not None:
        assert answer[1:] == ("text/x.tlog.size", f"{size}\n"), answer
    return answer[2]


if len(sys.argv) > 4:
    entries, size = [], 0
    record = open(sys.argv[4], "a+", buffering=1)
    record.seek(0)
    for line in record:
        size = int(line.split()[0])
    log = Log([struct.pack(">I", number) for number in range(4000)])
    known = size
    while size < len(log.leaves):
        try:
            status, _, text = ask(log, known, size + 1)
        except OSError:
            time.sleep(0.002)
            continue
        if status == 200:
            assert is_cosigned(log, size + 1, text)
            size = known = size + 1
            record.write(f"{size} {log.root(0, size).hex()}\n")
        elif status == 409:
            # It kept the checkpoint and was killed before it answered: one further, never one back.
            known = int(text)
            assert size <= known <= size + 1, (size, known)
            if known == size + 1:
                size = known
        else:
            sys.exit(f"{status}: {text}")
    sys.exit(0)

log = Log([b"entry %d" % number for number in range(1000)])
fork = Log([b"entry %d" % number for number in range(300)] + [b"another %d" % number for number in range(700)])

# Nothing is known yet: an old size that is not 0 is a conflict, and 0 needs no proof and takes none.
expect(ask(log, 5, 9), 409, 0)
expect(ask(log, 0, 9, proof=[log.root()]), 422)
assert is_cosigned(log, 9, expect(ask(log, 0, 9), 200))
# From there on only what is known, and only with a proof.
expect(ask(log, 0, 300), 409, 9)
expect(ask(log, 8, 300), 409, 9)
expect(ask(log, 9, 300, proof=[]), 422)
expect(ask(log, 9, 300, proof=log.consistency(9, 299)), 422)
expect(ask(log, 9, 300, proof=log.consistency(9, 300) + [log.root()]), 422)
for old, size in [(9, 255), (255, 256), (256, 257), (257, 300), (300, 300)]:
    assert is_cosigned(log, size, expect(ask(log, old, size), 200)), size
# One history: another one of the same size is a conflict, a larger one has no proof, a smaller one no way.
expect(ask(fork, 300, 300, root=log.root(0, 299)), 409, 300)
fork_of_300 = Log([b"no entry"] + [b"entry %d" % number for number in range(999)])
expect(ask(fork_of_300, 300, 900), 422)
expect(ask(log, 300, 299, proof=[]), 400)
assert is_cosigned(fork, 301, expect(ask(fork, 300, 301), 200))
expect(ask(log, 301, 302), 422)
expect(ask(log, 301, 301), 409, 301)
# Whose signature it is.
expect(ask(log, 301, 302, private=other), 403)
expect(ask(log, 301, 302, name="logs.example.org/else"), 403)
expect(ask(log, 301, 302, origin="logs.example.org/else"), 404)
broken = log.note(302)[:-8] + "AAAAAA=\n"
expect(post(f"old 301\n\n{broken}"), 403 if len(base64.b64decode(broken.split(" ")[-1])) > 4 else 400)
# Forms.
note = log.note(302)
too_many = "".join(base64.b64encode(bytes(32)).decode() + "\n" for _ in range(64))
for body in [
    "", "old\n\n" + note, "old 0301\n\n" + note, "old -1\n\n" + note, "old 301\n" + note, f"old 301\n{too_many}\n{note}",
    "old 301\nAAAA\n\n" + note, "old 301\n\n", "old 301\n\n" + note.split("\n\n")[0] + "\n", "old 301\r\n\r\n" + note,
    "old 301\n\n" + note.replace("\n302\n", "\n0302\n"), b"old 301\n\n\xff\xfe" + note.encode(),
]:
    expect(post(body), 400)
expect(post("x" * (70 << 10)), 413)
expect(post("", method="GET"), 405)
expect(post("", path="/else"), 404)
print("all as specified")
