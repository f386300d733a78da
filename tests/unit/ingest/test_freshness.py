"""When it is certain that what was declared is newer than a request."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from watchkeeper_ingest.freshness import Freshness
from watchkeeper_shared.db.engine import open_engine
from watchkeeper_shared.db.registry import Registry
from watchkeeper_shared.db.tables import metadata
from watchkeeper_shared.db.unit_of_work import Database
from watchkeeper_shared.testing.clocks import ManualClock

AGE = timedelta(seconds=1)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(open_engine(f"sqlite:///{tmp_path}/w.db"))
    yield opened
    opened.close()


def test_a_reading_counts_only_when_it_must_have_begun_after_the_moment(database: Database) -> None:
    metadata.create_all(database.engine)
    clock = ManualClock()
    freshness = Freshness(Registry(database, clock, AGE), clock, AGE)
    waiting = freshness.past(clock.monotonic())

    # Within the registry's age this refresh may have done nothing.
    freshness.refresh()
    too_early = waiting.done()
    clock.advance(AGE)
    freshness.refresh()

    assert not too_early
    assert waiting.done()


def test_a_reading_that_failed_makes_nothing_fresh(tmp_path: Path) -> None:
    clock = ManualClock()
    folder = tmp_path / "gone"
    folder.mkdir()
    nowhere = Database(open_engine(f"sqlite:///{folder}/w.db"))
    folder.rmdir()
    freshness = Freshness(Registry(nowhere, clock, AGE), clock, AGE)
    waiting = freshness.past(clock.monotonic())
    clock.advance(2 * AGE)

    freshness.refresh()

    assert not waiting.done()
    nowhere.close()
