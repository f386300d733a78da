"""Windows end with all their numbers, wherever interrupted; what a breach refers to stays."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from watchkeeper_monitor.settings import Pace, Retention
from watchkeeper_monitor.store import endings
from watchkeeper_monitor.store.endings import WINDOWS_AT_ONCE
from watchkeeper_monitor.store.windows import Scope
from watchkeeper_monitor.windows.spans import EPOCH
from watchkeeper_monitor.wiring import KEPT
from watchkeeper_shared.db import tables
from watchkeeper_shared.db.unit_of_work import Database

NONE = timedelta(0)
PACE = Pace(
    flush_interval=NONE,
    judge_interval=NONE,
    rejudge_interval=NONE,
    label_horizon=timedelta(days=8),
    label_patience=timedelta(days=8),
)
SHORT = Retention(
    pane_retention=timedelta(days=8),
    sample_retention=timedelta(days=8),
    measurement_retention=timedelta(days=20),
)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
START = EPOCH + 20_000 * DAY
SCOPE = Scope("p", "s", "1")
LOOKBACKS = {"": 0, "p": 0}
NOW = START + 1000 * DAY
COUNT = 200


class Interrupted(BaseException):
    """The process was killed here."""


Put = tuple[int, datetime, str]
"""Which window, when it was judged last, and its status."""


def put(database: Database, puts: Sequence[Put], scope: Scope = SCOPE) -> None:
    """Store windows of an hour, each with a number that was replaced and two that were not."""
    key = {"policy": scope.policy, "system": scope.system, "version": scope.version}
    window = {"revision": 2, "rows": 9, "content": "c"}
    number = {"policy_hash": "h", "rule": "r", "column": "", "segment": "", "n": 9, "reason": ""}
    said = [("psi", 1), ("psi", 2), ("volume", 2)]
    bounds = {at: (START + at * HOUR, START + (at + 1) * HOUR) for at, _, _ in puts}
    judged = [
        {"start": bounds[at][0], "end": bounds[at][1], "judged_at": when, "status": status}
        for at, when, status in puts
    ]
    numbers = [
        {"window_start": bounds[at][0], "window_end": bounds[at][1], "computed_at": when}
        | {"metric": metric, "revision": revision, "current": revision > 1}
        for at, when, _ in puts
        for metric, revision in said
    ]
    with database.transaction() as c:
        c.execute(sa.insert(tables.windows), [key | window | one for one in judged])
        fixed = key | number | {"status": "final", "state": "ok"}
        c.execute(sa.insert(tables.measurements), [fixed | one for one in numbers])


@pytest.fixture
def hours(database: Database) -> Database:
    """Windows side by side, of which the second half was judged a moment ago."""
    put(database, [(at, NOW if at >= COUNT // 2 else START, "final") for at in range(COUNT)])
    return database


def end(database: Database, before: datetime = NOW - DAY, **lookbacks: int) -> int:
    """End all that may, one transaction after the other; return how many windows."""
    count = 0
    while True:
        with database.transaction() as c:
            is_any = endings.is_any_over(c, "s", before, LOOKBACKS | lookbacks)
            done = endings.remove(c, "s", before, LOOKBACKS | lookbacks)
        assert is_any == bool(done)
        assert done <= WINDOWS_AT_ONCE
        if not done:
            return count
        count += done


def left(database: Database, scope: Scope = SCOPE) -> list[int]:
    """The windows that are left, each with all its numbers."""
    mine = {"policy": scope.policy, "version": scope.version}
    with database.read() as c:
        starts = c.execute(
            sa.select(tables.windows.c.start).filter_by(**mine).order_by(tables.windows.c.start)
        )
        found = [(start - START) // HOUR for start in starts.scalars()]
        numbers = c.execute(
            sa.select(tables.measurements.c.window_start, sa.func.count())
            .filter_by(**mine)
            .group_by(tables.measurements.c.window_start)
        )
        assert {(start - START) // HOUR: n for start, n in numbers} == dict.fromkeys(found, 3)
    return found


def judged_from(database: Database) -> dict[Scope, datetime]:
    with database.read() as c:
        return endings.judged_from(c, "s")


def test_windows_end_but_those_that_the_next_judged_one_looks_back_at(hours: Database) -> None:
    assert end(hours) == COUNT // 2 - 64
    assert left(hours) == list(range(COUNT // 2 - 64, COUNT))
    assert judged_from(hours) == {SCOPE: START + COUNT // 2 * HOUR}


def test_a_rule_that_looks_further_back_keeps_more(hours: Database) -> None:
    end(hours, p=79)

    assert left(hours)[0] == COUNT // 2 - 80


def test_nothing_ends_before_its_time(hours: Database) -> None:
    assert end(hours, START) == 0
    assert judged_from(hours) == {}


def test_one_old_window_that_was_judged_again_keeps_all_after_it(hours: Database) -> None:
    with hours.transaction() as c:
        old = tables.windows.c.start == START + 70 * HOUR
        c.execute(sa.update(tables.windows).where(old).values(judged_at=NOW))

    end(hours)

    assert left(hours) == list(range(6, COUNT))
    with hours.transaction() as c:
        c.execute(sa.update(tables.windows).where(old).values(judged_at=START))
    assert end(hours) == COUNT // 2 - 64 - 6


def test_where_nothing_was_judged_since_the_newest_window_stays(hours: Database) -> None:
    end(hours, NOW + DAY)

    assert left(hours) == [COUNT - 1]
    assert judged_from(hours)[SCOPE] > START + (COUNT - 1) * HOUR


def test_a_window_that_waits_to_be_final_waits_under_a_policy_in_force_only(
    hours: Database,
) -> None:
    gone = replace(SCOPE, policy="gone")
    for scope in (replace(SCOPE, version="2"), gone):
        put(hours, [(at, START, "final" if at else "provisional") for at in range(80)], scope)

    end(hours, NOW - DAY)

    assert left(hours, replace(SCOPE, version="2")) == list(range(80))
    assert left(hours, gone) == [79]


def breach(database: Database, opened: int, cleared: int | None, **where: Any) -> None:
    values = {
        "id": f"{opened}-{cleared}",
        "policy": "p",
        "system": "s",
        "version": "1",
        "rule": "r",
        "metric": "psi",
        "column": "",
        "segment": "",
        "opened_window": START + opened * HOUR,
        "cleared_window": None if cleared is None else START + cleared * HOUR,
        "generation": 0,
        "state": "open" if cleared is None else "cleared",
        "told_window": START + (opened if cleared is None else cleared) * HOUR,
        "told_state": "breach",
        "opened_at": START,
        "updated_at": START,
    }
    with database.transaction() as c:
        c.execute(sa.insert(tables.episodes).values(values | where))


def freeze(database: Database, first: int, last: int) -> None:
    """Freeze evidence of several windows that breached together."""
    values = {
        "id": "frozen",
        "system": "s",
        "version": "1",
        "window_start": START + first * HOUR,
        "window_end": START + (last + 1) * HOUR,
        "revision": 1,
        "reference": "x",
        "sample": b"rows",
        "sample_hash": "h",
        "sample_rows": 1,
        "window_rows": 1,
        "state": "ready",
        "reason": "",
        "frozen_at": START,
        "attempts": 1,
    }
    with database.transaction() as c:
        c.execute(sa.insert(tables.evidence).values(values))


def test_what_a_breach_refers_to_stays(hours: Database) -> None:
    freeze(hours, 6, 9)
    breach(hours, 9, 14, evidence="frozen")
    breach(hours, 20, 24, told_window=START + 22 * HOUR)
    breach(hours, 3, 5, policy="another")

    end(hours)

    assert left(hours)[:8] == [6, 7, 8, 9, 14, 20, 22, 24]
    assert left(hours)[8] == COUNT // 2 - 64


def test_nothing_ends_since_a_breach_opened_that_is_open(hours: Database) -> None:
    breach(hours, 9, None)

    end(hours, NOW + DAY)

    assert left(hours) == list(range(9, COUNT))


def test_nothing_ends_of_a_breach_that_is_folded_again_with_what_is_judged(hours: Database) -> None:
    breach(hours, 9, COUNT // 2)
    breach(hours, 5, COUNT // 2 - 1)

    end(hours)

    assert left(hours) == [5, *range(9, COUNT)]


def test_windows_end_under_every_policy_and_version(hours: Database) -> None:
    others = [Scope(policy, "s", version) for policy in ("", "a", "p", "z") for version in "23"]
    for scope in (*others, replace(SCOPE, system="another")):
        put(hours, [(at, START, "final") for at in range(3)], scope)

    end(hours, NOW - DAY, a=0, z=0)

    assert [left(hours, scope) for scope in others] == [[2]] * len(others)
    with hours.read() as c:
        query = sa.select(sa.func.count()).where(tables.windows.c.system == "another")
        assert c.execute(query).scalar_one() == 3


def test_what_tells_the_blocks_in_control_stays_with_what_they_taught(hours: Database) -> None:
    starts = [START + at * HOUR for at in (2, 12, 30, 99)]
    taught = {"policy": "p", "system": "s", "version": "1", "reference": "x", "scale": 4}
    block = {"start": START + 12 * HOUR, "end": START + 16 * HOUR, "sights": b""}
    with hours.transaction() as c:
        c.execute(
            sa.update(tables.measurements)
            .where(tables.measurements.c.window_start.in_(starts))
            .values(state="breach")
        )
        c.execute(sa.insert(tables.sights).values(taught | block))

    end(hours, NOW + DAY)

    # One before the block, one in it, one that may close a pool over it, one too late for that.
    assert left(hours) == [12, 30, COUNT - 1]


@pytest.fixture
def interrupting(hours: Database) -> Iterator[list[int]]:
    """Kills the process, so to speak, before its n-th statement that writes."""
    left_over: list[int] = []

    def one_more(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if left_over and statement.startswith(("INSERT", "UPDATE", "DELETE")):
            left_over[0] -= 1
            if left_over[0] < 0:
                left_over.clear()
                raise Interrupted

    sa.event.listen(hours.engine, "before_cursor_execute", one_more)
    yield left_over
    sa.event.remove(hours.engine, "before_cursor_execute", one_more)


def test_an_ending_that_is_killed_anywhere_takes_whole_windows(
    hours: Database, interrupting: list[int]
) -> None:
    for statement in range(10):
        interrupting[:] = [statement]
        try:
            end(hours)
        except Interrupted:
            assert set(left(hours)) >= set(range(COUNT // 2 - 64, COUNT))
        else:
            break

    assert statement > 3
    assert left(hours) == list(range(COUNT // 2 - 64, COUNT))


def test_numbers_may_not_end_while_labels_may_amend_them() -> None:
    with pytest.raises(ValueError, match="WATCHKEEPER_MEASUREMENT_RETENTION must not be shorter"):
        replace(KEPT, measurement_retention=KEPT.pane_retention - DAY)


@pytest.fixture
def days(referenced: Any) -> Any:
    """Some days of a system that fell silent since; on the first it drifted."""
    world = referenced
    world.monitor = world.new_monitor(PACE, retention=SHORT)
    for day in range(5):
        world.go_to(day + 0.99)
        world.predict(day, drifted=not day)
        world.settle()
    world.go_to(15)
    world.settle()
    return world


def keep(world: Any) -> None:
    """Let the monitor end what there is, weeks later."""
    for hours in (0, 2):  # a round that began before goes on at first
        world.go_to(40 + hours / 24)
        for _ in range(30):
            world.monitor.step()


def test_a_breach_and_its_evidence_outlive_what_was_measured_beside_them(days: Any) -> None:
    kept = [*days.all(tables.episodes), *days.all(tables.evidence), *days.all(tables.audit)]
    count = len(days.all(tables.windows))
    numbers = {row.id: row for row in days.all(tables.measurements)}
    told = {
        one for row in days.all(tables.episodes) for one in (row.opened_window, row.told_window)
    }
    newest = max(row.start for row in days.all(tables.windows))
    assert len(told) > 1

    keep(days)

    assert {row.start for row in days.all(tables.windows)} == told | {newest}
    assert {row.window_start for row in days.all(tables.measurements)} == told | {newest}
    assert all(row == numbers[row.id] for row in days.all(tables.measurements))
    assert [
        *days.all(tables.episodes),
        *days.all(tables.evidence),
        *days.all(tables.audit),
    ] == kept
    (frozen,) = days.all(tables.evidence)
    assert hashlib.sha256(frozen.sample).hexdigest() == frozen.sample_hash
    name, kind = "watchkeeper_monitor_retired_total", {"kind": "window"}
    assert days.metrics.get_sample_value(name, kind) == count - len(told | {newest})


def test_a_window_that_ended_is_not_judged_anew_and_opens_nothing(days: Any) -> None:
    keep(days)
    days.told()
    before = [*days.all(tables.windows), *days.all(tables.measurements), *days.all(tables.episodes)]

    for day in (0, 2):
        days.send(days.batch(day, 300, drifted=True, seed=70 + day))
    days.settle()

    assert [
        *days.all(tables.windows),
        *days.all(tables.measurements),
        *days.all(tables.episodes),
    ] == before
    assert days.told() == []
    assert days.tally("windows_not_held") >= 2
    assert all(row.changed == row.judged for row in days.all(tables.panes))
