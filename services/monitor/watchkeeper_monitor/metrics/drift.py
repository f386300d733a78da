"""How far the window has moved from the reference: features, prediction, score, group mix."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from watchkeeper_monitor.grids import Grid
from watchkeeper_monitor.metrics import curves, distances
from watchkeeper_monitor.metrics.chisquare import two_samples
from watchkeeper_monitor.metrics.distances import Pairs
from watchkeeper_monitor.metrics.ragged import Ragged
from watchkeeper_monitor.metrics.values import TwoSample, Value, nothing
from watchkeeper_monitor.profiles import Profile
from watchkeeper_monitor.profiles.layout import layout_of

Ints = npt.NDArray[np.int64]
Numbers = tuple[list[float], ...]
"""Values, lows, highs and where there is one the bound, each a list by distribution."""

ON_COUNTS = {
    "psi": distances.psis,
    "js_distance": distances.js_distances,
    "hellinger": distances.hellingers,
    "tvd": distances.tvds,
}
ON_MIX = ("psi", "js_distance", "tvd")
ON_CURVES = ("wasserstein", "ks")
_NO_REFERENCE = "there is no reference to compare with"


@dataclass(frozen=True, eq=False)
class Plan:
    """Which bins a grid compares.

    Parameters
    ----------
    names
        The column of each distribution: axes, categorical features, the prediction, attributes.
    cells
        Where each distribution stands among the bins.
    starts
        The first cell of each bin of the axes, in the section `cells`.
    categories, groups
        Which codes count, null apart, in the sections of those names.
    mixes
        The first distribution that is an attribute's.
    """

    names: tuple[str, ...]
    cells: Ragged
    starts: Ints
    categories: Ints
    groups: Ints
    mixes: int

    def bins(self, profile: Profile) -> Ints:
        """Return the counts of all bins, side by side."""
        parts = [
            np.add.reduceat(profile.section("cells"), self.starts),
            profile.section("categories")[self.categories],
        ]
        if not profile.grid.regression:
            parts.append(profile.section("predictions"))
        parts.append(profile.section("group_predictions").sum(axis=1)[self.groups])
        return np.concatenate(parts)


@lru_cache(maxsize=256)
def plan_of(grid: Grid) -> Plan:
    """Return which bins a grid compares."""
    at = layout_of(grid)
    starts = [
        axis.bin_starts + first for axis, first in zip(grid.axes, at.cell_starts, strict=False)
    ]
    outputs = [] if grid.regression else ["prediction"]
    lengths = [axis.bin_starts.size for axis in grid.axes]
    lengths += [column.codes - 1 for column in grid.categories]
    lengths += [len(grid.classes) + 1 for _ in outputs]
    mixes = len(lengths)
    lengths += [column.codes - 1 for column in grid.attributes]
    names = (
        *(axis.name for axis in grid.axes),
        *(column.name for column in grid.categories),
        *outputs,
        *(column.name for column in grid.attributes),
    )
    return Plan(
        names,
        Ragged.of(lengths),
        np.concatenate(starts),
        _known(at.category_starts),
        _known(at.group_starts),
        mixes,
    )


def _known(starts: Ints) -> Ints:
    """Return every code but the last one of each column, which is null."""
    return np.setdiff1d(np.arange(starts[-1]), starts[1:] - 1)


def measure(grid: Grid, window: Profile, reference: Profile | None) -> Iterator[Value]:
    """Yield the drift of every feature, output and attribute; of the score where one is sent."""
    plan = plan_of(grid)
    counts = plan.bins(window)
    base = np.zeros_like(counts) if reference is None else plan.bins(reference)
    sizes = [sums.tolist() for sums in (plan.cells.sum(counts), plan.cells.sum(base))]
    tests = two_samples(plan.cells, counts, base)
    pairs = Pairs.of(plan.cells, counts, base)
    binned = {name: _listed(function(pairs)) for name, function in ON_COUNTS.items()}
    curved = {} if reference is None else _curved(grid, window, reference)
    for at, (name, n, m, test) in enumerate(zip(plan.names, *sizes, tests, strict=True)):
        if at == grid.score and not n and not m:
            continue
        one = _Column(name, n, None if reference is None else m, test, at)
        if at >= plan.mixes:
            yield from (one.value(f"group_mix_{metric}", binned[metric]) for metric in ON_MIX)
            continue
        yield from (one.value(metric, numbers) for metric, numbers in binned.items())
        if at < len(grid.axes):
            constant = not grid.axes[at].sd > 0
            for metric in ON_CURVES:
                yield one.value(metric, curved.get(metric, ()), constant=constant)


def _curved(grid: Grid, window: Profile, reference: Profile) -> dict[str, Numbers]:
    at = curves.widths_of(grid)
    found = curves.Curves.of(at.cells, window.section("cells"), reference.section("cells"))
    return {
        "wasserstein": _listed(curves.wasserstein(at, found, window, reference)),
        "ks": _listed(curves.ks(at, found)),
    }


def _listed(arrays: tuple[npt.NDArray[np.float64], ...]) -> Numbers:
    return tuple(array.tolist() for array in arrays)


@dataclass(frozen=True, slots=True)
class _Column:
    """One distribution: its name, its totals, its test and its place in the plan."""

    name: str
    n: int
    m: int | None
    test: TwoSample
    at: int

    def value(self, metric: str, numbers: Numbers, *, constant: bool = False) -> Value:
        """Return what a metric says of this distribution, or why it says nothing."""
        why = self._silence()
        if not why and constant and metric == "wasserstein":
            why = "the reference is constant, so it has no standard deviation to measure in"
        if why:
            return nothing(metric, self.name, why, n=self.n, reference_n=self.m)
        value, low, high, *bound = (column[self.at] for column in numbers)
        note = f"binning error at most {bound[0]:.2g}" if bound else ""
        return Value(metric, self.name, "", value, low, high, self.n, self.m, self.test, note)

    def _silence(self) -> str:
        """Say why there is nothing to compare; empty when there is."""
        if self.m is None:
            return _NO_REFERENCE
        if not self.m:
            return "the reference has no value in this column"
        return "" if self.n else "the window has no value in this column"
