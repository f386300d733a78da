"""How much worse the window is than the approved reference, where that has labels too.

A default policy cannot know how good a system should be; it can know how much worse than at
its approval is too much.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from watchkeeper_monitor.metrics.intervals import Z
from watchkeeper_monitor.metrics.values import Estimate, Mean, Rate, Value, nothing

DROPS = ("accuracy", "balanced_accuracy", "recall", "roc_auc")
"""Metrics whose fall is measured in their own unit."""
RISES = ("brier", "log_loss", "mae", "rmse")
"""Metrics whose rise is measured as a share of the reference's value."""
_CHANGED = frozenset(DROPS + RISES)


def measure(window: Sequence[Value], reference: Sequence[Value]) -> Iterator[Value]:
    """Yield drops and rises.

    Parameters
    ----------
    window, reference
        The performance of both; no reference is the performance of no labels.
    """
    base = {one.metric: one for one in reference if not one.column}
    for value in window:
        if value.column or value.metric not in _CHANGED:
            continue
        drops = value.metric in DROPS
        name = f"{value.metric}_drop" if drops else f"{value.metric}_rise"
        before = base.get(value.metric)
        if before is None or before.value is None:
            why = f"the reference has no {value.metric}" + (f": {before.note}" if before else "")
            yield nothing(name, "", why, n=value.n)
        elif value.value is None:
            yield nothing(name, "", value.note, n=value.n, reference_n=before.n)
        elif not drops and before.value <= 0:
            why = f"{value.metric} of the reference is 0, so that nothing is a share of it"
            yield nothing(name, "", why, n=value.n, reference_n=before.n)
        else:
            yield _change(name, value, before, value.value, before.value)


def _change(name: str, window: Value, reference: Value, now: float, then: float) -> Value:
    """Return the change, worse upwards, with the errors of both added in quadrature."""
    errors, bound = [_error(one) for one in (window, reference)], _bound(window, reference)
    if name.endswith("_drop"):
        value, error = then - now, math.hypot(*errors)
    else:
        value = now / then - 1
        error = math.hypot(errors[0] / then, now / then * errors[1] / then)
    half = Z * error + bound
    note = f"{now:.4g} in the window, {then:.4g} in the reference"
    test = Estimate(value, error, bound)
    ends = value - half, value + half
    return Value(name, "", "", value, *ends, window.n, reference.n, test, note)


def _error(value: Value) -> float:
    """Return the standard error of a value."""
    match value.test:
        case Estimate(error=error):
            return error
        case Rate(successes=successes, n=n):
            share = (successes + 1) / (n + 2)
            return math.sqrt(share * (1 - share) / n)
        case Mean(root=True) as mean:
            return mean.error / (2 * math.sqrt(mean.mean)) if mean.mean else 0.0
        case Mean() as mean:
            return mean.error
        case _:
            return 0.0


def _bound(*values: Value) -> float:
    return sum(one.test.bound for one in values if isinstance(one.test, Estimate))
