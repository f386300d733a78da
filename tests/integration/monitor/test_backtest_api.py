"""`POST /v1/backtests`: the command in a process of its own, behind the API of a real service."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from watchkeeper.backtester import ChildBacktester
from watchkeeper_alerting import keys
from watchkeeper_alerting.api import application
from watchkeeper_alerting.api.context import Context
from watchkeeper_alerting.backtesting import Asked, Backtester
from watchkeeper_shared.clock import SystemClock
from watchkeeper_shared.db.keys import Keys, Role
from watchkeeper_shared.errors import RetryableError
from watchkeeper_shared.observability import callers, problems
from watchkeeper_shared.observability.serving import served

POLICY = """
apiVersion: watchkeeper/v1
kind: OversightPolicy
metadata: {name: loans}
spec:
  systems: [loans]
  window: {size: 1d, lateness: 1h}
  rules:
    - {id: seldom, metric: volume, below: true, breach: 1000}
"""


@pytest.fixture
def child(world: Any) -> Iterator[ChildBacktester]:
    stop = threading.Event()
    yield ChildBacktester(environment(world), SystemClock(), stop)
    stop.set()


def environment(world: Any) -> dict[str, str]:
    url = world.database.engine.url.render_as_string(hide_password=False)
    return {**os.environ, "WATCHKEEPER_DATABASE_URL": url}  # noqa: TID251 - a child needs its PATH


def client(world: Any, role: Role, backtester: Backtester | None, url: str) -> httpx.Client:
    with world.database.transaction() as c:
        token = keys.create(c, role, f"a-{role}", actor="test", now=world.clock.now())
    return httpx.Client(
        base_url=url, headers={"Authorization": f"Bearer {token}"}, trust_env=False, timeout=60
    )


def an_app(world: Any, backtester: Backtester | None) -> FastAPI:
    app = FastAPI()
    problems.install(app)
    callers.install(app, Keys(world.database, world.clock))
    context = Context(world.database, world.clock, "", 1_000_000, backtester=backtester)
    application.install(app, context)
    return app


def test_a_policy_is_replayed_and_answered(world: Any, child: ChildBacktester) -> None:
    world.go_to(2)
    world.predict(1)
    world.settle()
    world.go_to(3)
    world.settle()
    with served(an_app(world, child)) as at, client(world, Role.APPROVER, child, at.url) as http:
        reply = http.post("/v1/backtests", params={"since": "30d"}, content=POLICY)
        other = http.post(
            "/v1/backtests", params={"since": "30d", "system": "other"}, content=POLICY
        )

    assert reply.status_code == 200, reply.text
    report = reply.json()
    assert report["totals"]["gained"] == 1
    (gained,) = report["breaches"]
    assert (gained["change"], gained["rule"], gained["value"]) == ("gained", "seldom", 400.0)
    assert gained["opened"]["start"] == "2026-03-03T00:00:00Z"
    assert other.json()["systems"] == 0


def test_what_cannot_be_replayed_is_refused_before_anything_starts(world: Any) -> None:
    def never(asked: Asked) -> bytes:
        raise AssertionError

    with served(an_app(world, never)) as at, client(world, Role.ADMIN, never, at.url) as http:
        typo = http.post("/v1/backtests", content=POLICY.replace("volume", "volum"))
        nothing = http.post("/v1/backtests", content="")
        when = http.post("/v1/backtests", params={"since": "soon"}, content=POLICY)

    assert (typo.status_code, nothing.status_code, when.status_code) == (422, 422, 422)
    assert typo.json()["errors"] == [
        "body:9: rule seldom: unknown metric 'volum'; did you mean volume?"
    ]
    assert "no ISO 8601 instant" in when.json()["detail"]


def test_who_only_looks_may_not_start_one(world: Any, child: ChildBacktester) -> None:
    with served(an_app(world, child)) as at, client(world, Role.VIEWER, child, at.url) as http:
        assert http.post("/v1/backtests", content=POLICY).status_code == 403


def test_a_process_that_was_handed_none_says_so(world: Any) -> None:
    with served(an_app(world, None)) as at, client(world, Role.ADMIN, None, at.url) as http:
        reply = http.post("/v1/backtests", content=POLICY)

    assert reply.status_code == 501
    assert "watchkeeper backtest" in reply.json()["detail"]


def asked(world: Any) -> Asked:
    now = world.clock.now()
    return Asked(POLICY, now - timedelta(days=9), now, ())


def test_one_at_a_time(world: Any, tmp_path: Path) -> None:
    stop = threading.Event()
    slow = ChildBacktester(environment(world), SystemClock(), stop)
    refused: list[str] = []
    found: list[bytes] = []
    first = threading.Thread(target=lambda: found.append(slow(asked(world))))
    first.start()
    while first.is_alive() and not refused:
        try:
            found.append(slow(asked(world)))
        except RetryableError as error:
            refused.append(str(error))
    first.join()

    assert refused == ["another backtest is running; ask again when it is done"]
    assert json.loads(found[0])["name"] == "loans"


def test_a_replay_under_way_ends_with_the_process(world: Any) -> None:
    stop = threading.Event()
    stop.set()

    with pytest.raises(RetryableError, match="given up: this process is ending"):
        ChildBacktester(environment(world), SystemClock(), stop)(asked(world))


def test_a_replay_that_takes_too_long_is_given_up(world: Any) -> None:
    one = ChildBacktester(environment(world), SystemClock(), threading.Event(), timedelta(0))

    with pytest.raises(RetryableError, match="given up: it took too long"):
        one(asked(world))


def test_a_replay_that_fails_says_why(world: Any) -> None:
    env = environment(world) | {"WATCHKEEPER_DATABASE_URL": "sqlite:////nowhere/state.db"}

    with pytest.raises(RetryableError, match="ended without an answer: Error: "):
        ChildBacktester(env, SystemClock(), threading.Event())(asked(world))
