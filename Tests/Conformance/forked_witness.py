"""forked_witness.py: a witness that has another root at every size. It prints its port, and answers as c2sp.org/tlog-witness asks: 409, with a
size in the body only where the old size that it is told is not its own."""
import http.server


class Witness(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        lines = self.rfile.read(int(self.headers["Content-Length"])).decode().split("\n")
        old, size = lines[0].removeprefix("old "), lines[lines.index("") + 2]
        body = b"" if old == size else f"{size}\n".encode()
        self.send_response(409)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = http.server.HTTPServer(("127.0.0.1", 0), Witness)
print(server.server_port, flush=True)
server.serve_forever()
