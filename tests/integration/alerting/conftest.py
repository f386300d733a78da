"""One alerting service over a real database of each kind, called over real HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from watchkeeper_alerting.testing.service import RunningService, running
from watchkeeper_shared.db.unit_of_work import Database
from watchkeeper_shared.testing.clocks import ManualClock


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(datetime(2026, 11, 23, 12, tzinfo=UTC))


@pytest.fixture
def service(database: Database, clock: ManualClock) -> Iterator[RunningService]:
    with running(database, clock) as made:
        yield made
