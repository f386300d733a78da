"""A share of rows as a Value, with its Wilson interval."""

from __future__ import annotations

from watchkeeper_monitor.intervals import wilson
from watchkeeper_monitor.metrics.values import Rate, Value, nothing


def share(
    metric: str, column: str, successes: int, n: int, *, segment: str = "", empty: str = "no rows"
) -> Value:
    """Return `successes / n`, or no number and the reason `empty` when n is 0."""
    if not n:
        return nothing(metric, column, empty, segment=segment)
    low, high = wilson(successes, n)
    test = Rate(successes, n)
    return Value(metric, column, segment, successes / n, low, high, n, None, test)
