"""Which hours and days may become one row, and which windows can still be answered."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from watchkeeper_monitor.settings import MonitorSettings, Retention
from watchkeeper_monitor.windows.resolution import (
    DAY,
    HOUR,
    Held,
    Resolution,
    Resting,
    cell_of,
    may_roll_up,
)
from watchkeeper_monitor.windows.spans import EPOCH, Span
from watchkeeper_shared.errors import ConfigError
from watchkeeper_shared.settings import read

ELSE = {"DATABASE_URL": "sqlite:////data/watchkeeper.db", "KAFKA_BOOTSTRAP": "localhost:9092"}
MINUTE = timedelta(minutes=1)
CELL = Span(EPOCH, EPOCH + HOUR)
JUDGED, BEFORE = EPOCH + DAY, EPOCH + 2 * DAY


def pane(start: int, end: int) -> Resting:
    return Resting(Span(EPOCH + start * MINUTE, EPOCH + end * MINUTE), Held.PANE, JUDGED)


HALVES = [pane(0, 30), pane(30, 60)]


def test_an_hour_of_panes_that_rest_becomes_one_row() -> None:
    assert may_roll_up(CELL, HALVES, [], BEFORE)
    assert may_roll_up(CELL, HALVES[:1], [], BEFORE)


@pytest.mark.parametrize(
    "changed",
    [
        replace(HALVES[1], judged_at=None),
        replace(HALVES[1], judged_at=BEFORE),
        replace(HALVES[1], held=Held.GONE),
        pane(40, 80),
    ],
    ids=["changes", "rests too short", "was dropped", "reaches into the next hour"],
)
def test_one_pane_holds_its_whole_hour(changed: Resting) -> None:
    assert not may_roll_up(CELL, [HALVES[0], changed], [], BEFORE)


def test_a_window_that_is_not_final_holds_what_it_is_made_of() -> None:
    assert not may_roll_up(CELL, HALVES, [Span(EPOCH - HOUR, EPOCH + MINUTE)], BEFORE)
    assert may_roll_up(CELL, HALVES, [Span(EPOCH - HOUR, EPOCH)], BEFORE)


def test_an_hour_that_is_one_row_already_or_not_over_stays() -> None:
    assert not may_roll_up(CELL, [pane(0, 60)], [], BEFORE)
    assert not may_roll_up(CELL, HALVES, [], CELL.end - MINUTE)


def test_a_window_is_held_unless_an_edge_lies_in_a_roll_up() -> None:
    first = Resting(CELL, Held.ROLLED, JUDGED)
    held = Resolution([first, replace(first, span=Span(CELL.end, CELL.end + DAY))])

    assert held.holds(CELL)
    assert held.holds(Span(EPOCH - HOUR, CELL.end + DAY))
    assert held.holds(Span(CELL.end + DAY, CELL.end + DAY + MINUTE))
    assert "PANE_RETENTION" in held.why_not(Span(EPOCH, EPOCH + 30 * MINUTE))
    assert "PANE_RETENTION" in held.why_not(Span(EPOCH, CELL.end + HOUR))


def test_what_reaches_into_dropped_time_is_not_held() -> None:
    held = Resolution([Resting(CELL, Held.GONE, JUDGED)])

    assert held.gone == (CELL,)
    assert held.holds(Span(CELL.end, CELL.end + HOUR))
    assert "DAY_RETENTION" in held.why_not(Span(EPOCH - DAY, EPOCH + DAY))


def test_time_before_1970_is_in_hours_and_days_too() -> None:
    assert cell_of(EPOCH - MINUTE, DAY) == Span(EPOCH - DAY, EPOCH)


def settings(**changes: str) -> MonitorSettings:
    return read(
        MonitorSettings, {f"WATCHKEEPER_{name}": one for name, one in (ELSE | changes).items()}
    )


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"PANE_RETENTION": "30d", "SAMPLE_RETENTION": "30d"}, "WATCHKEEPER_LABEL_HORIZON"),
        ({"SAMPLE_RETENTION": "91d"}, "WATCHKEEPER_SAMPLE_RETENTION"),
        ({"DAY_RETENTION": "100d"}, "WATCHKEEPER_HOUR_RETENTION"),
    ],
)
def test_retentions_that_contradict_each_other_are_refused(
    changes: dict[str, str], told: str
) -> None:
    with pytest.raises(ConfigError, match=told):
        settings(**changes)


def test_a_shorter_horizon_of_labels_allows_shorter_retentions() -> None:
    names = ("LABEL_HORIZON", "LABEL_PATIENCE", "PANE_RETENTION", "SAMPLE_RETENTION")

    found = settings(**dict.fromkeys(names, "7d"))

    assert found.pane_retention == found.label_horizon == timedelta(days=7)
    assert found.hour_retention == Retention().hour_retention
