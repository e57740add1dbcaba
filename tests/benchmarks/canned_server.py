"""A server with one answer: ``python -m tests.benchmarks.canned_server TEXT PORT [stream]``."""

from __future__ import annotations

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MODELS = [{"kind": "landscape", "details": {"image_size": 32}}]


class Handler(BaseHTTPRequestHandler):
    """Gives the same text, and models, to every GET and POST."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = json.dumps({"text": sys.argv[1], "models": MODELS})
        body = f"data: {body}\n\n" if sys.argv[3:] == ["stream"] else body
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    do_POST = do_GET

    def log_message(self, format: str, *arguments: object) -> None:
        pass


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), Handler).serve_forever()
