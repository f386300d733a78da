"""An estimate may open a breach; only labels end it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from watchkeeper_monitor.rule.confirming import Said, confirmed
from watchkeeper_monitor.rule.judgements import Series
from watchkeeper_monitor.rule.stretches import Point, Stretch, fold
from watchkeeper_shared.specs import Clear, Rule
from watchkeeper_shared.states import State

DAYS = [datetime(2026, 3, day, tzinfo=UTC) for day in range(1, 6)]
RULE = Rule(id="early", metric="estimated_accuracy", below=True, breach=0.8)
SERIES = Series("early", "estimated_accuracy", "", "")
POINTS = [
    Point(DAYS[0], State.OK, 0.9),
    Point(DAYS[1], State.BREACH, 0.7),
    Point(DAYS[2], State.OK, 0.9),
    Point(DAYS[3], State.OK, 0.9),
]


def stretches(said: Said, rule: Rule = RULE) -> list[Stretch]:
    return fold(confirmed(SERIES, POINTS, rule, {("accuracy", ""): said}), rule)


def test_without_labels_a_good_estimate_ends_nothing() -> None:
    assert stretches({}) == [Stretch(DAYS[1])]


def test_labels_that_agree_end_it_in_their_window() -> None:
    said = {DAYS[3]: [(State.OK, 0.88)]}

    assert stretches(said) == [Stretch(DAYS[1], DAYS[3])]


@pytest.mark.parametrize(
    ("state", "value"),
    [
        (State.BREACH, 0.7),
        (State.WARN, 0.79),
        (State.OK, 0.79),
        (State.INSUFFICIENT, 0.9),
        (State.NO_DATA, None),
    ],
)
def test_labels_that_do_not_agree_or_say_too_little_end_nothing(
    state: State, value: float | None
) -> None:
    said = {day: [(state, value)] for day in DAYS}

    assert stretches(said) == [Stretch(DAYS[1])]


def test_every_rule_on_the_realised_metric_must_be_content() -> None:
    said = {day: [(State.OK, 0.9), (State.BREACH, 0.9)] for day in DAYS}

    assert stretches(said) == [Stretch(DAYS[1])]


def test_the_clear_limit_holds_for_labels_too() -> None:
    strict = Rule(
        id="early", metric="estimated_accuracy", below=True, breach=0.8, clear=Clear(limit=0.85)
    )

    assert stretches({day: [(State.OK, 0.84)] for day in DAYS}, strict) == [Stretch(DAYS[1])]
    assert stretches({day: [(State.OK, 0.86)] for day in DAYS}, strict) == [
        Stretch(DAYS[1], DAYS[2])
    ]


def test_a_pool_that_is_calm_again_needs_labels_too() -> None:
    points = [
        Point(DAYS[0], State.BREACH, 0.9, scale=2),
        Point(DAYS[1], State.OK, 0.9),
        Point(DAYS[2], State.OK, 0.9, calm=2),
    ]
    said = {("accuracy", ""): {DAYS[2]: [(State.OK, 0.9)]}}

    assert fold(confirmed(SERIES, points, RULE, {}), RULE) == [Stretch(DAYS[0])]
    assert fold(confirmed(SERIES, points, RULE, said), RULE) == [Stretch(DAYS[0], DAYS[2])]


def test_a_realised_metric_needs_nobody_to_agree() -> None:
    series = Series("accuracy", "accuracy", "", "")

    assert confirmed(series, POINTS, RULE, {}) == POINTS
