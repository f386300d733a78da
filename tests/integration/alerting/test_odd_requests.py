"""Requests that nobody sends by accident are answered as the sender's mistake, never as ours."""

from __future__ import annotations

import socket

import httpx
import pytest

from watchkeeper_alerting.testing.service import RunningService
from watchkeeper_shared.db.keys import Role

FAR = 2**63


@pytest.mark.parametrize(
    "path",
    [
        "/v1/alerts/a%00",
        "/v1/alerts?system=%00",
        "/v1/tickets/%00",
        "/v1/measurements?column=%00",
        "/v1/measurements?from=0001-01-01T00:00:00%2B14:00",
        "/v1/measurements?to=9999-12-31T23:59:59-14:00",
        "/v1/systems/%00",
        "/v1/audit?subject=%00",
        f"/v1/audit?after={FAR}",
    ],
)
def test_what_no_database_holds_is_not_found_or_refused(service: RunningService, path: str) -> None:
    answer = service.as_(Role.ADMIN).get(path)

    assert answer.status_code in (200, 404, 422), answer.text


@pytest.mark.parametrize(
    ("system", "rows"), [("%00", "1"), ("employment-ma", str(FAR)), ("employment-ma", "%00")]
)
def test_a_reference_of_what_no_database_holds_is_refused(
    service: RunningService, system: str, rows: str
) -> None:
    path = f"/v1/references?system={system}&version=%00&rows={rows}"

    assert service.as_(Role.ADMIN).put(path, content=b"x").status_code in (404, 422)


def test_a_login_with_what_no_database_holds_is_refused(service: RunningService) -> None:
    sent = {"token": "watchkeeper_\0_x", "next": "/"}

    answer = service.as_(None).post("/login", data=sent, headers={"Origin": service.url})

    assert answer.status_code in (401, 422)


@pytest.mark.parametrize(
    ("path", "status"), [("/v1/apply", 401), ("/v1/tickets/t-1/transitions", 401), ("/login", 403)]
)
def test_a_stranger_is_refused_before_the_body_is_read(
    service: RunningService, path: str, status: int
) -> None:
    at = httpx.URL(service.url)
    head = f"POST {path} HTTP/1.1\r\nHost: watch\r\nContent-Length: 900000\r\n\r\n{{"

    with socket.create_connection((at.host, at.port or 80), timeout=20) as caller:
        caller.sendall(head.encode())  # and nothing more: the answer must not wait for it
        answer = caller.recv(64)

    assert answer.startswith(f"HTTP/1.1 {status} ".encode())


def test_a_form_is_no_longer_than_a_form_can_be(service: RunningService) -> None:
    sent = {"token": "x" * 100_000, "next": "/"}

    answer = service.as_(None).post("/login", data=sent, headers={"Origin": service.url})

    assert answer.status_code == 413
