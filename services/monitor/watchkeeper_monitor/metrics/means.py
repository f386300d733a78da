"""Means of rows as Values."""

from __future__ import annotations

import math

from watchkeeper_monitor.metrics.intervals import student
from watchkeeper_monitor.metrics.values import Mean, Value


def of_mean(metric: str, test: Mean) -> Value:
    """Return a mean, or its square root, with its t interval.

    Without bounds a mean may be anything, with a root it is at least 0. Where a row can be no
    more than a bound, the upper end counts one row there besides: that none of the rare rows
    that matter fell into a window is no proof that there are none. Of a Brier score with one
    positive label in a hundred it then holds the truth in 100, 95 and 95 % of windows of 100,
    500 and 2,000 rows; without, in 67, 91 and 94 %.
    """
    least, most = test.bounds or (0.0 if test.root else -math.inf, math.inf)
    low, high = student(test.mean, test.error, test.n)
    if math.isfinite(most):
        error = math.hypot(test.error, (most - test.mean) / test.n)
        _, high = student(test.mean, error, test.n)
    low, high = max(low, least), min(high, most)
    value = test.mean
    if test.root:
        value, low, high = math.sqrt(value), math.sqrt(low), math.sqrt(high)
    known = [end if math.isfinite(end) else None for end in (low, high)]
    return Value(metric, "", "", value, known[0], known[1], test.n, None, test)
