"""Logs are JSON with an event and fields; health tells dead from unready."""

from __future__ import annotations

import io
import json
import logging
import warnings
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from watchkeeper_shared.errors import LogUnavailable
from watchkeeper_shared.observability import logs
from watchkeeper_shared.observability.health import Health
from watchkeeper_shared.testing.clocks import ManualClock


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """Where logs go for one test; all that `configure` changes is put back."""
    root = logging.getLogger()
    names = ("kafka", "httpx", "uvicorn")
    before = root.handlers[:], root.level, [logging.getLogger(name).level for name in names]
    with warnings.catch_warnings():
        yield io.StringIO()
        logging.captureWarnings(capture=False)
    root.handlers[:], level, levels = before[0], before[1], before[2]
    root.setLevel(level)
    for name, one in zip(names, levels, strict=True):
        logging.getLogger(name).setLevel(one)


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_has_the_event_and_its_fields(stream: io.StringIO) -> None:
    logs.configure("monitor", stream)

    extra = {"system": "täst", "path": io, "n": 3}
    logging.getLogger("x").info("breach_opened", extra=extra)

    (line,) = lines(stream)
    assert line.pop("ts").endswith("Z")
    assert line["fields"].pop("path").startswith("<module")
    assert line == {
        "level": "info",
        "service": "monitor",
        "logger": "x",
        "event": "breach_opened",
        "fields": {"system": "täst", "n": 3},
    }


def test_an_exception_brings_its_traceback_on_the_same_line(stream: io.StringIO) -> None:
    logs.configure("monitor", stream)

    try:
        _ = 1 / 0
    except ZeroDivisionError:
        logging.getLogger("x").exception("worker_failed")

    (line,) = lines(stream)
    assert "ZeroDivisionError" in line["exception"]
    assert "test_observability.py" in line["exception"]


def test_other_peoples_loggers_never_tell_contents_or_addresses(stream: io.StringIO) -> None:
    logs.configure("monitor", stream, level=logging.DEBUG)

    logging.getLogger("kafka.consumer").debug("a record's bytes")
    logging.getLogger("httpx").info("a webhook's address")
    logging.getLogger("kafka").info("joined")

    assert [line["event"] for line in lines(stream)] == ["joined"]


def test_configuring_twice_does_not_double_the_lines(stream: io.StringIO) -> None:
    logs.configure("monitor", stream)
    logs.configure("monitor", stream)
    logging.getLogger("x").info("once")

    assert len(lines(stream)) == 1


def test_a_loop_that_stopped_turning_makes_the_process_dead(clock: ManualClock) -> None:
    health = Health(clock)
    beat = health.loop("intake", timedelta(seconds=30))
    clock.advance(timedelta(seconds=30))
    assert health.liveness().ok

    clock.advance(timedelta(seconds=1))

    assert not health.liveness().ok
    assert health.liveness().checks["intake"] == "no turn for 31 s, at most 30 s"
    beat()
    assert health.liveness().ok


def test_a_loop_that_ended_on_purpose_is_not_missed(clock: ManualClock) -> None:
    health = Health(clock)
    beat = health.loop("intake", timedelta(seconds=30))
    health.ended("intake")
    beat()
    clock.advance(timedelta(hours=1))

    assert health.liveness().ok


def test_a_log_that_is_away_makes_the_process_unready_and_not_dead(clock: ManualClock) -> None:
    health = Health(clock)

    def away() -> None:
        raise LogUnavailable("no broker")

    health.check("log", away)
    health.check("database", lambda: None)

    assert health.liveness().ok
    assert dict(health.readiness().checks) == {
        "log": "LogUnavailable: no broker",
        "database": "ok",
    }
    assert not health.readiness().ok


def test_many_probes_ask_once_a_second(clock: ManualClock) -> None:
    health = Health(clock)
    asked: list[int] = []
    health.check("database", lambda: asked.append(1))

    for _ in range(5):
        health.readiness()
    clock.advance(timedelta(seconds=1))
    health.readiness()

    assert len(asked) == 2


def test_a_dead_process_is_not_ready(clock: ManualClock) -> None:
    health = Health(clock)
    health.loop("intake", timedelta(seconds=30))
    health.check("database", lambda: None)
    clock.advance(timedelta(minutes=1))

    assert not health.readiness().ok
