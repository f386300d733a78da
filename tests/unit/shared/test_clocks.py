"""The clock of tests goes where it is put; durations never run backwards."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from watchkeeper_shared.testing.clocks import ManualClock


def test_it_stands_still_until_told() -> None:
    clock = ManualClock(datetime(2026, 5, 1, tzinfo=UTC))

    assert clock.now() == clock.now() == datetime(2026, 5, 1, tzinfo=UTC)
    clock.advance(timedelta(hours=1))
    assert (clock.now(), clock.monotonic()) == (datetime(2026, 5, 1, 1, tzinfo=UTC), 3600.0)


def test_a_clock_that_is_set_back_takes_no_duration_back() -> None:
    clock = ManualClock()
    clock.set(clock.now() + timedelta(seconds=5))
    clock.set(clock.now() - timedelta(days=1))

    assert clock.monotonic() == 5.0


def test_naive_instants_and_negative_steps_are_refused() -> None:
    clock = ManualClock()
    with pytest.raises(ValueError, match="time zone"):
        clock.set(datetime(2026, 1, 1))  # noqa: DTZ001 - the mistake under test
    with pytest.raises(ValueError, match="forwards"):
        clock.advance(timedelta(seconds=-1))
