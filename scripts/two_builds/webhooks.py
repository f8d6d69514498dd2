"""A receiver of webhooks: keeps what came, byte for byte, and takes all of it."""

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# Of a body: times, and figures that depend on the second in which it was decided.
TIMES = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
ZERO = "0001-01-01T00:00:00Z"


class Receiver:
    def __init__(self):
        self.came = came = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                came.append((self.path, dict(self.headers), body.decode()))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self.server.server_port}"
        self.url = f"http://{self.address}/hook"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def statuses(self):
        return [alert["status"] for _, _, body in self.came for alert in json.loads(body)["alerts"]]


def normalised(delivery, *addresses):
    """What came; times but the zero time, burn rates in words, episodes and addresses are left out."""
    path, headers, body = delivery
    body = TIMES.sub(lambda t: t.group() if t.group() == ZERO else "<time>", body)
    body = re.sub(r"\d+(\.\d+)? times", "# times", body)
    for address in addresses:
        body = body.replace(address, "<address>")
    kept = sorted(
        f"{name}: {value}" for name, value in headers.items() if name.lower() not in ("host", "content-length")
    )
    return re.sub(r"/\d{9,10}/(\d+)/", r"/<episode>/\1/", "\n".join([path, *kept, body]))
