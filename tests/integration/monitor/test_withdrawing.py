"""A system that was withdrawn is judged no more, and nobody hears of it as if it were silent."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from watchkeeper_shared.db import tables
from watchkeeper_shared.eventlog.port import Message
from watchkeeper_shared.topics import PREDICTIONS

SYSTEM = "loans"
DRIFT = {"id": "drift", "metric": "psi", "columns": ["*"], "breach": 0.25, "min_rows": 100}
VOLUME = {"id": "volume", "metric": "volume", "below": True, "breach": 100}


def rested(world: Any) -> None:
    """Let the monitor read all, and then find the system silent, so that windows settle."""
    world.settle()
    world.clock.advance(timedelta(minutes=1))
    world.settle()


def withdraw(world: Any, reason: str = "replaced by loans-2") -> None:
    """Store the revision that the control plane makes of it."""
    world.apply("AISystem", SYSTEM, world.spec())
    with world.database.transaction() as c:
        c.execute(
            sa.update(tables.objects)
            .where(tables.objects.c.kind == "AISystem", tables.objects.c.current)
            .values(withdrawn=reason)
        )
    world.clock.advance(timedelta(seconds=2))  # what is applied is read once a second


def restore(world: Any) -> None:
    world.apply("AISystem", SYSTEM, world.spec())
    world.clock.advance(timedelta(seconds=2))


def windows(world: Any) -> dict[datetime, tuple[str, int]]:
    """Status and rows of each judged window, by its start."""
    return {row.start: (row.status, row.rows) for row in world.all(tables.windows)}


def numbers(world: Any, metric: str) -> list[tuple[float | None, str, str]]:
    """Value, state and reason of a metric, window by window."""
    found = world.all(tables.measurements, metric=metric, current=True)
    rows = sorted(found, key=lambda row: row.window_start)
    return [(row.value, row.state, row.reason) for row in rows]


@pytest.fixture
def breached(referenced: Any) -> Any:
    """A world in which AGE drifted on day 0 and people were told."""
    referenced.policy([DRIFT, VOLUME])
    referenced.predict(0, drifted=True)
    referenced.go_to(1.1)
    rested(referenced)
    ((kind, _),) = referenced.told()
    assert kind == "opened"
    return referenced


def test_what_was_open_ends_with_who_withdrew_it_and_why(breached: Any) -> None:
    withdraw(breached)
    rested(breached)

    ((kind, event),) = breached.told()
    (stored,) = breached.all(tables.episodes)

    assert (kind, event.retired, event.system_withdrawn, event.withdrawn) == (
        "cleared",
        True,
        True,
        False,
    )
    assert event.reason.startswith("withdrawn by test at ")
    assert "replaced by loans-2; last: psi" in event.reason
    assert (stored.state, stored.cleared_window is not None) == ("cleared", True)
    name = "watchkeeper_monitor_breach_events_total"
    assert breached.metrics.get_sample_value(name, {"kind": "system_withdrawn"}) == 1


def test_of_two_workers_one_tells_it_once(breached: Any) -> None:
    other = breached.new_monitor()
    withdraw(breached)
    breached.settle(other)
    rested(breached)
    breached.clock.advance(timedelta(minutes=5))  # whatever lease there was is over
    breached.settle(other)
    rested(breached)
    other.stop()

    assert [event.system_withdrawn for _, event in breached.told()] == [True]


def test_silence_of_a_withdrawn_system_is_told_to_nobody(breached: Any) -> None:
    withdraw(breached)
    rested(breached)
    breached.told()
    before = windows(breached)
    breached.go_to(9)
    rested(breached)

    assert windows(breached) == before
    assert breached.told() == []
    lease = breached.all(tables.leases, name=f"judge/{SYSTEM}")
    assert all(one.expires_at < breached.clock.now() for one in lease)


def test_without_a_withdrawal_the_same_silence_is_told(breached: Any) -> None:
    """What the tests beside this one would see if a withdrawal changed nothing."""
    breached.go_to(9)
    rested(breached)

    assert ("opened", "volume") in [(kind, event.rule) for kind, event in breached.told()]


def test_what_still_comes_is_refused_and_counted_for_the_system(breached: Any) -> None:
    withdraw(breached)
    breached.predict(1, 30)
    rested(breached)

    (letter,) = breached.all(tables.dead_letters)
    assert letter.code == "withdrawn_system"
    assert "withdrawn by test" in letter.detail
    assert "replaced by loans-2" in letter.detail
    assert breached.tally("dead_letters_withdrawn_system") == 1


def test_a_name_that_nobody_knows_is_unknown_though_all_there_is_was_withdrawn(
    breached: Any,
) -> None:
    withdraw(breached)
    breached.send_raw(Message(PREDICTIONS.name, "nobody", b"[]", {"content-type": "text/x"}))
    breached.predict(1, 30)
    rested(breached)

    assert len(breached.all(tables.dead_letters)) == 2


def test_put_in_force_again_it_is_judged_and_no_silence_is_made_up(breached: Any) -> None:
    withdraw(breached)
    rested(breached)
    breached.told()
    breached.go_to(20.5)
    restore(breached)
    breached.predict(21)
    breached.go_to(22.1)
    rested(breached)

    days = sorted((start - min(windows(breached))).days for start in windows(breached))
    assert days == [0, 21]
    assert breached.told() == []


def test_silence_after_it_was_put_in_force_again_is_told(breached: Any) -> None:
    withdraw(breached)
    rested(breached)
    breached.told()
    breached.go_to(20.5)
    restore(breached)
    breached.go_to(23.1)
    rested(breached)

    days = sorted((start - min(windows(breached))).days for start in windows(breached))
    assert days == [0, 21, 22]
    assert [(kind, event.rule) for kind, event in breached.told()] == [("opened", "volume")]


@pytest.fixture
def at_noon(referenced: Any) -> Any:
    """A world in which AGE drifts, and the day that shows it is not over."""
    referenced.policy([DRIFT, {**VOLUME, "breach": 300}])
    referenced.go_to(0.5)
    referenced.predict(0, 200, drifted=True)
    referenced.settle()
    withdraw(referenced)
    return referenced


def test_the_window_of_a_withdrawal_is_judged_by_its_rows_and_not_by_how_many(
    at_noon: Any,
) -> None:
    """Half a day of traffic is no loss of traffic where nobody watched the other half."""
    at_noon.go_to(0.6)
    restore(at_noon)
    at_noon.go_to(1.1)
    rested(at_noon)

    ((value, state, reason),) = numbers(at_noon, "volume")
    assert (value, state) == (None, "insufficient")
    assert "the system was withdrawn from " in reason
    assert [event.rule for _, event in at_noon.told()] == ["drift"]


def test_what_was_over_before_it_came_back_is_settled_and_wakes_nobody(at_noon: Any) -> None:
    at_noon.go_to(5)
    restore(at_noon)
    at_noon.predict(5, drifted=True)
    at_noon.go_to(6.1)
    rested(at_noon)

    assert [status for status, _ in windows(at_noon).values()] == ["final", "final"]
    ((kind, event),) = at_noon.told()
    assert (kind, event.rule) == ("opened", "drift")
    assert event.opened_window == max(windows(at_noon))


def test_what_was_measured_is_kept_bounded_all_the_same(breached: Any) -> None:
    withdraw(breached)
    rested(breached)
    breached.go_to(1200)
    rested(breached)

    assert breached.all(tables.profiles) == []
    assert breached.all(tables.samples) == []
    assert breached.all(tables.evidence) != []
