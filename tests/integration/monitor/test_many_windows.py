"""However many windows lie over what changed, each is judged once, and those after it too."""

from __future__ import annotations

from typing import Any

import pytest

from watchkeeper_monitor.judge import agenda
from watchkeeper_monitor.judge.judge import WINDOWS_AT_ONCE
from watchkeeper_shared.db import tables

RULES = [{"id": "accuracy", "metric": "accuracy", "below": True, "breach": 0.7, "min_rows": 5}]
LATER = 5


def unjudged(world: Any) -> list[Any]:
    return [pane for pane in world.all(tables.panes) if pane.changed != pane.judged]


@pytest.mark.parametrize(("policies", "step"), [(1, "30m"), (2, "1h")])
def test_a_pane_may_be_in_more_windows_than_are_judged_at_once(
    referenced: Any, policies: int, step: str
) -> None:
    window = {"size": "1d", "step": step, "lateness": "1h"}
    for number in range(policies):
        name = "loans" if number == 0 else f"loans-{number}"
        spec = {"systems": ["loans"], "window": window, "rules": RULES}
        referenced.apply("OversightPolicy", name, spec)
    ids = referenced.predict(0, 50)
    referenced.go_to(1)
    referenced.settle()
    assert len(referenced.all(tables.windows)) > WINDOWS_AT_ONCE
    assert unjudged(referenced) == []

    referenced.predict(LATER, 50)
    referenced.label(ids[:5], ["1"] * 5)
    referenced.go_to(LATER + 2)
    referenced.settle()

    assert unjudged(referenced) == []
    newest = max(row.start for row in referenced.all(tables.windows) if row.rows)
    assert newest.date() == referenced.batch(LATER, 1).column("time")[0].as_py().date()


def test_more_panes_may_change_than_one_agenda_is_made_of(
    referenced: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agenda, "MOST_PANES", 3)
    referenced.policy(RULES, window={"size": "1d", "step": "6h", "lateness": "1h"})
    for day in range(4):
        referenced.predict(day, 50)
    referenced.go_to(6)
    referenced.settle()

    assert unjudged(referenced) == []
    assert sum(row.rows for row in referenced.all(tables.windows)) == 4 * 50 * 4
    assert {row.revision for row in referenced.all(tables.windows)} == {1}


def test_labels_of_two_months_at_once_hold_up_no_later_day(referenced: Any) -> None:
    days = 62
    referenced.policy(RULES)
    ids = [one for day in range(days) for one in referenced.predict(day, 20)]
    referenced.go_to(days)
    referenced.settle()

    settled = {row.start for row in referenced.all(tables.windows, status="final") if row.rows}
    assert len(settled) > WINDOWS_AT_ONCE

    referenced.label(ids, [str(referenced.said[one]) for one in ids])
    referenced.predict(days + 1, 20)
    referenced.go_to(days + 3)
    referenced.settle()

    assert unjudged(referenced) == []
    assert {row.start for row in referenced.all(tables.windows, status="amended")} == settled
    assert referenced.now_measured("accuracy", 0).value == 1.0
    assert referenced.now_measured("volume", days + 1).value == 20
