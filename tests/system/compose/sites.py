"""Small sites for the containers to read: any number of names, each with a home page, served on port 8080.

``slow-*`` takes its time with the home page. The name ``requests`` answers with how often each name was asked for it.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SLOW_SECONDS = 10.0
asked: Counter[str] = Counter()


class Site(BaseHTTPRequestHandler):
    """Answers by the Host header."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        host = self.headers.get("Host", "").partition(":")[0]
        if host == "requests":
            self._send(200, json.dumps(asked), "application/json")
        elif self.path != "/":
            self._send(404, "not here", "text/plain")
        else:
            asked[host] += 1
            if host.startswith("slow-"):
                time.sleep(SLOW_SECONDS)
            self._send(200, PAGE.replace("NAME", host), "text/html; charset=utf-8")

    def _send(self, status: int, text: str, kind: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Silence: what was asked for is counted."""


PAGE = """<!DOCTYPE html>
<html lang="en"><head><title>The site NAME</title></head>
<body><h1>NAME</h1><p>Write to <a href="mailto:info@NAME">info@NAME</a>.</p></body></html>
"""


class Server(ThreadingHTTPServer):
    """A queue long enough for a hundred scans that come at once."""

    request_queue_size = 1024


if __name__ == "__main__":
    Server(("0.0.0.0", 8080), Site).serve_forever()
