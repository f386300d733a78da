"""One alerting service over a real SQLite database, called over real HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from watchkeeper_alerting.testing.service import RunningService, StillClock, running
from watchkeeper_shared.db.engine import open_engine
from watchkeeper_shared.db.tables import metadata
from watchkeeper_shared.db.unit_of_work import Database


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(open_engine(f"sqlite:///{tmp_path}/watch.db"))
    metadata.create_all(opened.engine)
    yield opened
    opened.close()


@pytest.fixture
def service(database: Database, clock: StillClock) -> Iterator[RunningService]:
    with running(database, clock) as made:
        yield made
