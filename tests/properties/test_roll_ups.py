"""A window is answered by the merge of its panes, whatever was rolled up, or not at all."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import timedelta

import numpy as np
import pyarrow as pa
import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from watchkeeper_monitor.grids import Grid
from watchkeeper_monitor.profiles import Profile
from watchkeeper_monitor.references.baselines import Baseline
from watchkeeper_monitor.references.reference import add_rows
from watchkeeper_monitor.store import panes, reading, rollups
from watchkeeper_monitor.store.panes import PaneKey
from watchkeeper_monitor.windows.resolution import DAY, HOUR
from watchkeeper_monitor.windows.spans import EPOCH, Span
from watchkeeper_shared.db.engine import open_engine
from watchkeeper_shared.db.migrations import upgrade
from watchkeeper_shared.db.unit_of_work import Database
from watchkeeper_shared.errors import NotHeld
from watchkeeper_shared.testing.builders import a_system


def rows_of(n: int, seed: int) -> pa.RecordBatch:
    rng = np.random.default_rng(seed)
    return pa.record_batch(
        {
            "features.AGEP": pa.array(rng.lognormal(3, 1, n)),
            "features.RELP": pa.array(rng.choice(["0", "1", "new"], n)),
            "score": pa.array(rng.uniform(size=n)),
            "prediction": pa.array(rng.integers(0, 2, n)),
            "label": pa.array(rng.integers(0, 2, n)),
            "groups.SEX": pa.array(rng.choice(["1", "2"], n)),
            "groups.RAC1P": pa.array(rng.choice(["1", "2"], n)),
        }
    )


def profile_of(batch: pa.RecordBatch) -> Profile:
    profile = Profile.empty(GRID, ("SEX=2",))
    add_rows(profile, batch)
    return profile


GRID = Grid.build(rows_of(500, 0), a_system(), "1")
KEY, VERSION = "reference", "1"
DAYS = 2
PROFILES = [profile_of(rows_of(20, seed)) for seed in range(6)]
BASELINE = Baseline(KEY, GRID, None)
LONG_AFTER = EPOCH + 1000 * DAY
ENDS = EPOCH + DAYS * DAY


class Interrupted(Exception):
    """The process was killed here."""


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    engine = open_engine(f"sqlite:///{tmp_path_factory.mktemp('rolled')}/state.db")
    upgrade(engine)
    yield Database(engine)
    engine.dispose()


def spans(length: timedelta) -> list[Span]:
    starts = range((ENDS - EPOCH) // length)
    return [Span(EPOCH + at * length, EPOCH + (at + 1) * length) for at in starts]


class Stored:
    """What one system has stored, and beside it everything that was ever counted."""

    _numbers = itertools.count()

    def __init__(self, database: Database) -> None:
        self.database = database
        self.system = f"system-{next(self._numbers)}"
        self.counted: list[tuple[Span, Profile]] = []

    def count(self, pane: Span, source: str, profile: Profile) -> None:
        key = PaneKey(self.system, VERSION, KEY, pane)
        with self.database.transaction() as c:
            panes.merge_profile(c, key, source, profile, GRID, profile.rows)
            panes.touch(c, [key])
            panes.judged(c, self.system, panes.dirty(c, self.system, 10), EPOCH + 500 * DAY)
        self.counted.append((pane, profile))

    def roll_up(self, length: timedelta, killed_after: int | None = None) -> None:
        """Roll up everything, or be killed after so many statements of the first transaction."""
        after = None
        while True:
            with self.database.transaction() as c:
                found, after = rollups.cells(c, self.system, length, LONG_AFTER, after)
                if killed_after is not None:
                    kill_after(c, killed_after)
                for cell in found:
                    rollups.roll_up(c, self.system, cell, (), LONG_AFTER, lambda *_: BASELINE)
            if after is None:
                return

    def answer(self, window: Span) -> tuple[bytes, int, int]:
        with self.database.read() as c:
            found = reading.in_window(c, self.system, VERSION, window)
            stamp = reading.stamp(c, self.system, VERSION, window)
        profiles = [Profile.from_bytes(GRID, one.profile) for one in found]
        return merged(profiles), sum(one.rows for one in found), stamp

    def near(self, windows: Sequence[Span]) -> list[Span]:
        """Return the windows in which anything was counted."""
        return [one for one in windows if any(one.overlaps(pane) for pane, _ in self.counted)]

    def truth(self, window: Span) -> tuple[bytes, int, int]:
        mine = [profile for pane, profile in self.counted if window.holds(pane)]
        return merged(mine), sum(one.rows for one in mine), len(mine)


def kill_after(c: sa.Connection, statements: int) -> None:
    left = iter(range(statements))

    def one_more(*_: object) -> None:
        if next(left, None) is None:
            raise Interrupted

    sa.event.listen(c, "before_cursor_execute", one_more)


def merged(parts: Sequence[Profile]) -> bytes:
    whole = Profile.empty(GRID)
    for one in parts:
        whole.merge(one)
    return whole.to_bytes()


LENGTHS = st.sampled_from([timedelta(minutes=minutes) for minutes in (20, 30, 40, 60, 7)])
COUNT = st.tuples(
    st.just("count"),
    st.integers(0, 300),
    st.sampled_from(["predictions/0", "predictions/1", panes.LABELS_SOURCE]),
    st.integers(0, len(PROFILES) - 1),
)
ROLL = st.tuples(st.just("roll"), st.sampled_from([HOUR, DAY]), st.none() | st.integers(0, 30))
ACTS = st.lists(COUNT | COUNT | ROLL, min_size=4, max_size=14)


@settings(max_examples=30)
@given(LENGTHS, ACTS)
def test_every_answer_is_the_merge_of_what_was_counted(
    database: Database, length: timedelta, acts: list[tuple[object, ...]]
) -> None:
    one, places = Stored(database), spans(length)
    for act in acts:
        match act:
            case ("count", int(at), str(source), int(profile)):
                one.count(places[at % len(places)], source, PROFILES[profile])
            case ("roll", timedelta() as cell, killed):
                assert killed is None or isinstance(killed, int)
                with suppress(Interrupted):
                    one.roll_up(cell, killed)

    for size in (timedelta(minutes=10), timedelta(minutes=20), length, HOUR, 2 * HOUR):
        for window in one.near(spans(size)):
            with suppress(NotHeld):
                assert one.answer(window) == one.truth(window)
    for window in (*spans(DAY), Span(EPOCH, ENDS)):
        if not (DAY % length):
            assert one.answer(window) == one.truth(window)


@settings(max_examples=20)
@given(st.permutations([HOUR, HOUR, DAY]), st.lists(st.integers(0, 143), max_size=12))
def test_order_and_repetition_of_roll_ups_change_nothing(
    database: Database, order: list[timedelta], places: list[int]
) -> None:
    by_any, by_hours = Stored(database), Stored(database)
    for one in (by_any, by_hours):
        for seed, at in enumerate(places):
            pane = spans(timedelta(minutes=20))[at]
            one.count(pane, "predictions/0", PROFILES[seed % len(PROFILES)])

    for length in order:
        by_any.roll_up(length)
    by_hours.roll_up(DAY)

    assert content(by_any) == content(by_hours)


def content(one: Stored) -> list[tuple[object, ...]]:
    with one.database.read() as c:
        rows = list(reading.between(c, one.system, VERSION, EPOCH, ENDS))
        return [(span, stored.rows, stored.profile) for span, stored in rows]
