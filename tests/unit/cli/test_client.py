from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from watchkeeper.client import Client, pause_before
from watchkeeper_shared.errors import Conflict, Forbidden, InvalidObject, ReceiverUnavailable

Reply = tuple[int, dict[str, str], bytes]


@contextmanager
def serving(replies: list[Reply]) -> Iterator[tuple[str, list[str]]]:
    """A real server that gives the replies in turn; yields its address and what came."""
    came: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", "0")))
            came.append(body.decode())
            status, headers, answer = replies[min(len(came), len(replies)) - 1]
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *args: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", came
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def problem(status: int, body: bytes) -> Reply:
    return status, {"content-type": "application/problem+json"}, body


def test_a_busy_server_is_asked_again_after_the_time_it_named() -> None:
    waits: list[float] = []
    replies: list[Reply] = [
        (429, {"retry-after": "3"}, b""),
        (503, {}, b""),
        (202, {}, b'{"accepted": 1}'),
    ]

    with serving(replies) as (url, came), Client(url, "t", pause=waits.append) as client:
        answer = client.send("POST", "/v1/predictions", body=b"rows").json()

    assert answer == {"accepted": 1}
    assert came == ["rows", "rows", "rows"]
    assert waits == [3.0, 0.4]


def test_a_server_that_stays_busy_ends_in_an_error_that_says_so() -> None:
    with (
        serving([problem(503, b'{"detail": "the log is away"}')]) as (url, came),
        Client(url, "t", tries=3, pause=lambda _: None) as client,
        pytest.raises(ReceiverUnavailable, match="the log is away"),
    ):
        client.send("POST", "/v1/predictions", body=b"")
    assert len(came) == 3


@pytest.mark.parametrize(
    ("reply", "error", "says"),
    [
        (problem(401, b"{}"), Forbidden, "WATCHKEEPER_TOKEN"),
        (problem(409, b'{"detail": "it is closed"}'), Conflict, "it is closed"),
        (problem(422, b'{"errors": ["a.yaml:3: x", "a.yaml:9: y"]}'), InvalidObject, "a.yaml:9"),
        (problem(400, b"no JSON"), InvalidObject, "HTTP 400"),
    ],
)
def test_what_cannot_succeed_is_not_tried_again(
    reply: Reply, error: type[Exception], says: str
) -> None:
    with (
        serving([reply]) as (url, came),
        Client(url, "t", pause=lambda _: None) as client,
        pytest.raises(error, match=says),
    ):
        client.send("POST", "/v1/apply", body=b"")
    assert len(came) == 1


def test_no_server_at_all_says_what_to_check() -> None:
    with serving([(200, {}, b"")]) as (url, _):
        closed = url
    with (
        Client(closed, "t", tries=2, pause=lambda _: None) as client,
        pytest.raises(ReceiverUnavailable, match="WATCHKEEPER_URL"),
    ):
        client.send("POST", "/v1/apply", body=b"")


def test_pauses_grow_and_end_at_a_quarter_of_a_minute() -> None:
    pauses = [pause_before(attempt, None) for attempt in range(1, 20)]

    assert pauses == sorted(pauses)
    assert pauses[-1] == timedelta(seconds=15)
