"""Pools see what lasts; what one part of a pool shows by itself is no evidence of that."""

from __future__ import annotations

from typing import Any

import pytest

from watchkeeper_monitor.metrics import Census, Rate, Test, TwoSample, Value
from watchkeeper_monitor.rule.decision import Judgement, Look, decide_pooled
from watchkeeper_monitor.rule.judgements import Pool, Series, Watched, judge, sights_of
from watchkeeper_shared.specs import Clear, OversightPolicy, Rule
from watchkeeper_shared.states import State

ALPHA = 1e-5
RULE = Rule(id="r", metric="accuracy", below=True, breach=0.8, min_rows=100)


def accuracy(right: int, n: int) -> Value:
    return Value("accuracy", "", "", right / n, None, None, n, None, Rate(right, n))


def pooled(own: Value, *pools: Look, rule: Rule = RULE) -> Judgement:
    return decide_pooled(Look(1, own), pools, rule, ALPHA)


def test_the_smallest_pool_that_breaches_decides_and_says_so() -> None:
    found = pooled(
        accuracy(155, 200),
        Look(2, accuracy(310, 400)),
        Look(4, accuracy(570, 800)),
        Look(8, accuracy(1_100, 1_600)),
    )

    assert (found.state, found.scale) == (State.BREACH, 4)
    assert found.reason.startswith("over the last 4 windows: accuracy 0.7125 at or below 0.8")


def test_a_window_that_breaches_alone_needs_no_pool() -> None:
    found = pooled(accuracy(100, 200), Look(2, accuracy(200, 400)))

    assert (found.state, found.scale, found.calm) == (State.BREACH, 1, 0)


def test_a_group_too_small_in_one_window_counts_in_the_pools() -> None:
    assert pooled(accuracy(20, 40)).state is State.INSUFFICIENT
    assert pooled(accuracy(20, 40), Look(8, accuracy(160, 320))).state is State.BREACH


def test_without_a_breach_the_windows_own_judgement_stands() -> None:
    found = pooled(accuracy(20, 40), Look(8, accuracy(310, 320)))

    assert (found.state, found.calm) == (State.INSUFFICIENT, 8)


def test_calm_names_each_scale_inside_the_clear_limit() -> None:
    rule = Rule(
        id="r", metric="accuracy", below=True, breach=0.8, min_rows=100, clear=Clear(limit=0.85)
    )
    pools = [
        Look(2, accuracy(350, 400)),  # 0.875
        Look(4, accuracy(660, 800)),  # 0.825: inside the breach limit only
        Look(8, accuracy(50, 60)),  # too few rows
        Look(16, accuracy(2_800, 3_200)),
    ]

    assert pooled(accuracy(180, 200), *pools, rule=rule).calm == 2 + 16


@pytest.mark.parametrize("test", [Census(), None])
def test_a_count_is_not_pooled(test: Test | None) -> None:
    rule = Rule(id="r", metric="volume", breach=1_000, min_rows=1)
    own = Value("volume", "", "", 900.0, None, None, 900, None, Census())
    two = Value("volume", "", "", 1_800.0, None, None, 1_800, None, test)

    assert pooled(own, Look(2, two), rule=rule).state is State.OK


def drift(value: float, statistic: float, n: int = 1_000, column: str = "AGE") -> Value:
    return Value("psi", column, "", value, None, None, n, 10_000, TwoSample(statistic, 9))


def policy(**changes: Any) -> OversightPolicy:
    rule = Rule(id="drift", metric="psi", columns=("*",), breach=0.02, **changes)
    return OversightPolicy(systems=("a",), rules=(rule,))


def test_a_pool_with_a_part_that_breached_alone_is_not_asked() -> None:
    series = Series("drift", "psi", "AGE", "")
    values = [drift(0.03, 20.0)]
    lasting = Pool(8, [drift(0.03, 200.0, 8_000)])
    glitch = Pool(8, [drift(0.03, 200.0, 8_000)], {series})

    (found,) = judge(values, policy(), {"AGE"}, "ref", [lasting])
    (after_a_glitch,) = judge(values, policy(), {"AGE"}, "ref", [glitch])

    assert (found.state, found.scale, found.value) == (State.BREACH, 8, 0.03)
    assert (after_a_glitch.state, after_a_glitch.scale) == (State.WARN, 1)


def test_a_policy_may_fix_the_dispersion() -> None:
    values = [drift(0.03, 60.0)]

    (free,) = judge(values, policy(), {"AGE"}, "ref")
    (held,) = judge(values, policy(dispersion=3.0), {"AGE"}, "ref")

    assert (free.state, held.state) == (State.BREACH, State.WARN)
    assert "dispersion 3 fixed by the policy" in held.reason


def test_only_what_can_breach_teaches_and_too_few_rows_teach_too() -> None:
    values = [drift(0.03, 9.0, n=50), drift(0.03, 9.0, column="JOB")]
    rules = (
        Rule(id="a", metric="psi", columns=("AGE",), breach=0.1),
        Rule(id="b", metric="psi", columns=("JOB",), warn=0.1),
    )

    assert set(sights_of(values, Watched(rules, {"AGE", "JOB"}))) == {("psi", "AGE", "")}
