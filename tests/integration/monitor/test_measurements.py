"""What was measured comes back as it was written, on each database."""

from __future__ import annotations

import math

from watchkeeper_monitor.rule.judgements import Measurement, Pooled, Series
from watchkeeper_monitor.store import measurements, settled
from watchkeeper_monitor.store.windows import Judged, Scope
from watchkeeper_monitor.windows.resolution import DAY
from watchkeeper_monitor.windows.spans import EPOCH, Span, Status
from watchkeeper_shared.db.unit_of_work import Database
from watchkeeper_shared.states import State

SCOPE = Scope("credit", "loans", "1")
SERIES = Series("late", "mean", "AGE", "")
WINDOW = Span(EPOCH, EPOCH + DAY)


def measured(pooled: Pooled) -> Measurement:
    return Measurement(
        SERIES, 0.1, 0.0, 0.2, 10, None, None, None, 1.0, State.BREACH, "", 2, 0, pooled
    )


def stored(database: Database, one: Measurement) -> Measurement:
    judged = Judged(WINDOW, 1, Status.FINAL, 10, "", EPOCH)
    with database.transaction() as c:
        measurements.replace(c, SCOPE, "hash", judged, [one])
        found = settled.standing(c, SCOPE, SERIES, None)
    assert found is not None
    return found.measurement


def test_what_windows_say_together_comes_back(database: Database) -> None:
    one = measured(Pooled(2.5, 1.5, 3.5, 20))

    assert stored(database, one) == one


def test_what_is_not_finite_of_it_is_not_known(database: Database) -> None:
    found = stored(database, measured(Pooled(math.nan, -math.inf, 3.5, 20)))

    assert found.pooled == Pooled(None, None, 3.5, 20)
    with database.read() as c:
        (points,) = settled.points(c, SCOPE, EPOCH).values()
    assert [one.value for one in points] == [None]
