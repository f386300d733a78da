"""Means of rows as Values."""

from __future__ import annotations

import math

from watchkeeper_monitor.metrics.intervals import student
from watchkeeper_monitor.metrics.values import Mean, Value


def of_mean(metric: str, test: Mean) -> Value:
    """Return a mean, or its square root, with its t interval.

    Without bounds a mean may be anything, with a root it is at least 0.
    """
    low, high = student(test.mean, test.error, test.n)
    least, most = test.bounds or (0.0 if test.root else -math.inf, math.inf)
    low, high = max(low, least), min(high, most)
    value = test.mean
    if test.root:
        value, low, high = math.sqrt(value), math.sqrt(low), math.sqrt(high)
    known = [end if math.isfinite(end) else None for end in (low, high)]
    return Value(metric, "", "", value, known[0], known[1], test.n, None, test)
