"""Receivers of notifications that really listen: an HTTP server and a mail server."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller


@dataclass(frozen=True, slots=True)
class Received:
    """One request."""

    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(slots=True)
class HttpReceiver:
    """Answers 200, or what `answers` says next; keeps what it got."""

    url: str = ""
    answers: deque[tuple[int, Mapping[str, str]]] = field(default_factory=deque)
    received: list[Received] = field(default_factory=list)


@dataclass(slots=True)
class MailReceiver:
    """Takes mail, or answers with the codes in `answers`; keeps what it got."""

    url: str = ""
    answers: deque[str] = field(default_factory=deque)
    received: list[bytes] = field(default_factory=list)

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        """Answer one message; the name is aiosmtpd's."""
        if self.answers:
            return self.answers.popleft()
        self.received.append(bytes(envelope.content))
        return "250 taken"


@contextmanager
def http_receiver(until: threading.Event | None = None) -> Iterator[HttpReceiver]:
    """Listen on a free port until the block ends.

    Parameters
    ----------
    until
        What each answer waits for; left out: nothing.
    """
    receiver = HttpReceiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            receiver.received.append(Received(self.path, headers, body))
            if until is not None:
                until.wait()
            status, extra = receiver.answers.popleft() if receiver.answers else (200, {})
            self.send_response(status)
            for name, value in {"content-length": "2", **extra}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: Any) -> None:
            """Say nothing: the test reads `received`."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    receiver.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def mail_receiver(port: int) -> Iterator[MailReceiver]:
    """Listen on `port` until the block ends."""
    receiver = MailReceiver()
    controller = Controller(receiver, hostname="127.0.0.1", port=port)
    controller.start()
    receiver.url = f"smtp://127.0.0.1:{port}"
    try:
        yield receiver
    finally:
        controller.stop()
