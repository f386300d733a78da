"""Judging is done in pieces, and a window that has closed waits for none that is open."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pyarrow as pa
import pytest
import sqlalchemy as sa

from watchkeeper_monitor.judge.sharing import JUDGES
from watchkeeper_monitor.settings import Pace
from watchkeeper_shared.clock import SystemClock
from watchkeeper_shared.db import leases, tables
from watchkeeper_shared.errors import MalformedRecord
from watchkeeper_shared.testing.clocks import ManualClock

SYSTEM = "loans"
OTHERS = [f"aaa-{number}" for number in range(6)]


class SlowClock(ManualClock):
    """Whatever is done between two looks at it takes a second."""

    def __init__(self, like: ManualClock) -> None:
        super().__init__(like.now())
        self._seconds = itertools.count()

    def monotonic(self) -> float:
        return float(next(self._seconds))


def send(world: Any, system: str, day: int, seed: int) -> None:
    batch = world.batch(day, 100, seed=seed)
    at = batch.schema.get_field_index("system")
    batch = batch.set_column(at, "system", pa.array([system] * batch.num_rows))
    ids = pa.array([f"{system}-{day}-{seed}-{number}" for number in range(batch.num_rows)])
    batch = batch.set_column(batch.schema.get_field_index("id"), "id", ids)
    world.send(batch, key=system)


def test_a_closed_window_is_judged_before_open_ones(referenced: Any) -> None:
    world = referenced
    for name in OTHERS:
        world.apply("AISystem", name, world.spec())
    for name in (*OTHERS, SYSTEM):
        send(world, name, 0, seed=1)
    world.settle()
    world.monitor.stop()
    world.go_to(2)
    for name in OTHERS:
        send(world, name, 0, seed=2)
    send(world, SYSTEM, 1, seed=2)
    world.clock = SlowClock(world.clock)
    slow = world.new_monitor()

    turns = 0
    while not world.all(tables.windows, system=SYSTEM, status="final"):
        slow.step(timedelta(milliseconds=20))
        turns += 1
        assert turns < 1000, "the window was never judged"

    judged_again = [
        row.system
        for row in world.all(tables.windows, judged_at=world.clock.now())
        if row.system in OTHERS
    ]
    # What was read before the row that closed the window may have had its turn, no more.
    assert len(judged_again) < len(OTHERS) / 2
    world.settle(slow)
    again = {row.system for row in world.all(tables.windows, judged_at=world.clock.now())}
    assert again == {*OTHERS, SYSTEM}
    slow.stop()


def shares(world: Any) -> list[int]:
    with world.database.read() as c:
        return sorted(map(len, leases.held(c, JUDGES, world.clock.now()).values()))


def test_a_process_that_comes_later_judges_its_share(referenced: Any) -> None:
    world = referenced
    for name in OTHERS[1:]:
        world.apply("AISystem", name, world.spec())
    for name in (*OTHERS[1:], SYSTEM):
        send(world, name, 0, seed=1)
    world.settle()
    assert shares(world) == [6]
    later = world.new_monitor()
    later.step()
    world.clock.set(world.clock.now() + timedelta(seconds=6))
    world.monitor.step()

    assert shares(world) == [3, 3]
    for name in (*OTHERS[1:], SYSTEM):
        send(world, name, 0, seed=2)
    for monitor in (later, world.monitor) * 2:
        monitor.run_until_idle(timedelta(seconds=2), SystemClock())
    newest = world.all(tables.measurements, metric="volume", current=True)
    assert {(one.system, one.n) for one in newest} == {
        (name, 200) for name in (*OTHERS[1:], SYSTEM)
    }
    assert shares(world) == [3, 3]
    later.stop()


def judged(world: Any, system: str) -> bool:
    return bool(world.all(tables.windows, system=system))


def aside(world: Any, system: str) -> float | None:
    found: float | None = world.metrics.get_sample_value(
        "watchkeeper_monitor_system_aside", {"system": system, "task": "judge"}
    )
    return found


def test_a_fault_in_what_one_system_holds_leaves_the_others_watched(referenced: Any) -> None:
    world, broken = referenced, OTHERS[0]
    world.apply("AISystem", broken, world.spec())
    for name in (broken, SYSTEM):
        send(world, name, 0, seed=1)
    world.monitor.stop()
    pace = Pace(flush_interval=timedelta(0), judge_interval=timedelta(days=1))
    reading = world.new_monitor(pace=pace)
    while not (
        world.all(tables.profiles, system=broken) and world.all(tables.profiles, system=SYSTEM)
    ):
        reading.step(timedelta(milliseconds=20))
    reading.stop()
    whole = set_profile(world, broken, b"no profile")

    judging = world.new_monitor(pace=replace(pace, judge_interval=timedelta(0)))
    while not judged(world, SYSTEM):
        judging.step(timedelta(milliseconds=20))

    assert not judged(world, broken)
    assert aside(world, broken) == 1
    assert not aside(world, SYSTEM)
    with pytest.raises(MalformedRecord):  # who turns by hand is told
        world.settle(judging)

    set_profile(world, broken, whole)
    world.clock.set(world.clock.now() + timedelta(minutes=2))
    world.settle(judging)
    judging.stop()
    assert judged(world, broken)
    assert aside(world, broken) == 0


def set_profile(world: Any, system: str, profile: bytes) -> bytes:
    """Store other bytes in place of a system's one profile; return those that were there."""
    (row,) = world.all(tables.profiles, system=system)
    with world.database.transaction() as c:
        c.execute(
            sa.update(tables.profiles)
            .where(tables.profiles.c.system == system)
            .values(profile=profile)
        )
    found: bytes = row.profile
    return found
