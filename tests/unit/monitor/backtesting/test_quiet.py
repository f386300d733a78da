"""A series without words is one that the judge would have called ok."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchkeeper_monitor.backtesting.quiet import Corridors, Quiet
from watchkeeper_monitor.backtesting.schedule import schedule
from watchkeeper_monitor.metrics import Census, Rate, Test, TwoSample, Value
from watchkeeper_monitor.rule import judgements
from watchkeeper_monitor.rule.experience import Key
from watchkeeper_monitor.rule.judgements import Pool, Series, Watched
from watchkeeper_monitor.rule.stretches import Point
from watchkeeper_monitor.windows.spans import Span
from watchkeeper_shared.specs import Clear, OversightPolicy, Rule, WindowSpec
from watchkeeper_shared.states import State

START = datetime(2026, 3, 2, tzinfo=UTC)
DAY = timedelta(days=1)
FEATURES = ("AGE", "JOB")
numbers = st.one_of(st.none(), st.sampled_from([0.0, 0.05, 0.1, 0.15, 0.2, 0.5, 0.9]))


@st.composite
def values(draw: st.DrawFn) -> list[Value]:
    found = []
    for metric, column in (("psi", "AGE"), ("psi", "JOB"), ("accuracy", ""), ("volume", "")):
        number, n = draw(numbers), draw(st.sampled_from([0, 20, 600, 5_000]))
        tests: dict[str, Test] = {"psi": TwoSample(90.0, 9), "accuracy": Rate(n // 2, n)}
        test = tests.get(metric, Census())
        kept = None if number is None or not n else test
        found.append(Value(metric, column, "", number, None, None, n, None, kept, "note"))
    return found


rules = st.lists(
    st.sampled_from(
        [
            Rule(id="a", metric="psi", columns=("*",), warn=0.1, breach=0.2),
            Rule(id="b", metric="psi", columns=("AGE",), breach=0.15, clear=Clear(limit=0.05)),
            Rule(id="c", metric="accuracy", below=True, warn=0.2, breach=0.1, min_rows=10),
            Rule(id="d", metric="volume", below=True, breach=0.1),
            Rule(id="e", metric="psi", columns=("JOB",), warn=0.5),
            Rule(id="f", metric="recall", breach=0.5),
        ]
    ),
    unique_by=lambda rule: rule.id,
    min_size=1,
)


@given(values(), values(), values(), rules, st.sampled_from([(), (Series("a", "psi", "AGE", ""),)]))
def test_quiet_and_loud_series_together_are_what_the_judge_says(
    own: list[Value],
    two: list[Value],
    four: list[Value],
    chosen: list[Rule],
    broken: tuple[Series, ...],
) -> None:
    pools = [Pool(2, two), Pool(4, four, broken)]
    policy = OversightPolicy(systems=("s",), rules=tuple(chosen))
    every = judgements.judge(own, policy, FEATURES, None, pools)

    loud = Corridors(chosen, Watched(chosen, FEATURES)).loud(own, pools)

    assert judgements.judge(own, policy, FEATURES, None, pools, only=loud) == [
        one for one in every if loud is None or key(one.series) in loud
    ]
    for one in every:
        if loud is not None and one.series.rule and key(one.series) not in loud:
            rule = next(rule for rule in chosen if rule.id == one.series.rule)
            point = Point(START, one.state, one.value, one.scale, one.calm)
            assert Quiet(START, own, pools).point(one.series, rule) == point


def key(series: Series) -> Key:
    return series.metric, series.column, series.segment


def test_a_series_inside_every_limit_needs_no_words() -> None:
    value = Value("psi", "AGE", "", 0.01, None, None, 5_000, 5_000, TwoSample(9.0, 9))
    rule = Rule(id="b", metric="psi", columns=("AGE",), breach=0.15)
    pools = [Pool(2, [value])]

    assert Corridors([rule], Watched([rule], FEATURES)).loud([value], pools) == set()
    quiet = Quiet(START, [value], pools)
    assert quiet.point(Series("b", "psi", "AGE", ""), rule) == Point(START, State.OK, 0.01, calm=2)
    assert quiet.point(Series("b", "psi", "JOB", ""), rule) is None


def test_a_rule_that_looks_at_nothing_leaves_the_window_to_the_judge() -> None:
    value = Value("psi", "AGE", "", 0.01, None, None, 5_000, 5_000, TwoSample(9.0, 9))
    rule = Rule(id="f", metric="recall", breach=0.5)

    assert Corridors([rule], Watched([rule], FEATURES)).loud([value], []) is None


def panes(*hours: tuple[float, float]) -> list[Span]:
    return [Span(START + a * DAY / 24, START + b * DAY / 24) for a, b in hours]


def test_windows_lie_on_whole_panes_between_the_two_instants() -> None:
    spec = WindowSpec(size="6h", lateness="1h")

    plan = schedule(panes((0, 3), (3, 6), (6, 9), (18, 21)), spec, START, START + DAY)

    hours = [(one.start - START) // timedelta(hours=1) for one in plan.windows]
    assert hours == [0, 6, 12]
    assert not plan.gaps


@pytest.mark.parametrize("size", ["6h", "12h"])
def test_a_pane_across_an_edge_is_named_with_its_window(size: str) -> None:
    spec = WindowSpec(size=size, lateness="1h")

    plan = schedule(panes((0, 3), (3, 15)), spec, START, START + 2 * DAY)

    named = {(gap.span.start, gap.reason) for gap in plan.gaps}
    assert (START, "a pane reaches over an end of the window, so its rows cannot be divided") in (
        named
    )
    assert START not in {window.start for window in plan.windows}


def test_silence_is_replayed_as_long_as_the_judge_watches_it() -> None:
    plan = schedule(panes((0, 24)), WindowSpec(size="1d"), START, START + 30 * DAY)

    assert len(plan.windows) == 1 + 7


def test_no_silence_is_replayed_of_days_on_which_the_system_was_withdrawn() -> None:
    pause = Span(START + 1.5 * DAY, START + 3.5 * DAY)
    held = panes((0, 24), (120, 144))

    plan = schedule(held, WindowSpec(size="1d"), START, START + 7.5 * DAY, pauses=[pause])

    assert [(one.start - START).days for one in plan.windows] == [0, 4, 5, 6]
