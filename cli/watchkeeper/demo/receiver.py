"""Who gets the demo's alerts: a small web server that checks the signature and tells."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

_PREFIX = "whsec_"


@dataclass(frozen=True, slots=True)
class Received:
    """One notification.

    Parameters
    ----------
    id
        The same in every repetition of one notification.
    genuine
        Whether the signature is ours.
    body
        What was said.
    """

    id: str
    genuine: bool
    body: Mapping[str, Any]


def signature(secret: str, message_id: str, timestamp: str, body: bytes) -> str:
    """Sign as Standard Webhooks does: HMAC-SHA256 over `id.timestamp.body`, in base64.

    Parameters
    ----------
    secret
        `whsec_` and the key in base64.
    message_id, timestamp, body
        What the headers and the request carry.

    References
    ----------
    .. [1] https://www.standardwebhooks.com, version 1.
    """
    key = base64.b64decode(secret.removeprefix(_PREFIX))
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def new_secret(random_bytes: bytes) -> str:
    """Write a key in the form that both sides read."""
    return _PREFIX + base64.b64encode(random_bytes).decode()


class Receiver:
    """Serves `POST /hook` on a free port of this machine.

    Parameters
    ----------
    secret
        What senders sign with.
    tell
        Called for each notification, from a thread of the server.
    """

    def __init__(self, secret: str, tell: Callable[[Received], None]) -> None:
        self._secret = secret
        self._tell = tell
        self.received: list[Received] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, name="receiver")

    @property
    def url(self) -> str:
        """Where notifications go."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/hook"

    def __enter__(self) -> Self:
        """Start to serve."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def take(self, headers: Mapping[str, str], body: bytes) -> Received:
        """Check one notification and keep it."""
        message_id = headers.get("webhook-id", "")
        expected = signature(self._secret, message_id, headers.get("webhook-timestamp", ""), body)
        sent = headers.get("webhook-signature", "").split()
        genuine = any(hmac.compare_digest(one, expected) for one in sent)
        one = Received(message_id, genuine, json.loads(body))
        self.received.append(one)
        self._tell(one)
        return one

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            """Hands each request to the receiver."""

            def do_POST(self) -> None:
                """Take one notification: 204 when it is genuine, 401 when it is not."""
                body = self.rfile.read(int(self.headers.get("content-length", "0")))
                headers = {name.lower(): value for name, value in self.headers.items()}
                one = receiver.take(headers, body)
                self.send_response(204 if one.genuine else 401)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                """Say nothing: the receiver tells."""

        return Handler
