"""What becomes of what was measured when people change what they approved."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from watchkeeper_shared.db import tables


def test_rows_after_a_new_reference_are_judged_against_it(referenced: Any) -> None:
    referenced.predict(0)
    referenced.settle()
    first = referenced.now_measured("psi", 0, "AGE").reference
    referenced.clock.advance(timedelta(minutes=1))
    with referenced.database.transaction() as c:
        c.execute(tables.references.update().values(current=False))
    second = referenced.approve_reference(rows=3000)
    referenced.go_to(2)
    referenced.predict(1)
    referenced.settle()

    assert first != second
    assert referenced.now_measured("psi", 0, "AGE").reference == first
    assert referenced.now_measured("psi", 1, "AGE").reference == second


@pytest.mark.parametrize(("late", "volume"), [(1, 400), (500, 500)])
def test_a_window_of_two_references_is_judged_on_the_greater_part(
    referenced: Any, late: int, volume: int
) -> None:
    """A row that came after a new reference must not stand for the four hundred before it."""
    referenced.predict(0, drifted=True)
    referenced.settle()
    referenced.go_to(2)
    referenced.settle()
    told = [kind for kind, _ in referenced.told()]
    with referenced.database.transaction() as c:
        c.execute(tables.references.update().values(current=False))
    referenced.clock.advance(timedelta(minutes=1))
    referenced.approve_reference(rows=3_000)
    referenced.predict(0, rows=late, seed=77, drifted=True)
    referenced.clock.advance(timedelta(minutes=1))
    referenced.settle()

    assert "opened" in told
    assert "withdrawn" not in [kind for kind, _ in referenced.told()]
    assert referenced.now_measured("volume", 0).value == volume


def test_a_reference_approved_late_leaves_earlier_days_measured_without_it(world: Any) -> None:
    world.predict(0)
    world.settle()
    world.approve_reference()
    world.go_to(2)
    world.predict(1)
    world.settle()

    assert world.now_measured("volume", 0).value == 400
    assert world.now_measured("psi", 0, "AGE").value is None
    assert world.now_measured("psi", 1, "AGE").state == "ok"


@pytest.mark.parametrize("step", ["12h", "6h"])
def test_shorter_windows_count_from_the_first_row_after_they_were_approved(
    referenced: Any, step: str
) -> None:
    referenced.predict(0)
    referenced.settle()
    referenced.policy(window={"size": step, "lateness": "1h"})
    referenced.go_to(2)
    referenced.predict(1)
    referenced.settle()

    rows = {
        row.start.hour: row.rows for row in referenced.all(tables.windows) if row.start.day == 3
    }

    assert sum(rows.values()) == 400
    assert len(rows) == timedelta(days=1) // timedelta(hours=int(step[:-1]))
