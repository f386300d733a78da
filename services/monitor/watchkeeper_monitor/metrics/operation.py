"""How the system runs: how long predictions take, and how many fail."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from watchkeeper_monitor.grids.octaves import LATENCY, RELATIVE_ERROR
from watchkeeper_monitor.metrics.intervals import Z
from watchkeeper_monitor.metrics.shares import share
from watchkeeper_monitor.metrics.values import Estimate, Value, nothing
from watchkeeper_monitor.profiles import Profile

QUANTILES = {"latency_p50": 0.50, "latency_p95": 0.95, "latency_p99": 0.99}


def measure(window: Profile) -> Iterator[Value]:
    """Yield latency quantiles, and the share of predictions that failed where outcomes are sent."""
    cells = window.section("latency_cells")
    n = int(cells.sum())
    for metric, level in QUANTILES.items():
        if not n:
            yield nothing(metric, "", "no latency was sent")
            continue
        yield _quantile(metric, level, np.cumsum(cells), n)
    named, failed = (int(one) for one in window.section("outcomes"))
    yield share("error_share", "", failed, named, empty="no prediction names its outcome")


def _quantile(metric: str, level: float, running: np.ndarray, n: int) -> Value:
    """Return a quantile; its interval lies between two of the ordered values.

    The number of values below a quantile is binomial, which gives the ranks.
    """
    spread = Z * math.sqrt(n * level * (1 - level))
    ranks = (n * level, n * level - spread, n * level + spread)
    held = [min(max(math.ceil(rank), 1), n) for rank in ranks]
    value, low, high = (LATENCY.middle(int(np.searchsorted(running, rank))) for rank in held)
    low, high = low * (1 - RELATIVE_ERROR), high * (1 + RELATIVE_ERROR)
    bound = value * RELATIVE_ERROR
    test = Estimate(value, max(high - low - 2 * bound, 0.0) / (2 * Z), bound)
    note = f"binning error at most {RELATIVE_ERROR:.1%}"
    return Value(metric, "", "", value, low, high, n, None, test, note)
