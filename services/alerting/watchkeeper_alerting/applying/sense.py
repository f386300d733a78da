"""Whether a policy can mean what it says: limits that no value passes, or that every value does.

Asked when a policy is applied, and not of what is stored: a policy that is in force stays so,
whatever a later release refuses. Pure.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import timedelta

from watchkeeper_alerting.applying.documents import Document
from watchkeeper_alerting.applying.located import Mistake
from watchkeeper_shared.metric_names import Family, Worse, family_of, range_of, worse
from watchkeeper_shared.specs import OversightPolicy, Rule

_COUNTED = ("volume", "freshness_seconds", "label_coverage")
MOST_LATENESS = timedelta(days=30)
"""No window breaches before its lateness is over; what comes later amends it."""


def nonsense(document: Document, policy: OversightPolicy) -> Iterator[Mistake]:
    """Yield what a policy cannot mean, whatever systems there are."""
    if policy.systems and not policy.rules:
        detail = (
            "a policy without rules watches nothing: write at least one rule, or, to take it out "
            "of force, `systems: []`"
        )
        yield document.mistake(detail, "spec", "rules")
    if policy.window.lateness_delta > MOST_LATENESS:
        detail = (
            f"lateness {policy.window.lateness}: no window could breach before so long after its "
            f"end; write at most {MOST_LATENESS.days}d, later rows and labels amend the window"
        )
        yield document.mistake(detail, "spec", "window", "lateness")
    for index, rule in enumerate(policy.rules):
        at = ("spec", "rules", index)
        yield from _limits(document, rule, at)
        yield from _clear(document, rule, at)
        yield from _side(document, rule, at)


def _limits(document: Document, rule: Rule, at: tuple[str | int, ...]) -> Iterator[Mistake]:
    """Find limits that no value could pass, or every value would: 5 where 0.05 was meant."""
    if rule.warn is None and rule.breach is None:
        detail = f"rule {rule.id} could never fire: give it a warn limit, a breach limit or both"
        yield document.mistake(detail, *at)
    if family_of(rule.metric) is None:
        return
    clear = None if rule.clear is None else rule.clear.limit
    for name, limit in {"warn": rule.warn, "breach": rule.breach, "clear": clear}.items():
        wrong = "" if limit is None else _out_of_range(rule, name, limit)
        if wrong:
            yield document.mistake(f"rule {rule.id}: {wrong}", *at, name)


def _out_of_range(rule: Rule, name: str, limit: float) -> str:
    """Return what is wrong with a limit beside the range of the metric, or nothing."""
    low, high = range_of(rule.metric)
    if not low <= limit <= high:
        hint = "; 5 % is 0.05" if (low, high) == (0, 1) else ""
        return f"{rule.metric} lies {_span(low, high)}, got {name} {limit:g}{hint}"
    if limit == (high if rule.below else low):
        return f"every value of {rule.metric} is past {name} {limit:g}: it lies {_span(low, high)}"
    if name == "breach" and limit == (low if rule.below else high) and _is_sampled(rule.metric):
        return (
            f"{rule.metric} lies {_span(low, high)}, so no evidence could show that it is past "
            f"breach {limit:g}; write a limit inside, such as {_inside(limit)}"
        )
    return ""


def _is_sampled(metric: str) -> bool:
    """Return whether a breach needs evidence that the truth is past its limit.

    Drift is tested against no change at all, and what counts every row needs no test.
    """
    return family_of(metric) is not Family.DRIFT and metric not in _COUNTED


def _inside(limit: float) -> str:
    return f"{limit - math.copysign(0.01, limit) if limit else 0.01:g}"


def _span(low: float, high: float) -> str:
    if math.isinf(high):
        return f"at {low:g} or above"
    return f"at {high:g} or below" if math.isinf(low) else f"between {low:g} and {high:.3g}"


def _clear(document: Document, rule: Rule, at: tuple[str | int, ...]) -> Iterator[Mistake]:
    """Find a clear limit past the breach: a breach would end while it lasts."""
    if rule.clear is None or rule.breach is None or rule.clear.limit == rule.breach:
        return
    if (rule.clear.limit < rule.breach) == rule.below:
        side = "above" if rule.below else "below"
        detail = f"rule {rule.id}: clear {rule.clear.limit:g} must lie {side} breach"
        yield document.mistake(
            f"{detail} {rule.breach:g}, or a window past the breach would end it", *at, "clear"
        )


def _side(document: Document, rule: Rule, at: tuple[str | int, ...]) -> Iterator[Mistake]:
    """Find limits on the good side of a metric: a healthy system would pass them."""
    if family_of(rule.metric) is None:
        return
    side = worse(rule.metric)
    if side is Worse.LOWER and not rule.below:
        detail = f"rule {rule.id}: {rule.metric} is bad when it is low; add `below: true`"
        yield document.mistake(f"{detail}, or healthy values would be past the limit", *at)
    if side is Worse.HIGHER and rule.below:
        detail = f"rule {rule.id}: {rule.metric} is bad when it is high; remove `below: true`"
        yield document.mistake(f"{detail}, or healthy values would be past the limit", *at, "below")
