"""rotation.py CA CERTIFICATE KEY PORT PATH: eight keep-alive connections that get PATH over and over until standard input has a line; then
a line: answers, how many were not 200, connections that broke. Only the standard library is used."""
import http.client
import ssl
import sys
import threading

authorities, certificate, key, port, path = sys.argv[1:6]
over = threading.Event()
lock = threading.Lock()
answers = wrong = broken = 0


def work():
    global answers, wrong, broken
    context = ssl.create_default_context(cafile=authorities)
    context.load_cert_chain(certificate, key)
    connection = http.client.HTTPSConnection("localhost", int(port), context=context, source_address=("127.0.0.1", 0), timeout=20)
    while not over.is_set():
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            answer.read()
            with lock:
                answers += 1
                wrong += answer.status != 200
                # http.client closes without a word where the server said it would.
                broken += connection.sock is None
        except (OSError, http.client.HTTPException):
            with lock:
                broken += 1
            connection.close()


workers = [threading.Thread(target=work) for _ in range(8)]
for worker in workers:
    worker.start()
print("running", flush=True)
sys.stdin.readline()
over.set()
for worker in workers:
    worker.join()
print(answers, wrong, broken, flush=True)
