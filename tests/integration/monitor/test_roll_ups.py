"""What rested is rolled up, wherever that is interrupted; labels and backtests agree with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from prometheus_client import CollectorRegistry

from watchkeeper_monitor.backtesting.reporting import Report
from watchkeeper_monitor.backtesting.running import Backtest, Question
from watchkeeper_monitor.judge.keeping import Keeper
from watchkeeper_monitor.meters import Meters
from watchkeeper_monitor.profiles import Profile
from watchkeeper_monitor.references.baselines import Baselines
from watchkeeper_monitor.references.reference import Reference
from watchkeeper_monitor.settings import Pace, Retention
from watchkeeper_monitor.store import panes, reading
from watchkeeper_monitor.store.panes import PaneKey
from watchkeeper_monitor.windows.spans import Span
from watchkeeper_shared.db import leases, tables
from watchkeeper_shared.db.registry import Applied, Registry
from watchkeeper_shared.errors import Conflict, NotHeld
from watchkeeper_shared.specs import OversightPolicy

SYSTEM, VERSION, ROWS = "loans", "1", 480
START = datetime.fromisoformat("2026-03-02T00:00:00+00:00")
HALF, HOUR, DAY = timedelta(minutes=30), timedelta(hours=1), timedelta(days=1)
TODAY = Span(START, START + DAY)
NOW = timedelta(0)
PACE = Pace(flush_interval=NOW, judge_interval=NOW, rejudge_interval=NOW)
SHORT = Retention(
    pane_retention=timedelta(days=10),
    hour_retention=timedelta(days=20),
    day_retention=timedelta(days=40),
    sample_retention=timedelta(days=10),
    revision_retention=timedelta(days=20),
)
ACCURACY = {"id": "accuracy", "metric": "accuracy", "below": True, "breach": 0.7, "min_rows": 5}
RULES = [ACCURACY]


class Interrupted(BaseException):
    """The process was killed here."""


@pytest.fixture
def half_hours(referenced: Any) -> Any:
    """A day of predictions in windows of half an hour, all final."""
    world = referenced
    world.policy(RULES, window={"size": "30m", "lateness": "1h"})
    world.monitor = world.new_monitor(PACE, retention=SHORT)
    world.ids = world.predict(0, ROWS)
    world.go_to(1.5)
    world.settle()
    # Silence, with everything read: the last windows wait for nothing more.
    world.clock.advance(timedelta(minutes=5))
    world.settle()
    return world


def keeper_of(world: Any) -> Keeper:
    registry = Registry(world.database, world.clock)
    registry.refresh()
    baselines, meters = Baselines(registry), Meters(CollectorRegistry())
    return Keeper(world.database, registry, baselines, world.clock, SHORT, PACE, meters)


def keep(world: Any, holder: str = "keeper") -> None:
    """Do whatever there is to end at this instant."""
    keeper = keeper_of(world)

    def lease(c: sa.Connection, system: str, now: datetime) -> bool:
        return leases.take(c, f"judge/{system}", holder, now, timedelta(seconds=15))

    while keeper.step(lease):
        pass
    with world.database.transaction() as c:
        leases.release(c, f"judge/{SYSTEM}", holder)


def held(world: Any) -> list[tuple[str, timedelta]]:
    """What panes are held as, and how long they are."""
    rows = sorted(world.all(tables.panes), key=lambda row: row.pane_start)
    return [(row.held, row.pane_end - row.pane_start) for row in rows]


def judged(world: Any) -> list[Any]:
    """Everything that was judged, as people see it."""
    found = (*world.all(tables.windows), *world.all(tables.measurements, current=True))
    return sorted(map(tuple, found), key=str)


def merged(world: Any, window: Span = TODAY) -> bytes:
    """The merge of what is stored of a window."""
    (reference,) = world.all(tables.references)
    grid = Reference.from_bytes(reference.artifact).grid
    whole = Profile.empty(grid)
    with world.database.read() as c:
        for one in reading.in_window(c, SYSTEM, VERSION, window):
            whole.merge(Profile.from_bytes(grid, one.profile))
    return whole.to_bytes()


def accuracies(world: Any, **where: Any) -> list[tuple[float | None, int]]:
    rows = world.all(tables.measurements, metric="accuracy", segment="", current=True, **where)
    seen = [row for row in rows if row.n]
    return [(row.value, row.n) for row in sorted(seen, key=lambda row: row.window_start)]


def backtest(world: Any, size: str) -> Report:
    whole = {"systems": [SYSTEM], "window": {"size": size}, "rules": RULES}
    policy = Applied("another", 0, "new", msgspec.convert(whole, OversightPolicy))
    registry = Registry(world.database, world.clock)
    registry.refresh()
    now = world.clock.now()
    return Backtest(world.database, registry, Question(policy, now - 90 * DAY, now)).run()


def test_what_rests_becomes_hours_then_days_and_no_number_changes(half_hours: Any) -> None:
    before, profile = judged(half_hours), merged(half_hours)
    assert held(half_hours) == [("pane", HALF)] * 48

    half_hours.go_to(11.4)
    keep(half_hours)
    assert held(half_hours) == [("pane", HALF)] * 48

    half_hours.go_to(12)
    keep(half_hours)
    assert held(half_hours) == [("rolled", HOUR)] * 24
    assert merged(half_hours) == profile
    with pytest.raises(NotHeld, match="WATCHKEEPER_PANE_RETENTION"):
        merged(half_hours, Span(START, START + HALF))

    half_hours.go_to(22)
    keep(half_hours)
    assert held(half_hours) == [("rolled", DAY)]
    assert len(half_hours.all(tables.profiles)) == 1
    assert merged(half_hours) == profile
    assert judged(half_hours) == before


def test_the_monitor_rolls_up_beside_its_other_work(half_hours: Any) -> None:
    half_hours.go_to(12)
    for _ in range(20):
        half_hours.monitor.step()

    assert held(half_hours) == [("rolled", HOUR)] * 24
    name, kind = "watchkeeper_monitor_retired_total", {"kind": "pane"}
    assert half_hours.metrics.get_sample_value(name, kind) == 48


def test_labels_up_to_the_retention_amend_every_window(half_hours: Any) -> None:
    for day in (2, 5, 9):
        half_hours.go_to(day)
        keep(half_hours)
    half_hours.label(half_hours.ids, [str(half_hours.said[one]) for one in half_hours.ids])
    half_hours.settle()

    assert [value for value, _ in accuracies(half_hours)] == [1.0] * 48
    assert sum(n for _, n in accuracies(half_hours)) == ROWS
    assert half_hours.tally("windows_not_held") == 0
    # And what was amended rests anew.
    half_hours.go_to(12)
    keep(half_hours)
    assert held(half_hours) == [("pane", HALF)] * 48


def test_labels_after_a_roll_up_are_counted_where_it_can_be_divided(half_hours: Any) -> None:
    half_hours.go_to(9)
    half_hours.label(half_hours.ids[:240], ["1"] * 240)
    half_hours.settle()
    half_hours.go_to(22)
    keep(half_hours)
    before = judged(half_hours)
    half_hours.label(half_hours.ids[240:], ["1"] * 240)
    half_hours.settle()

    assert judged(half_hours) == before
    assert half_hours.tally("windows_not_held") > 0
    assert all(row.changed == row.judged for row in half_hours.all(tables.panes))
    in_pieces = merged(half_hours)
    half_hours.go_to(33)
    keep(half_hours)
    assert {span for _, span in held(half_hours)} == {HOUR}
    half_hours.go_to(54)
    keep(half_hours)
    assert held(half_hours) == [("rolled", DAY)]
    assert merged(half_hours) == in_pieces
    (grid,) = [Reference.from_bytes(row.artifact).grid for row in half_hours.all(tables.references)]
    assert Profile.from_bytes(grid, merged(half_hours)).labelled == ROWS


@pytest.fixture
def interrupting(half_hours: Any) -> Iterator[Any]:
    """Kills the process, so to speak, before its n-th statement that writes."""
    left: list[int] = []

    def one_more(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if left and statement.startswith(("INSERT", "UPDATE", "DELETE")):
            left[0] -= 1
            if left[0] < 0:
                left.clear()
                raise Interrupted

    sa.event.listen(half_hours.database.engine, "before_cursor_execute", one_more)
    yield left
    sa.event.remove(half_hours.database.engine, "before_cursor_execute", one_more)


def test_a_roll_up_that_is_killed_anywhere_loses_nothing(
    half_hours: Any, interrupting: Any
) -> None:
    before, profile = judged(half_hours), merged(half_hours)
    half_hours.go_to(22)

    for statement in range(0, 400, 13):
        interrupting[:] = [statement]
        try:
            keep(half_hours)
        except Interrupted:
            assert merged(half_hours) == profile
        else:
            break

    assert statement > 13
    assert held(half_hours) == [("rolled", DAY)]
    assert merged(half_hours) == profile
    assert judged(half_hours) == before


def test_two_workers_at_once_roll_up_what_one_would(half_hours: Any) -> None:
    profile = merged(half_hours)
    half_hours.go_to(12)
    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(keep, half_hours, holder) for holder in ("a", "b")]:
            done.result(timeout=60)
    half_hours.clock.advance(HOUR)
    keep(half_hours, "a")

    assert held(half_hours) == [("rolled", HOUR)] * 24
    assert merged(half_hours) == profile


Flush = Callable[[sa.Connection], PaneKey]


@pytest.fixture
def late_rows(half_hours: Any) -> Flush:
    """What a flush of ten days later does: the first rows of the day, once more."""
    if half_hours.database.engine.dialect.name == "sqlite":
        pytest.skip("SQLite lets one writer in at a time")
    half_hours.go_to(12)
    (reference,) = half_hours.all(tables.references)
    grid = Reference.from_bytes(reference.artifact).grid
    (row, *_) = half_hours.all(tables.profiles, pane_start=START)
    key = PaneKey(SYSTEM, VERSION, reference.id, Span(START, START + HALF))
    more = Profile.from_bytes(grid, row.profile)
    twice = Profile.from_bytes(grid, merged(half_hours))
    twice.merge(more)
    half_hours.twice = twice.to_bytes()

    def flush(c: sa.Connection) -> PaneKey:
        panes.merge_profile(c, key, row.source, more, grid, more.rows)
        return key

    return flush


def test_a_flush_that_meets_a_roll_up_is_repeated(half_hours: Any, late_rows: Flush) -> None:
    def meanwhile(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("UPDATE profiles"):
            keep(half_hours)

    with half_hours.database.transaction() as c:
        sa.event.listen(c, "before_cursor_execute", meanwhile)
        with pytest.raises(Conflict, match="rolled up"):
            late_rows(c)
    assert held(half_hours) == [("rolled", HOUR)] * 24
    with half_hours.database.transaction() as c:
        late_rows(c)

    assert merged(half_hours) == half_hours.twice


@pytest.mark.parametrize("is_noted", [False, True])
def test_a_roll_up_passes_by_what_a_flush_has_in_hand(
    half_hours: Any,
    late_rows: Flush,
    is_noted: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    with half_hours.database.transaction() as c:
        key = late_rows(c)
        if is_noted:
            panes.touch(c, [key])
        keep(half_hours)
        assert ("rolled", HOUR) in held(half_hours)
        if not is_noted:
            panes.touch(c, [key])

    assert merged(half_hours) == half_hours.twice
    with half_hours.database.read() as c:
        assert [one.pane for one in panes.dirty(c, SYSTEM, 10)] == [key.pane]


def test_what_was_dropped_is_never_taken_for_what_came_since(half_hours: Any) -> None:
    before = judged(half_hours)
    half_hours.go_to(42)
    keep(half_hours)
    assert held(half_hours) == [("gone", DAY)]
    assert not half_hours.all(tables.profiles)

    half_hours.send(half_hours.batch(0, 50, seed=7))
    half_hours.settle()

    assert judged(half_hours) == before
    with pytest.raises(NotHeld, match="WATCHKEEPER_DAY_RETENTION"):
        merged(half_hours)
    skipped = backtest(half_hours, "1d").skipped
    assert skipped
    assert all("were dropped" in gap.reason for gap in skipped)


def test_a_backtest_reads_hours_as_it_read_their_panes(half_hours: Any) -> None:
    half_hours.label(half_hours.ids, ["1"] * ROWS)
    half_hours.settle()
    whole = backtest(half_hours, "1h"), backtest(half_hours, "2h")
    assert whole[0].windows >= 24
    assert whole[0].totals["gained"]

    half_hours.go_to(13)
    keep(half_hours)
    rolled = backtest(half_hours, "1h"), backtest(half_hours, "2h")

    assert held(half_hours) == [("rolled", HOUR)] * 24
    for now, then in zip(rolled, whole, strict=True):
        assert (now.breaches, now.skipped) == (then.breaches, [])
    assert len(backtest(half_hours, "30m").skipped) >= 24


def test_samples_blocks_and_replaced_numbers_end(half_hours: Any) -> None:
    half_hours.label(half_hours.ids, ["1"] * ROWS)
    half_hours.settle()
    half_hours.go_to(2)
    half_hours.label(half_hours.ids, ["0"] * ROWS)
    half_hours.settle()
    assert half_hours.all(tables.samples)
    assert half_hours.all(tables.blocks)
    before = {row.window_start for row in half_hours.all(tables.measurements, current=False)}
    now = judged(half_hours)

    half_hours.go_to(23)
    keep(half_hours)

    assert not half_hours.all(tables.samples)
    assert not half_hours.all(tables.blocks)
    # But what a breach refers to stays beside what replaced it, where anything did.
    breaches = half_hours.all(tables.episodes)
    told = {one for row in breaches for one in (row.opened_window, row.told_window)}
    spans = [Span(row.window_start, row.window_end) for row in half_hours.all(tables.evidence)]
    replaced = half_hours.all(tables.measurements, current=False)
    others = {
        Span(row.window_start, row.window_end) for row in replaced if row.window_start not in told
    }
    assert told & before
    assert told & before <= {row.window_start for row in replaced}
    assert all(any(span.holds(one) for span in spans) for one in others)
    assert len(told | others) < 20
    assert judged(half_hours) == now


def test_a_correction_past_the_horizon_is_never_added_to_what_it_corrects(referenced: Any) -> None:
    """A system with few rows has few blocks, and the newest row must not keep the oldest."""
    world = referenced
    pace = replace(PACE, label_horizon=10 * DAY, label_patience=5 * DAY)
    world.monitor = world.new_monitor(pace, retention=SHORT)
    first = world.predict(0, 10)
    world.label(first, ["1"] * 10)
    for day in range(1, 25):
        world.go_to(day)
        world.predict(day, 5)
        world.settle()
        for _ in range(5):
            world.monitor.step()
        if day in {13, 24}:
            world.label(first, ["0"] * 10)
            world.settle()

    (grid,) = [Reference.from_bytes(row.artifact).grid for row in world.all(tables.references)]
    assert Profile.from_bytes(grid, merged(world)).labelled == 10
    held_back = world.all(tables.predictions)
    assert sum(block.rows for block in held_back) <= 12 * 5
    assert len(held_back) <= 16
