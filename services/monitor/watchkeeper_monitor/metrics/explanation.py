"""Whether predictions come with reasons, and whether the reasons have changed."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from watchkeeper_monitor.grids import Grid
from watchkeeper_monitor.metrics.chisquare import two_sample
from watchkeeper_monitor.metrics.distances import js_of_shares, psi_of_shares
from watchkeeper_monitor.metrics.intervals import student
from watchkeeper_monitor.metrics.shares import share
from watchkeeper_monitor.metrics.values import Mean, Value, nothing
from watchkeeper_monitor.profiles import Profile
from watchkeeper_monitor.profiles.exact import PROBABILITY

Floats = npt.NDArray[np.float64]

_DISTANCES = {"attribution_js_distance": js_of_shares, "attribution_psi": psi_of_shares}


def measure(grid: Grid, window: Profile, reference: Profile | None) -> Iterator[Value]:
    """Yield coverage, and where explanations are known, the features' shares and their drift.

    The distance is between mean shares; what tests it is which feature leads in each row, a
    plain count that must have changed as well.
    """
    yield share("explanation_coverage", "", int(window.section("explained")[0]), window.rows)
    n, m = _rows(window), 0 if reference is None else _rows(reference)
    if not n and not m:
        return
    yield from _shares(grid, window, n)
    for metric, distance in _DISTANCES.items():
        if reference is None or not m:
            yield nothing(metric, "", "the reference has no explanations", n=n, reference_n=m)
        elif not n:
            yield nothing(metric, "", "the window has no explanations", reference_n=m)
        else:
            value = distance(_means(window, n), _means(reference, m))
            leads = (one.section("attribution_leads") for one in (window, reference))
            yield Value(metric, "", "", value, None, None, n, m, two_sample(*leads))


def _rows(profile: Profile) -> int:
    return int(profile.section("attributed")[0])


def _means(profile: Profile, rows: int) -> Floats:
    return profile.sums("attribution_shares", PROBABILITY) / rows


def _shares(grid: Grid, window: Profile, n: int) -> Iterator[Value]:
    sums = window.sums("attribution_shares", PROBABILITY).tolist()
    squares = window.sums("attribution_squares", PROBABILITY).tolist()
    for name, total, square in zip(grid.features, sums, squares, strict=True):
        if not n:
            yield nothing("attribution_share", name, "no explanations")
            continue
        test = Mean(total, square, n, (0.0, 1.0))
        low, high = student(test.mean, test.error, n)
        low, high = max(low, 0.0), min(high, 1.0)
        yield Value("attribution_share", name, "", test.mean, low, high, n, None, test)
