"""One alerting service over a real SQLite database, called over real HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from watchkeeper_alerting.testing.service import RunningService, running
from watchkeeper_shared.db.engine import open_engine
from watchkeeper_shared.db.tables import metadata
from watchkeeper_shared.db.unit_of_work import Database
from watchkeeper_shared.testing.clocks import ManualClock


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(datetime(2026, 11, 23, 12, tzinfo=UTC))


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(open_engine(f"sqlite:///{tmp_path}/watch.db"))
    metadata.create_all(opened.engine)
    yield opened
    opened.close()


@pytest.fixture
def service(database: Database, clock: ManualClock) -> Iterator[RunningService]:
    with running(database, clock) as made:
        yield made
