"""Every error becomes a problem document with the right status, and none tells our insides."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import httpx
import pytest
from fastapi import FastAPI

from watchkeeper_shared.errors import (
    Conflict,
    Forbidden,
    InvalidObject,
    LogUnavailable,
    MalformedRecord,
    NotFound,
    RejectedByReceiver,
    WatchkeeperError,
)
from watchkeeper_shared.observability import problems
from watchkeeper_shared.observability.problems import of_error


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (NotFound("x"), 404),
        (Forbidden("x"), 403),
        (Conflict("x"), 409),
        (InvalidObject("x"), 422),
        (MalformedRecord("wrong_type", "x"), 422),
        (LogUnavailable("x"), 503),
        (RejectedByReceiver("x"), 400),
        (WatchkeeperError("x"), 500),
    ],
)
def test_each_branch_of_the_error_tree_has_its_status(error: WatchkeeperError, status: int) -> None:
    answer = of_error(error)

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("wait", "header"),
    [
        (None, "1"),
        (timedelta(seconds=2.2), "3"),
        (timedelta(0), "1"),
        (timedelta(minutes=2), "120"),
    ],
)
def test_what_may_work_later_says_when(wait: timedelta | None, header: str) -> None:
    assert of_error(LogUnavailable("away", wait)).headers["retry-after"] == header


def test_a_refused_object_names_all_its_problems() -> None:
    body = of_error(InvalidObject("a\nb", ("a", "b"))).body

    assert b'"errors":["a","b"]' in bytes(body)


def test_a_bug_is_a_500_that_tells_nothing_and_other_errors_are_problems_too() -> None:
    app = FastAPI()
    problems.install(app)

    @app.get("/bug")
    def bug(number: int) -> None:
        raise RuntimeError(f"the password is {number}")

    async def ask() -> list[httpx.Response]:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return [
                await client.get("/bug?number=4711"),
                await client.get("/bug?number=many"),
                await client.get("/nowhere"),
                await client.post("/bug"),
            ]

    answers = asyncio.run(ask())

    assert [one.status_code for one in answers] == [500, 422, 404, 405]
    assert {one.headers["content-type"] for one in answers} == {"application/problem+json"}
    assert "4711" not in answers[0].text
    assert "query.number" in answers[1].json()["detail"]
    assert "nothing answers GET /nowhere here" in answers[2].json()["detail"]
