"""The head of a request is bounded, in bytes and in time: it is read before anybody knows who asks.

The parser takes headers without end, and a connection that never ends its head is kept for ever:
one stranger could fill the memory of the process, or its open files.
"""

from __future__ import annotations

import asyncio
import json
from http import HTTPStatus

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

HEAD_BYTES = 64 << 10
"""As much as uvicorn's other parser takes; what came in one piece with the end may be more."""

HEAD_SECONDS = 20.0
"""From the connection, or the first byte of a later request, until the head is there."""


class BoundedProtocol(HttpToolsProtocol):
    """One connection."""

    _size = 0
    _in_body = False
    _moved = False
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a head."""
        super().connection_made(transport)
        self._expect()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._arrived()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on, unless the head has become too long."""
        self._moved = False
        super().data_received(data)
        if self._in_body or self._moved:
            return
        self._size += len(data)
        if self._size > HEAD_BYTES:
            self._refuse(
                HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
                f"the path and the headers of a request have at most {HEAD_BYTES} bytes",
            )
        elif self._deadline is None:
            self._expect()

    def on_headers_complete(self) -> None:
        """Note that a head is whole."""
        self._in_body, self._moved, self._size = True, True, 0
        self._arrived()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Note that the next head may come."""
        self._in_body, self._moved = False, True
        super().on_message_complete()

    def _expect(self) -> None:
        self._deadline = self.loop.call_later(HEAD_SECONDS, self._is_late)

    def _arrived(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _is_late(self) -> None:
        self._deadline = None
        self._refuse(
            HTTPStatus.REQUEST_TIMEOUT, f"the head did not arrive within {HEAD_SECONDS:g} s"
        )

    def _refuse(self, status: HTTPStatus, detail: str) -> None:
        """Answer, where no answer to an earlier request is under way, and close."""
        self._arrived()
        if self.transport.is_closing():
            return
        # Not before the first request, whatever its annotation says.
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is None or cycle.response_complete:
            problem = {"title": status.phrase, "status": int(status), "detail": detail}
            body = json.dumps(problem).encode()
            head = (
                f"HTTP/1.1 {int(status)} {status.phrase}\r\n"
                "content-type: application/problem+json\r\n"
                f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
            )
            self.transport.write(head.encode() + body)
        self.transport.close()
