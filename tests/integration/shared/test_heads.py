"""A stranger's head of a request costs the process little, and costs nobody else anything."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing

import pytest
from fastapi import FastAPI, Request

from watchkeeper_shared.observability import heads
from watchkeeper_shared.observability.serving import served


@pytest.fixture
def port() -> Iterator[int]:
    app = FastAPI()

    async def echo(request: Request) -> int:
        return len(await request.body())

    app.add_api_route("/echo", echo, methods=["POST"])
    with served(app) as server:
        yield server.port


def said(port: int, *pieces: bytes) -> bytes:
    """Send pieces until the server has enough; return all that it answers until it closes."""
    with closing(socket.create_connection(("127.0.0.1", port), timeout=60)) as s:
        answer = b""
        try:
            for piece in pieces:
                s.sendall(piece)
            while more := s.recv(1 << 16):
                answer += more
        except ConnectionError:
            pass  # it closed while we were still sending
        return answer


POST = b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n%s\r\n"


@pytest.mark.parametrize("begin", [b"GET /", b"GET / HTTP/1.1\r\nX: ", b"GET / HTTP/1.1\r\n"])
def test_a_head_without_end_is_cut_off(port: int, begin: bytes) -> None:
    filler = b"y: z\r\n" if begin.endswith(b"\r\n") else b"x"
    endless = begin + filler * heads.HEAD_BYTES

    assert said(port, endless[: heads.HEAD_BYTES + 1]).startswith(b"HTTP/1.1 431 ")


def test_a_head_that_does_not_end_is_not_waited_for(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heads, "HEAD_SECONDS", 0.2)

    assert said(port).startswith(b"HTTP/1.1 408 ")
    assert said(port, b"POST /echo HTTP/1.1\r\nX-").startswith(b"HTTP/1.1 408 ")
    with closing(socket.create_connection(("127.0.0.1", port), timeout=60)) as s:
        s.sendall(POST % (2, b"") + b"ab")
        assert s.recv(1 << 16).startswith(b"HTTP/1.1 200 ")
        s.sendall(b"GET /")
        assert s.recv(1 << 16).startswith(b"HTTP/1.1 408 ")


def test_bodies_and_requests_in_a_row_are_no_heads(port: int) -> None:
    body = b"b" * (3 * heads.HEAD_BYTES)
    one = POST % (len(body), b"") + body
    last = POST % (len(body), b"Connection: close\r\n") + body

    answer = said(port, one * 5 + last)

    assert answer.count(b"HTTP/1.1 200 ") == 6
    assert answer.count(b"%d" % len(body)) == 6
