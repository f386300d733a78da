"""A share of rows as a Value, with its Wilson interval."""

from __future__ import annotations

from watchkeeper_monitor.metrics.intervals import wilson
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


def of_f1(metric: str, column: str, hits: int, wrong: int) -> Value:
    """F1 is `2p / (1 + p)` of p = TP / (TP + FP + FN), a plain share with a plain interval."""
    n = hits + wrong
    low, high = (2 * end / (1 + end) for end in wilson(hits, n))
    test = Rate(hits, n, dice=True)
    return Value(metric, column, "", 2 * hits / (n + hits), low, high, n, None, test)
