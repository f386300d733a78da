"""What predictions say of how the system runs: latencies, outcomes, explanations."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from watchkeeper_monitor.grids.columns import Columns
from watchkeeper_monitor.grids.octaves import LATENCY
from watchkeeper_monitor.profiles.exact import PROBABILITY
from watchkeeper_monitor.profiles.layout import Layout

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def add_running(into: Ints, columns: Columns, at: Layout) -> None:
    """Count latencies, outcomes and explanations, where any were sent."""
    if columns.latency is not None:
        sent = columns.latency[~np.isnan(columns.latency)]
        cells = at.view(into, "latency_cells")
        cells += np.bincount(LATENCY.places(sent), minlength=cells.size)
    if columns.outcomes is not None:
        named, failed = (np.count_nonzero(columns.outcomes >= code) for code in (1, 2))
        at.view(into, "outcomes")[:] += (named, failed)
    if columns.attributions is not None:
        _add_attributions(into, columns.attributions, at)


def _add_attributions(into: Ints, attributions: Floats, at: Layout) -> None:
    """Count rows with an explanation, and add what share each feature has in it.

    A row's absolute attributions as shares of their sum, so that a row with great numbers
    weighs no more than another; a row of zeros is explained and has no shares.
    """
    given = ~np.isnan(attributions)
    at.view(into, "explained")[0] += np.count_nonzero(given.any(axis=0))
    with np.errstate(over="ignore"):
        sizes = np.where(given, np.abs(attributions), 0.0)
        sizes = np.minimum(sizes, np.finfo(np.float64).max / len(sizes))
    totals = sizes.sum(axis=0)
    some = totals > 0
    if not some.any():
        return
    shares = sizes[:, some] / totals[some]
    at.view(into, "attributed")[0] += shares.shape[1]
    at.view(into, "attribution_shares")[:] += PROBABILITY.sums(shares)
    at.view(into, "attribution_squares")[:] += PROBABILITY.sums(shares * shares)
    leads = at.view(into, "attribution_leads")
    leads += np.bincount(shares.argmax(axis=0), minlength=leads.size)
