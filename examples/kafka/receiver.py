#!/usr/bin/env python3
"""A receiver of alerts: takes Alertmanager's webhook format and prints a line for each alert.

    receiver.py PORT                listens on http://127.0.0.1:PORT/alerts
    receiver.py ADDRESS_FILE        listens on a free port and writes its URL to the file
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        for alert in body["alerts"]:
            labels, annotations = alert["labels"], alert["annotations"]
            print(alert["status"], labels["slo"], labels["severity"], annotations.get("summary", ""), sep="\t", flush=True)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass  # Each alert is printed above.


def main():
    if sys.argv[1].isdigit():
        HTTPServer(("127.0.0.1", int(sys.argv[1])), Receiver).serve_forever()
    server = HTTPServer(("127.0.0.1", 0), Receiver)
    address = Path(sys.argv[1])
    aside = address.with_suffix(".new")
    aside.write_text(f"http://127.0.0.1:{server.server_port}/alerts")
    aside.rename(address)  # Whoever waits for the file finds it whole.
    server.serve_forever()


if __name__ == "__main__":
    main()
