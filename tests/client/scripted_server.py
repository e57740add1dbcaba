"""A server that gives the answers of a list, one after another, and keeps what it was asked."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Scripted:
    """Status, headers and body of each answer to come; None: the connection is closed instead."""

    answers: list[tuple[int, dict[str, str], bytes] | None]
    asked: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    url: str = ""


@contextmanager
def scripted(*answers: tuple[int, dict[str, str], bytes] | None) -> Iterator[Scripted]:
    """Serve until the block ends; `/health/live` is answered apart from the script."""
    script = Scripted(list(answers))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.answer((200, {}, b"{}") if self.path == "/health/live" else None)

        def do_POST(self) -> None:
            self.answer(None)

        def answer(self, answer: tuple[int, dict[str, str], bytes] | None) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if answer is None:
                script.asked.append((self.path, dict(self.headers), body))
                answer = script.answers.pop(0)
            if answer is None:
                self.close_connection = True
                return
            status, headers, data = answer
            self.send_response(status)
            for name, value in {"Content-Length": str(len(data)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}).start()
    script.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield script
    finally:
        server.shutdown()
        server.server_close()
