"""descriptors.py FOLDER PORT BINARY: more connections, and more open objects, than the daemon may have descriptors; exits 1 where the log
closes over it.

FOLDER is laid out by demo/configure, 127.0.10.0/24 is Dublin; only the standard library is used."""
import http.client
import resource
import socket
import ssl
import subprocess
import sys
import time

LARGE = 40

folder, port, binary = sys.argv[1], int(sys.argv[2]), sys.argv[3]
daemon = subprocess.Popen([binary, "--config", f"{folder}/dub1-gw1.toml"],
                          preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (128, 128)))
context = ssl.create_default_context(cafile=f"{folder}/pki/servers-ca.crt")
context.check_hostname = False
context.load_cert_chain(f"{folder}/pki/dub1-mailserver.crt", f"{folder}/pki/dub1-mailserver.key")


def connect():
    raw = socket.create_connection(("127.0.0.1", port), 20, ("127.0.10.6", 0))
    try:
        return context.wrap_socket(raw)
    except OSError:
        raw.close()
        raise


def put(key, content=b"mail"):
    connection = http.client.HTTPSConnection("127.0.0.1", port, context=context, source_address=("127.0.10.5", 0), timeout=20)
    connection.request("PUT", f"/mail-dub1/alice/{key}", content)
    status = connection.getresponse().status
    connection.close()
    return status


try:
    deadline = time.monotonic() + 30
    while True:
        try:
            assert put("before") == 200
            break
        except OSError:
            assert time.monotonic() < deadline and daemon.poll() is None, "the daemon does not answer"
            time.sleep(0.1)
    # Larger than what sockets take unread; each another one, for requests share what they have open.
    for number in range(LARGE):
        assert put(f"large{number}", bytes(16 << 20)) == 200

    # One that was idle for 20 s makes room for another.
    held, refused = [], 0
    for _ in range(100):
        try:
            held.append(connect())
        except OSError:
            refused += 1
    # Half of 128.
    assert len(held) >= 60 and refused > 0, f"{len(held)} connections were taken, {refused} refused"
    # Checkpoints are written meanwhile, each with descriptors of its own.
    for one in held[:2]:
        one.close()
    time.sleep(0.5)
    for number in range(30):
        assert put(number) == 200, "the log closed"
        time.sleep(0.1)
    for one in held:
        one.close()
    time.sleep(0.5)

    readers = [connect() for _ in range(LARGE)]
    for number, one in enumerate(readers):
        one.sendall(f"GET /mail-dub1/alice/large{number} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    statuses = [one.recv(12).split()[1] for one in readers]
    assert set(statuses) == {b"200", b"503"} and statuses.count(b"200") >= 16, statuses
    for one in readers:
        one.close()
    deadline = time.monotonic() + 20
    while put("after") != 200:
        assert time.monotonic() < deadline, "the places were not given back"
        time.sleep(0.1)
    for number in range(30):
        assert put(number) == 200, "the log closed"
        time.sleep(0.1)
    print("the log stayed open")
finally:
    daemon.terminate()
    assert daemon.wait(30) == 0, "it did not stop as asked"
