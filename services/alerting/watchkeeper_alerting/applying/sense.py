"""Whether a policy can mean what it says: limits that no value passes, or that every value does.

Asked when a policy is applied, and not of what is stored: a policy that is in force stays so,
whatever a later release refuses. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from watchkeeper_alerting.applying.documents import Document
from watchkeeper_alerting.applying.located import Mistake
from watchkeeper_shared.metric_limits import Worse, is_within_one, worse
from watchkeeper_shared.metric_names import family_of
from watchkeeper_shared.specs import OversightPolicy, Rule

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
        yield from _side(document, rule, at)


def _limits(document: Document, rule: Rule, at: tuple[str | int, ...]) -> Iterator[Mistake]:
    """Find limits that no value could pass, or every value would: 5 where 0.05 was meant."""
    limits = {"warn": rule.warn, "breach": rule.breach}
    if rule.warn is None and rule.breach is None:
        detail = f"rule {rule.id} could never fire: give it a warn limit, a breach limit or both"
        yield document.mistake(detail, *at)
    if rule.clear is not None:
        limits["clear"] = rule.clear.limit
    for name, limit in limits.items():
        if limit is not None and is_within_one(rule.metric) and not 0 <= limit <= 1:
            detail = f"rule {rule.id}: {rule.metric} lies between 0 and 1, got {name} {limit:g}"
            yield document.mistake(f"{detail}; 5 % is 0.05", *at, name)


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
