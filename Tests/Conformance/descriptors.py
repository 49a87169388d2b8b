"""descriptors.py FOLDER PORT BINARY: more connections than the daemon may have descriptors; exits 1 where the log closes over it.

FOLDER is laid out by demo/configure, 127.0.10.0/24 is Dublin; only the standard library is used."""
import http.client
import resource
import socket
import ssl
import subprocess
import sys
import time

folder, port, binary = sys.argv[1], int(sys.argv[2]), sys.argv[3]
daemon = subprocess.Popen([binary, "--config", f"{folder}/dub1-gw1.toml"],
                          preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (128, 128)))
context = ssl.create_default_context(cafile=f"{folder}/pki/servers-ca.crt")
context.check_hostname = False
context.load_cert_chain(f"{folder}/pki/dub1-mailserver.crt", f"{folder}/pki/dub1-mailserver.key")


def put(key):
    connection = http.client.HTTPSConnection("127.0.0.1", port, context=context, source_address=("127.0.10.5", 0), timeout=20)
    connection.request("PUT", f"/mail-dub1/alice/{key}", b"mail")
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
    held, refused = [], 0
    for _ in range(100):
        raw = socket.create_connection(("127.0.0.1", port), 20, ("127.0.10.6", 0))
        try:
            held.append(context.wrap_socket(raw))
        except OSError:
            refused += 1
            raw.close()
    # A third or so of 128; one that was idle for 20 s makes room for another.
    assert len(held) >= 40 and refused > 0, f"{len(held)} connections were taken, {refused} refused"
    # Checkpoints are written meanwhile, each with descriptors of its own.
    for one in held[:2]:
        one.close()
    time.sleep(0.5)
    for number in range(30):
        assert put(number) == 200, "the log closed"
        time.sleep(0.1)
    print("the log stayed open")
finally:
    daemon.terminate()
    assert daemon.wait(30) == 0, "it did not stop as asked"
