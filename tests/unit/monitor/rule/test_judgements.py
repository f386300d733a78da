"""Which rule looks at which value, and that nothing goes unjudged or unsaid."""

from __future__ import annotations

from typing import Any

import pytest

from watchkeeper_monitor.metrics import Census, Rate, Value
from watchkeeper_monitor.rule.judgements import judge, looks_at
from watchkeeper_shared.specs import OversightPolicy, Rule
from watchkeeper_shared.states import State

FEATURES = ("AGE", "JOB")


def value(metric: str = "psi", column: str = "AGE", segment: str = "", **more: Any) -> Value:
    known: dict[str, Any] = {"value": 0.1, "low": None, "high": None, "n": 1000}
    return Value(metric, column, segment, **(known | more))


def policy(*rules: Rule) -> OversightPolicy:
    return OversightPolicy(systems=("loans",), rules=rules)


@pytest.mark.parametrize(
    ("rule", "seen"),
    [
        ({"columns": ("*",)}, ["AGE", "JOB"]),
        ({"columns": ("JOB", "score")}, ["JOB", "score"]),
        ({}, ["AGE", "JOB", "score"]),
        ({"attribute": "SEX"}, []),
    ],
)
def test_a_rule_looks_at_the_columns_that_it_names(rule: dict[str, Any], seen: list[str]) -> None:
    one = Rule(id="r", metric="psi", **rule)
    values = [value(column=column) for column in ("AGE", "JOB", "score")]

    assert [each.column for each in values if looks_at(one, each, FEATURES)] == seen


def test_a_rule_looks_at_its_segments_and_otherwise_at_the_whole() -> None:
    whole = Rule(id="r", metric="accuracy")
    women = Rule(id="r", metric="accuracy", segments=("SEX=2",))
    values = [value("accuracy", "", ""), value("accuracy", "", "SEX=2")]

    assert [looks_at(whole, each, FEATURES) for each in values] == [True, False]
    assert [looks_at(women, each, FEATURES) for each in values] == [False, True]


def test_what_no_rule_looks_at_is_kept_without_limits() -> None:
    (found,) = judge([value()], None, FEATURES, "ref")

    assert (found.series.rule, found.warn, found.breach, found.state) == ("", None, None, State.OK)


def test_two_rules_on_one_value_are_two_measurements() -> None:
    rules = Rule(id="a", metric="psi", breach=0.2), Rule(id="b", metric="psi", breach=0.3)

    found = judge([value()], policy(*rules), FEATURES, "ref")

    assert [(one.series.rule, one.breach) for one in found] == [("a", 0.2), ("b", 0.3)]


def test_a_rule_that_looks_at_nothing_is_an_error() -> None:
    found = judge([value()], policy(Rule(id="r", metric="accuracy")), FEATURES, None)

    assert [(one.series.rule, one.state) for one in found] == [
        ("", State.OK),
        ("r", State.ERROR),
    ]


def test_each_group_of_a_rule_that_nothing_measures_is_an_error_by_its_name() -> None:
    seen = value("selection_rate", "SEX", segment="SEX=2")
    rule = Rule(id="r", metric="selection_rate", segments=("SEX=2", "SEX=9"), breach=0.5)

    found = judge([seen], policy(rule), FEATURES, None)

    assert [(one.series.segment, one.state is State.ERROR) for one in found] == [
        ("SEX=2", False),
        ("SEX=9", True),
    ]
    assert "SEX=9" in found[1].reason


def test_a_count_of_nothing_is_no_data_unless_a_limit_says_more() -> None:
    nothing = value("volume", "", value=0.0, n=0, test=Census())
    least = Rule(id="few", metric="volume", below=True, breach=10, min_rows=1)

    (free,) = judge([nothing], None, FEATURES, None)
    (limited,) = judge([nothing], policy(least), FEATURES, None)

    assert free.state is State.NO_DATA
    assert limited.state in (State.BREACH, State.INSUFFICIENT)


def test_more_series_ask_for_more_evidence() -> None:
    rule = Rule(id="r", metric="missing_share", breach=0.1, min_rows=1)
    rate = Rate(150, 1000)
    one = value("missing_share", "AGE", value=0.15, test=rate)
    many = [value("missing_share", f"F{number}", value=0.15, test=rate) for number in range(40_000)]

    (alone,) = judge([one], policy(rule), FEATURES, None)
    crowd = judge(many, policy(rule), FEATURES, None)

    assert alone.state is State.BREACH
    assert crowd[0].state is not State.BREACH


def test_the_reference_is_named_where_it_was_compared_with() -> None:
    compared, alone = judge([value(reference_n=4000), value("volume", "")], None, FEATURES, "ref")

    assert (compared.reference, compared.reference_n) == ("ref", 4000)
    assert alone.reference is None
