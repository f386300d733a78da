"""What the console computes: charts without inventions, the worst state first, safe sessions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from watchkeeper_alerting.console.access import local
from watchkeeper_alerting.console.charts import (
    BOTTOM,
    HEIGHT,
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    chart,
    ticks,
)
from watchkeeper_alerting.console.overview import fleet, tables
from watchkeeper_alerting.console.series import chosen_series, one_a_series, series_of
from watchkeeper_alerting.console.sessions import Sessions
from watchkeeper_alerting.store.measurements import Measurement, Tally
from watchkeeper_shared.specs import AISystem, Owner, Task
from watchkeeper_shared.testing.clocks import ManualClock

DAY = datetime(2026, 11, 1, tzinfo=UTC)


def tally(state: str = "ok", count: int = 1, **changes: Any) -> Tally:
    values = {"system": "credit", "metric": "accuracy", "rule": "r", "window_end": DAY}
    return Tally(**{**values, **changes}, state=state, count=count)


def measured(day: int = 0, value: float | None = 0.8, **changes: Any) -> Measurement:
    values: dict[str, Any] = {
        "system": "credit",
        "version": "1",
        "policy": "p",
        "policy_hash": "h",
        "rule": "r",
        "metric": "accuracy",
        "column": "",
        "segment": "",
        "window_start": DAY + timedelta(days=day),
        "window_end": DAY + timedelta(days=day + 1),
        "revision": 1,
        "status": "final",
        "value": value,
        "low": None if value is None else value - 0.1,
        "high": None if value is None else value + 0.1,
        "n": 100,
        "reference": None,
        "reference_n": None,
        "warn": 0.75,
        "breach": 0.7,
        "state": "ok",
        "reason": "",
        "computed_at": DAY,
        **changes,
    }
    return Measurement(**values)


def a_system() -> AISystem:
    owner = Owner(team="risk", contact="risk@example.org")
    return AISystem(owner=owner, purpose="x", task=Task.BINARY, features={})


def test_a_line_is_broken_where_nothing_was_measured() -> None:
    drawn = chart([measured(0), measured(1), measured(2, None), measured(3), measured(4)])

    assert drawn is not None
    assert len(drawn.lines) == len(drawn.bands) == 2
    assert len(drawn.marks) == 4


@pytest.mark.parametrize("values", [[0.5], [0.0, 0.0], [-1e9, 1e9], [1e-12, 2e-12], [5.0] * 3])
def test_everything_drawn_lies_inside_the_picture(values: list[float]) -> None:
    series = [measured(day, value) for day, value in enumerate(values)]

    drawn = chart(series)

    assert drawn is not None
    for mark in drawn.marks:
        assert LEFT <= mark.x <= WIDTH - RIGHT
        assert TOP <= mark.y <= HEIGHT - BOTTOM
    for line in (drawn.warn, drawn.breach, *drawn.grid):
        assert line is not None
        assert TOP <= line.y <= HEIGHT - BOTTOM + 0.1


def test_a_series_without_any_value_has_no_picture() -> None:
    assert chart([measured(0, None), measured(1, None)]) is None


def test_ticks_are_round_and_inside() -> None:
    assert ticks(0.713, 0.874) == [0.75, 0.8, 0.85]
    assert ticks(-3, 12) == [0.0, 5.0, 10.0]


def test_the_fleet_shows_the_worst_state_of_what_has_a_rule() -> None:
    found = [
        tally(count=7),
        tally(metric="f1", state="breach"),
        tally(metric="psi", rule="", count=20),
        tally(metric="missing_share", state="insufficient", count=2),
    ]

    rows = fleet({"credit": a_system(), "idle": a_system()}, found, {("idle", "critical"): 1}, {})

    assert [row.name for row in rows] == ["idle", "credit"]
    assert [(str(one.family), one.state, one.count, one.of) for one in rows[1].families] == [
        ("drift", "no_limit", 20, 20),
        ("data quality", "insufficient", 2, 2),
        ("performance", "breach", 1, 8),
        ("fairness", "no_data", 0, 0),
    ]
    assert {one.state for one in rows[0].families} == {"no_data"}


def test_a_breach_that_is_open_is_not_hidden_by_a_window_with_too_little_data() -> None:
    found = [tally(metric="psi", state="no_data")]

    (row,) = fleet({"credit": a_system()}, found, {}, {}, {("credit", "psi"): 1})

    assert (str(row.families[0].family), row.families[0].state) == ("drift", "breach")


def test_in_a_table_what_needs_eyes_comes_first_and_what_has_no_rule_stands_apart() -> None:
    (table,) = tables(
        [
            measured(metric="f1", rule=""),
            measured(metric="recall", state="ok"),
            measured(metric="accuracy", state="warn"),
            measured(metric="brier", state="breach"),
        ]
    )

    assert [one.metric for one in table.judged] == ["brier", "accuracy", "recall"]
    assert [one.metric for one in table.unjudged] == ["f1"]
    assert table.states == (("breach", 1), ("warn", 1), ("ok", 1), ("no_limit", 1))


def test_a_line_joins_windows_of_one_policy_and_version_only() -> None:
    newest = [
        measured(policy="yearly", rule=""),
        measured(policy="daily", rule="accuracy"),
        measured(policy="daily", version="2", rule="accuracy"),
    ]

    assert chosen_series(newest, None, "1") == newest[1]
    assert chosen_series(newest, "yearly", None) == newest[0]
    assert chosen_series(newest, "weekly", None) is None
    assert [series_of(one) for one in one_a_series(newest)] == [
        ("daily", "1"),
        ("daily", "2"),
        ("yearly", "1"),
    ]


@pytest.mark.parametrize(
    "path",
    ["https://evil.example", "//evil.example", "/\\evil.example", "\\\\x", "/\t/x", "", "x"],
)
def test_a_login_never_leads_to_another_site(path: str) -> None:
    assert local(path) == "/"


def test_a_session_ends_and_cannot_be_guessed() -> None:
    clock = ManualClock()
    sessions = Sessions(clock, timedelta(hours=1))
    one, other = sessions.open("token-1"), sessions.open("token-2")

    assert one != other
    assert len(one) >= 43
    assert (sessions.token(one), sessions.token("guess")) == ("token-1", None)
    sessions.close(other)
    assert sessions.token(other) is None
    clock.advance(timedelta(hours=1))
    assert sessions.token(one) is None
