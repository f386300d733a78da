"""A breach needs an effect and evidence; anything less says what is lacking."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from watchkeeper_monitor.metrics import (
    Census,
    Estimate,
    Mean,
    Rate,
    RateGap,
    RateRatio,
    Test,
    TwoSample,
    Value,
)
from watchkeeper_monitor.metrics.chisquare import two_sample
from watchkeeper_monitor.metrics.distances import psi
from watchkeeper_monitor.rule.decision import Look, decide, decide_pooled, levels
from watchkeeper_monitor.rule.dispersion import fixed
from watchkeeper_shared.specs import OversightPolicy, Rule
from watchkeeper_shared.states import State

ALPHA = 1e-5


def a_value(
    metric: str, value: float | None, n: int, test: Test | None = None, **changes: Any
) -> Value:
    fields = {
        "low": None,
        "high": None,
        "reference_n": None,
        "note": "",
        "column": "",
        "segment": "",
    }
    return Value(metric=metric, value=value, n=n, test=test, **fields | changes)


def a_rule(metric: str, **changes: Any) -> Rule:
    return Rule(id="r", metric=metric, **changes)


def drifted(value: float, n: int = 1_342, statistic: float = 212.4) -> Value:
    test = TwoSample(statistic, 9)
    return a_value("psi", value, n, test, column="AGEP", reference_n=68_785)


PSI = a_rule("psi", warn=0.1, breach=0.25)
ACCURACY = a_rule("accuracy", below=True, warn=0.82, breach=0.8)


def test_a_breach_says_effect_evidence_level_and_sizes() -> None:
    found = decide(drifted(0.31), PSI, ALPHA)

    assert found.state is State.BREACH
    assert found.reason == (
        "psi of AGEP 0.31 at or above 0.25; chi2 212.4 with 9 degrees of freedom (p 8.3e-41) "
        "passes the level 1e-05 set by the alarm budget; n=1,342 against 68,785"
    )


def test_an_effect_without_evidence_warns_and_says_so() -> None:
    found = decide(drifted(0.31, statistic=20.0), PSI, ALPHA)

    assert found.state is State.WARN
    assert "not enough evidence for a breach" in found.reason


def test_evidence_without_an_effect_is_ok() -> None:
    assert decide(drifted(0.05, statistic=900.0), PSI, ALPHA).state is State.OK


@pytest.mark.parametrize(
    ("value", "state"), [(0.1, State.WARN), (0.0999, State.OK), (0.25, State.BREACH)]
)
def test_a_value_at_its_limit_is_past_it(value: float, state: State) -> None:
    assert decide(drifted(value), PSI, ALPHA).state is state


def test_a_dispersed_series_needs_more_evidence() -> None:
    value = drifted(0.31, statistic=60.0)

    assert decide(value, PSI, ALPHA).state is State.BREACH
    assert decide(value, PSI, ALPHA, lambda: fixed(3.0)).state is State.WARN


def test_too_few_rows_are_insufficient_and_the_rule_may_say_how_many() -> None:
    small = drifted(0.31, n=499)

    found = decide(small, PSI, ALPHA)

    assert found.state is State.INSUFFICIENT
    assert "499 rows where 500 are needed" in found.reason
    assert decide(small, a_rule("psi", breach=0.25, min_rows=100), ALPHA).state is State.BREACH


def test_what_is_known_of_a_value_is_said_where_too_few_rows_judge_it_too() -> None:
    noted = "binning moves it by at most 0.002"
    few = a_value("psi", 0.31, 20, TwoSample(9.0, 9), note=noted)
    gap = RateGap(Rate(1, 600), Rate(2, 600))
    hardly_ever = a_value("recall_difference", 0.01, 1_200, gap, note=noted)

    for value in (few, hardly_ever):
        found = decide(value, None, ALPHA)
        assert (found.state, found.reason[-len(noted) :]) == (State.INSUFFICIENT, noted)


def test_no_rows_are_no_data_and_an_undefined_value_is_insufficient() -> None:
    empty = a_value("psi", None, 0, note="the window has no value in this column")
    one_class = a_value("roc_auc", None, 700, note="all labels are of one class")

    assert decide(empty, PSI, ALPHA).state is State.NO_DATA
    assert "no value in this column" in decide(empty, None, ALPHA).reason
    assert decide(one_class, None, ALPHA).state is State.INSUFFICIENT


def test_without_a_rule_there_is_a_state_and_no_breach() -> None:
    found = decide(drifted(3.0), None, ALPHA)

    assert found.state is State.OK
    assert "no limit is set" in found.reason


@pytest.mark.parametrize(
    ("right", "n", "state"),
    [
        (850, 1_000, State.OK),
        (815, 1_000, State.WARN),
        (795, 1_000, State.WARN),  # past the limit, but 0.8 is not excluded
        (730, 1_000, State.BREACH),
        (79_000, 100_000, State.BREACH),
        (70, 99, State.INSUFFICIENT),
    ],
)
def test_accuracy_breaches_when_the_exact_bound_is_past_the_limit(
    right: int, n: int, state: State
) -> None:
    value = a_value("accuracy", right / n, n, Rate(right, n))

    assert decide(value, ACCURACY, ALPHA).state is state


def test_f1_is_tested_on_its_own_scale() -> None:
    rule = a_rule("f1", below=True, breach=0.8)

    # p = 2/3 is F1 = 0.8: a share just under it is no evidence, one far under is.
    assert decide(a_value("f1", 0.79, 1_000, Rate(653, 1_000, dice=True)), rule, ALPHA).state is (
        State.WARN
    )
    assert decide(a_value("f1", 0.7, 1_000, Rate(538, 1_000, dice=True)), rule, ALPHA).state is (
        State.BREACH
    )


FAIR = a_rule("demographic_parity_ratio", attribute="SEX", below=True, breach=0.8)


def ratio(a: tuple[int, int], b: tuple[int, int], looks: int = 2) -> Value:
    value = (a[0] / a[1]) / (b[0] / b[1])
    test = RateRatio(Rate(*a), Rate(*b), looks)
    return a_value("demographic_parity_ratio", value, a[1] + b[1], test, column="SEX")


@pytest.mark.parametrize(
    ("a", "b", "state"),
    [
        ((700, 5_000), (1_500, 5_000), State.BREACH),
        ((20, 100), (60, 200), State.WARN),  # 0.67, but so it is for fair systems too
        ((290, 1_000), (300, 1_000), State.OK),
        ((5, 60), (300, 1_000), State.INSUFFICIENT),
        ((1, 200), (3, 300), State.INSUFFICIENT),  # 1.6 positives expected
    ],
)
def test_unequal_selection_breaches_only_with_evidence(
    a: tuple[int, int], b: tuple[int, int], state: State
) -> None:
    assert decide(ratio(a, b), FAIR, ALPHA).state is state


def test_one_row_and_one_comparison_are_told_in_the_singular() -> None:
    alone = decide(
        ratio((1, 1), (300, 1_000)),
        a_rule("demographic_parity_ratio", attribute="SEX", below=True, breach=0.8, min_rows=1),
        ALPHA,
    )
    chosen = decide(ratio((700, 5_000), (1_500, 5_000), looks=1), FAIR, ALPHA)

    assert "the smaller group of 1 row can expect only 0.3 positives" in alone.reason
    assert "allowing for 1 comparison)" in chosen.reason


def test_choosing_the_worst_of_many_pairs_costs_evidence() -> None:
    a, b = (200, 1_000), (330, 1_000)

    assert decide(ratio(a, b), FAIR, 1e-3).state is State.BREACH
    assert decide(ratio(a, b, looks=56), FAIR, 1e-3).state is State.WARN


def test_a_gap_in_rates_breaches_with_evidence() -> None:
    rule = a_rule("equal_opportunity_difference", attribute="SEX", breach=0.1)
    wide = RateGap(Rate(900, 1_000), Rate(700, 1_000))

    value = a_value("equal_opportunity_difference", 0.2, 2_000, wide, column="SEX")

    assert decide(value, rule, ALPHA).state is State.BREACH
    assert "score test" in decide(value, rule, ALPHA).reason


def test_means_and_estimates_are_tested_with_their_errors() -> None:
    brier = a_value("brier", 0.3, 1_000, Mean(300.0, 120.0, 1_000))
    auc = a_value("roc_auc", 0.70, 1_000, Estimate(0.70, 0.02, bound=0.001))

    assert decide(brier, a_rule("brier", breach=0.25), ALPHA).state is State.BREACH
    assert decide(brier, a_rule("brier", breach=0.295), ALPHA).state is State.WARN
    assert decide(auc, a_rule("roc_auc", below=True, breach=0.8), ALPHA).state is State.BREACH
    assert decide(auc, a_rule("roc_auc", below=True, breach=0.75), ALPHA).state is State.WARN


def test_what_binning_may_hide_counts_against_a_breach() -> None:
    coarse = a_value("roc_auc", 0.70, 1_000, Estimate(0.70, 0.001, bound=0.06))

    assert decide(coarse, a_rule("roc_auc", below=True, breach=0.75), ALPHA).state is State.WARN


def test_a_plain_count_needs_no_test_and_silence_can_breach() -> None:
    found = decide(
        a_value("volume", 0.0, 0, Census()), a_rule("volume", below=True, breach=10), ALPHA
    )

    assert found.state is State.BREACH
    assert "every row was counted" in found.reason


def test_a_pool_of_windows_can_breach_where_the_window_alone_cannot() -> None:
    own, pool = drifted(0.3, statistic=20.0), drifted(0.27, n=10_000, statistic=300.0)

    found = decide_pooled(Look(1, own), [Look(8, pool)], PSI, ALPHA)

    assert found.state is State.BREACH
    assert found.reason.startswith("over the last 8 windows: psi of AGEP 0.27")
    assert decide_pooled(Look(1, own), [], PSI, ALPHA).state is State.WARN


def test_the_level_shares_the_alarm_budget_among_the_series() -> None:
    policy = OversightPolicy(systems=("a",), alarm_budget=1_000)

    assert levels(policy, 20) == pytest.approx(2.5e-5)
    assert levels(policy, 0) == levels(policy, 1)


def test_windows_like_the_reference_hardly_ever_breach() -> None:
    """500 windows of 20 features in control: fixed limits alone cry wolf, this does not."""
    rng = np.random.default_rng(42001)
    alpha = levels(OversightPolicy(systems=("a",)), 20)
    rule = a_rule("psi", breach=0.05, min_rows=100)
    past = breaches = 0
    for _ in range(500):
        reference = rng.multinomial(10_000, np.full(10, 0.1))
        window = rng.multinomial(200, np.full(10, 0.1))
        value = a_value("psi", psi(window, reference)[0], 200, two_sample(window, reference))
        past += value.value is not None and value.value >= 0.05
        breaches += decide(value, rule, alpha).state is State.BREACH

    assert past > 100
    assert breaches == 0


def test_a_real_shift_is_found_in_its_first_window() -> None:
    rng = np.random.default_rng(7)
    shares = np.array([0.04, 0.06, 0.08, 0.09, 0.1, 0.1, 0.11, 0.12, 0.13, 0.17])
    reference, window = rng.multinomial(10_000, np.full(10, 0.1)), rng.multinomial(1_000, shares)
    value = a_value("psi", psi(window, reference)[0], 1_000, two_sample(window, reference))

    assert decide(value, a_rule("psi", breach=0.1), 5e-5).state is State.BREACH
