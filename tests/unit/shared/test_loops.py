"""The loops of a service turn together and end together; a bug in one is never swallowed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest

from watchkeeper_shared.observability.health import Health
from watchkeeper_shared.observability.loops import Loops, turning
from watchkeeper_shared.testing.clocks import ManualClock

TURN = timedelta(minutes=1)


def turns(stop: threading.Event, beat: Callable[[], None]) -> None:
    beat()
    stop.wait()


def breaks(_stop: threading.Event, _beat: Callable[[], None]) -> None:
    raise ZeroDivisionError


def test_loops_are_watched_while_they_turn_and_forgotten_when_they_ended(
    clock: ManualClock,
) -> None:
    health = Health(clock)

    with turning(Loops({"a": turns, "b": turns}, health, TURN), threading.Event()):
        watched = set(health.liveness().checks)

    assert watched == {"a", "b"}
    assert health.liveness().checks == {}


def test_a_bug_in_one_loop_stops_the_process_and_is_raised_at_the_end(
    clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threading, "excepthook", lambda _told: None)
    stop = threading.Event()
    loops = Loops({"a": turns, "b": breaks}, Health(clock), TURN)

    with pytest.raises(ZeroDivisionError), turning(loops, stop):
        assert stop.wait(30)

    loops.stop()
