"""How progress, errors and waiting are told."""

from __future__ import annotations

import io
from datetime import timedelta
from typing import Any

import pytest

from watchkeeper.demo import watching
from watchkeeper.main import told
from watchkeeper.progress import Progress
from watchkeeper_shared.errors import ConfigError, InvalidObject, ReceiverUnavailable
from watchkeeper_shared.testing.clocks import ManualClock


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_without_a_terminal_progress_is_a_line_per_tenth() -> None:
    out = io.StringIO()
    progress = Progress(out, "streamed", 1000)

    for done in range(0, 1001, 10):
        progress.show(done)
    progress.finish()

    lines = out.getvalue().splitlines()
    assert len(lines) == 11
    assert lines[-1].endswith("100 %  1,000 of 1,000")


def test_on_a_terminal_progress_stays_on_one_line_and_leaves_no_rest() -> None:
    out = Terminal()
    progress = Progress(out, "streamed", 10)

    progress.show(1, "a long note")
    progress.show(2)
    progress.finish()

    assert out.getvalue().count("\n") == 1
    long, short = out.getvalue().rstrip("\n").split("\r")[1:]
    assert len(short) == len(long)


def test_an_error_is_one_line_and_mistakes_in_files_are_one_line_each() -> None:
    assert told(ConfigError("first\n second\n")) == "first; second"
    assert told(InvalidObject("all", ("a.yaml:1: x", "a.yaml:2: y"))) == "a.yaml:1: x\na.yaml:2: y"


def volume(rows: int, policy: str) -> dict[str, Any]:
    return {"value": float(rows), "policy": {"id": policy}}


def test_rows_are_counted_where_each_is_in_one_window_only() -> None:
    volumes = [volume(10, "fortnights"), volume(5, "fortnights"), volume(15, "years")]
    coverage: list[dict[str, Any]] = [{"value": 1.0}, {"value": 0.5}, {"value": None}]

    found = watching.judged(volumes, coverage, "fortnights")

    assert found == watching.Judged(windows=3, settled=1, rows=15)


def test_waiting_ends_with_a_reason() -> None:
    clock = ManualClock()

    def never() -> bool:
        clock.advance(timedelta(minutes=10))
        return False

    with pytest.raises(ReceiverUnavailable, match="judging: not within 0:05:00"):
        watching.until(never, clock, timedelta(minutes=5), "judging")
