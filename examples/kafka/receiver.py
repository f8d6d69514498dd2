#!/usr/bin/env python3
"""A receiver of alerts: takes Alertmanager's webhook format and says what it got, a line for each alert.

    receiver.py ADDRESS_FILE        writes its URL to the file once it listens
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
        pass  # What came is told above.


def main():
    server = HTTPServer(("127.0.0.1", 0), Receiver)
    address = Path(sys.argv[1])
    aside = address.with_suffix(".new")
    aside.write_text(f"http://127.0.0.1:{server.server_port}/alerts")
    aside.rename(address)  # Whoever waits for the file finds it whole.
    server.serve_forever()


if __name__ == "__main__":
    main()
