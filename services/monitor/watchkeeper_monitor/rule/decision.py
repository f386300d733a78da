"""One measured value against one rule: what state it is in, and why, in plain words.

A breach needs both: an effect at or past the limit, and evidence that passes the level which
the policy's alarm budget leaves to each test. Fixed limits alone call noise a breach in small
windows; significance alone calls trifles a breach in large ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from watchkeeper_monitor.metrics import CATALOGUE, Census, Family, RateGap, RateRatio, Value
from watchkeeper_monitor.rule.dispersion import INDEPENDENT, Dispersion
from watchkeeper_monitor.rule.findings import Finding, find
from watchkeeper_shared.counted import counted
from watchkeeper_shared.specs import OversightPolicy, Rule
from watchkeeper_shared.states import State

_FEWEST_POSITIVES = 5.0
_HEALTHY = (State.OK, State.WARN)
OF_TWO = (RateGap, RateRatio)
"""Tests that compare two groups."""
_NEEDED = {
    name: (entry.min_rows, "labels" if entry.family is Family.PERFORMANCE else "rows")
    for name, entry in CATALOGUE.items()
}
"""Metric → how many of what it needs."""

Asked = Callable[[], Dispersion]
"""Dispersion costs a look at stored windows, so it is asked for only where it decides."""


def independent() -> Dispersion:
    """Answer that rows are independent of each other."""
    return INDEPENDENT


class Judgement(msgspec.Struct, frozen=True, gc=False):
    """What a rule says about a value.

    Parameters
    ----------
    state, reason
        The answer, and why, for a person at three in the morning.
    scale
        How many windows were pooled for it; 1 is the window alone.
    calm
        Sum of the scales above 1 at which the pool that ends here is inside the clear limit.
    pooled
        What the pool says that breached; None where the window's own value was judged.
    """

    state: State
    reason: str
    scale: int = 1
    calm: int = 0
    pooled: Value | None = None


class Look(msgspec.Struct, frozen=True):
    """A series at one scale.

    Parameters
    ----------
    scale
        How many windows are pooled.
    value
        What they say together.
    dispersion
        Gives the dispersion of the series at this scale.
    """

    scale: int
    value: Value
    dispersion: Asked = independent


def levels(policy: OversightPolicy, series: int) -> float:
    """Return the level of one test that keeps the policy's alarm budget.

    Each of `series` judged series is tested on its window and, over aligned pools of 2, 4, …
    windows, fewer than once more per window on average. By the union bound, whatever the
    dependence, `1 / (2 series budget)` keeps false alarms to one in `budget` windows. A test
    that looks several ways pays for its looks itself (`findings`).

    Examples
    --------
    >>> levels(OversightPolicy(systems=("a",), alarm_budget=500), 20)
    5e-05
    """
    return 1.0 / (2 * max(series, 1) * policy.alarm_budget)


def decide(
    value: Value, rule: Rule | None, alpha: float, dispersion: Asked = independent
) -> Judgement:
    """Judge one window's value.

    Parameters
    ----------
    rule
        The limits; None for a value that is measured without any.
    alpha
        The level from `levels`.
    dispersion
        Gives how many times more than independent rows this series varies in control.
    """
    lacking = _lacking(value, rule)
    if lacking is not None:
        return lacking
    if value.value is None or rule is None or (rule.warn is None and rule.breach is None):
        return Judgement(State.OK, f"{_named(value)}; no limit is set; {_size(value)}")
    if rule.breach is not None and _past(value.value, rule.breach, rule):
        return _past_breach(value, rule, rule.breach, alpha, dispersion())
    side = _side(rule, inside=False)
    if rule.warn is not None and _past(value.value, rule.warn, rule):
        return Judgement(
            State.WARN, f"{_named(value)} {side} the warning limit {rule.warn:g}; {_size(value)}"
        )
    nearest = rule.warn if rule.warn is not None else rule.breach
    return Judgement(
        State.OK, f"{_named(value)} {_side(rule, inside=True)} {nearest:g}; {_size(value)}"
    )


def decide_pooled(own: Look, pools: Iterable[Look], rule: Rule | None, alpha: float) -> Judgement:
    """Judge a series at several scales.

    Small lasting shifts are seen in the pools long before any single window shows them, and
    a group too small in one window is not in sixteen. The smallest scale that breaches
    decides, and larger pools are not asked: what one part shows by itself is no evidence of
    something that lasts. Without a breach the window's own judgement stands.

    Parameters
    ----------
    own
        The window.
    pools
        Blocks that end with it, the smallest first, none with a part that breached by itself.
    """
    judged = decide(own.value, rule, alpha, own.dispersion)
    if rule is None or judged.state is State.BREACH:
        return judged
    calm = 0
    for look in pools:
        if look.value.test is None or isinstance(look.value.test, Census):
            continue  # A count has no sampling error that pooling could shrink.
        pooled = decide(look.value, rule, alpha, look.dispersion)
        if pooled.state is State.BREACH:
            reason = f"over the last {look.scale} windows: {pooled.reason}"
            return Judgement(State.BREACH, reason, look.scale, calm, look.value)
        calm += look.scale * is_calm(pooled.state, look.value.value, rule)
    return Judgement(judged.state, judged.reason, calm=calm)


def is_calm(state: State, number: float | None, rule: Rule) -> bool:
    """Return whether a value counts towards the end of a breach.

    It does when it is inside the clear limit (left out: the breach limit). A value still past
    the limit does not, even where the evidence was too thin for a breach; nor does a window
    with no data, too little data or an error: silence is not health.
    """
    if state not in _HEALTHY:
        return False
    limit = rule.breach if rule.clear is None else rule.clear.limit
    if limit is None:
        return True
    return number is not None and not _past(number, limit, rule)


def suffices(value: Value, rule: Rule | None) -> bool:
    """Return whether there is enough data behind a value to judge it."""
    return _lacking(value, rule) is None


def needed(metric: str, rule: Rule | None) -> tuple[int, str]:
    """Return how many rows, or of what else, a decision about a metric needs."""
    least, what = _NEEDED.get(metric, (1, "rows"))
    return (least if rule is None or rule.min_rows is None else rule.min_rows), what


def _past(number: float, limit: float, rule: Rule) -> bool:
    return number <= limit if rule.below else number >= limit


def _side(rule: Rule, *, inside: bool) -> str:
    if inside:
        return "above" if rule.below else "below"
    return "at or below" if rule.below else "at or above"


def _past_breach(
    value: Value, rule: Rule, limit: float, alpha: float, dispersion: Dispersion
) -> Judgement:
    what = f"{_named(value)} {_side(rule, inside=False)} {limit:g}"
    if value.test is None:
        return Judgement(State.WARN, f"{what}; there is no test for it, so it cannot breach")
    found: Finding = find(value.test, limit, below=rule.below, dispersion=dispersion)
    if found.certain:
        return Judgement(State.BREACH, f"{what}; {found.words}; {_size(value)}")
    level = f"the level {alpha:.2g} set by the alarm budget"
    if found.probability < alpha:
        return Judgement(State.BREACH, f"{what}; {found.words} passes {level}; {_size(value)}")
    short = f"{found.words} does not pass {level}: not enough evidence for a breach"
    return Judgement(State.WARN, f"{what}; {short}; {_size(value)}")


def _lacking(value: Value, rule: Rule | None) -> Judgement | None:
    """Return the judgement for a value that there is too little data behind."""
    if value.value is None:
        state = State.INSUFFICIENT if value.n else State.NO_DATA
        size = f"; n={value.n:,}" if value.n else ""
        return Judgement(state, f"{_what(value)} has no value: {value.note}{size}")
    least, what = needed(value.metric, rule)
    counted = value.n
    if isinstance(value.test, OF_TWO):
        counted, what = min(value.test.a.n, value.test.b.n), "rows in the smaller group"
    if counted < least:
        return Judgement(
            State.INSUFFICIENT,
            f"{_named(value)}, but {counted:,} {what} where {least:,} are needed{_noted(value)}",
        )
    return _few_positives(value, value.test) if isinstance(value.test, OF_TWO) else None


def _few_positives(value: Value, test: RateGap | RateRatio) -> Judgement | None:
    """Refuse to compare groups of which one must be expected to have no positives at all."""
    a, b = test.a, test.b
    expected = min(a.n, b.n) * (a.successes + b.successes) / (a.n + b.n)
    if expected >= _FEWEST_POSITIVES:
        return None
    smaller = counted(min(a.n, b.n), "row")
    return Judgement(
        State.INSUFFICIENT,
        f"{_named(value)}, but the smaller group of {smaller} can expect only "
        f"{expected:.1f} positives where {_FEWEST_POSITIVES:g} are needed{_noted(value)}",
    )


def _named(value: Value) -> str:
    return f"{_what(value)} {value.value:.4g}"


def _what(value: Value) -> str:
    where = value.segment or value.column
    return f"{value.metric} of {where}" if where else value.metric


def _size(value: Value) -> str:
    against = "" if value.reference_n is None else f" against {value.reference_n:,}"
    return f"n={value.n:,}{against}{_noted(value)}"


def _noted(value: Value) -> str:
    return f"; {value.note}" if value.note else ""
