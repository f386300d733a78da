"""Processes end, kindly or not; what was acknowledged is judged once all the same."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Launch = Callable[..., Any]
MakeWorld = Callable[..., Any]
ENV = {"WATCHKEEPER_REJUDGE_INTERVAL": "1s"}


def token_of(data: Path) -> str:
    return (data / "admin.token").read_text().strip()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_second_start_goes_on_where_the_first_one_stopped(
    tmp_path: Path, launch: Launch, make_world: MakeWorld, how: signal.Signals
) -> None:
    data = tmp_path / "data"
    first = launch("up", "--data", data, "--port", "0", env=ENV)
    world = make_world(token_of(data), first.url)
    world.declare(tmp_path)
    world.stream(range(3))
    world.stream(range(3, 5), drifted=True)  # acknowledged, surely not judged yet

    ended = first.end(how)
    token = token_of(data)
    second = launch("up", "--data", data, "--port", "0", env=ENV)
    again = make_world(token, second.url)
    again.sent = world.sent
    again.stream(range(5, 8))

    again.expect("every prediction is in a window, once", again.hours_judged())
    again.expect("the breach is over", lambda: _states(again) == ["resolved"])
    again.expect("both turns were told", lambda: _told(again) >= 2)
    assert ended == (0 if how is signal.SIGTERM else -how)
    assert token_of(data) == token
    assert len(again.tickets()) == 1
    told = {(one.id, one.genuine) for one in again.receiver.received}
    assert len(told) == 2, "a repeated notification carries the same id"
    assert again.acts().count("key.create") == 1
    assert second.end(signal.SIGTERM) == 0


def _states(world: Any) -> list[str]:
    return [one["state"] for one in world.alerts()]


def _told(world: Any) -> int:
    return len({one.id for one in world.receiver.received})


def test_the_key_file_is_for_its_owner_only(tmp_path: Path, launch: Launch) -> None:
    data = tmp_path / "data"
    launch("up", "--data", data, "--port", "0", env=ENV).end(signal.SIGTERM)

    assert (data / "admin.token").stat().st_mode & 0o777 == 0o600


def test_a_port_that_is_taken_is_told_in_one_line(tmp_path: Path, launch: Any) -> None:
    first = launch("up", "--data", tmp_path / "one", "--port", "0", env=ENV)
    port = first.url.rpartition(":")[2]

    code, said = launch.failing("up", "--data", tmp_path / "two", "--port", port)

    assert code == 1
    (line,) = [one for one in said.splitlines() if not one.startswith("{")]
    assert "choose another --port" in line
