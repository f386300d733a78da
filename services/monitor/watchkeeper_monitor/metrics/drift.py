"""How far the window has moved from the reference: features, prediction, score, group mix."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import msgspec
import numpy as np
import numpy.typing as npt

from watchkeeper_monitor.grids import Grid
from watchkeeper_monitor.metrics import curves
from watchkeeper_monitor.metrics.chisquare import two_samples
from watchkeeper_monitor.metrics.distances import Pairs, spreads
from watchkeeper_monitor.metrics.ragged import Ragged
from watchkeeper_monitor.metrics.ridits import placed
from watchkeeper_monitor.metrics.values import TwoSample, Value, nothing
from watchkeeper_monitor.profiles import Profile
from watchkeeper_monitor.profiles.layout import layout_of

Ints = npt.NDArray[np.int64]
Numbers = tuple[list[float], ...]
"""Value, low, high and, where there is one, the bound; each of every distribution."""

ON_COUNTS = ("psi", "js_distance", "hellinger", "tvd")
ON_MIX = ("psi", "js_distance", "tvd")
ON_CURVES = {"wasserstein": curves.wasserstein, "ks": curves.ks}
_ALL = frozenset((*ON_COUNTS, *ON_CURVES, *(f"group_mix_{name}" for name in ON_MIX)))
_NO_REFERENCE = "there is no reference to compare with"
_CONSTANT = "the reference is constant, so it has no standard deviation to measure in"


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


@lru_cache(maxsize=256)
def _bins_of(grid: Grid, reference: Profile, _rows: int) -> Ints:
    """Return a reference's bins, added up once for all windows that are compared with it."""
    return plan_of(grid).bins(reference)


def _known(starts: Ints) -> Ints:
    """Return every code but the last one of each column, which is null."""
    return np.setdiff1d(np.arange(starts[-1]), starts[1:] - 1)


def measure(grid: Grid, window: Profile, reference: Profile | None) -> list[Value]:
    """Return the drift of every feature, output and attribute; of the score where one is sent."""
    return measure_many(grid, [window], reference)[0]


def measure_many(
    grid: Grid,
    windows: Sequence[Profile],
    reference: Profile | None,
    wanted: Collection[str] = _ALL,
) -> list[list[Value]]:
    """Measure several windows at once: all their distributions stand side by side.

    Parameters
    ----------
    wanted
        Only these metrics.
    """
    plan, times = plan_of(grid), len(windows)
    cells = plan.cells.repeated(times)
    counts = np.concatenate([plan.bins(window) for window in windows])
    none = np.zeros(plan.cells.size, dtype=np.int64)
    one = none if reference is None else _bins_of(grid, reference, reference.rows)
    base = np.concatenate([one] * times)
    pairs = Pairs.of(cells, counts, base)
    n, m = pairs.totals.astype(np.int64).tolist()
    ordered = [at < len(grid.axes) for at in range(len(plan.names))] * times
    tests = placed(two_samples(pairs), ordered, cells, counts, base)
    names = [name for name in ON_COUNTS if not {name, f"group_mix_{name}"}.isdisjoint(wanted)]
    binned = {name: _listed(found) for name, found in spreads(pairs, names).items()}
    whole = _Measured(plan, n, m, tests, binned, frozenset(wanted))
    return [
        list(whole.values(grid, at * len(plan.names), window, reference))
        for at, window in enumerate(windows)
    ]


@dataclass(frozen=True, slots=True)
class _Measured:
    """What several windows have in common: rows and test of each distribution, and numbers."""

    plan: Plan
    n: list[int]
    m: list[int]
    tests: list[TwoSample]
    binned: dict[str, Numbers]
    wanted: frozenset[str]

    def values(
        self, grid: Grid, first: int, window: Profile, reference: Profile | None
    ) -> Iterator[Value]:
        """Yield the values of the window whose distributions begin at `first`."""
        binned = [(name, found) for name, found in self.binned.items() if name in self.wanted]
        mixes = [(f"group_mix_{name}", name) for name in ON_MIX]
        mixed = [(name, self.binned[on]) for name, on in mixes if name in self.wanted]
        curved = self._curved(grid, window, reference)
        for at, name in enumerate(self.plan.names):
            n, m, test = self.n[first + at], self.m[first + at], self.tests[first + at]
            if at == grid.score and not n and not m:
                continue
            one = _Column.of(name, n, None if reference is None else m, test)
            yield from one.values(binned if at < self.plan.mixes else mixed, first + at)
            if curved and at < len(grid.axes):
                yield from one.on_curves(curved, at, constant=not grid.axes[at].sd > 0)

    def _curved(
        self, grid: Grid, window: Profile, reference: Profile | None
    ) -> list[tuple[str, Numbers]]:
        wanted = [metric for metric in ON_CURVES if metric in self.wanted]
        if not wanted or reference is None:
            return [(metric, ()) for metric in wanted]
        at, found = curves.widths_of(grid), curves.Curves.of(grid, window, reference)
        return [(metric, _listed(ON_CURVES[metric](at, found))) for metric in wanted]


def _listed(arrays: tuple[npt.NDArray[np.float64], ...]) -> Numbers:
    return tuple(array.tolist() for array in arrays)


class _Column(msgspec.Struct, frozen=True, gc=False):
    """One distribution: its name, its totals, its test, and why there is nothing to compare."""

    name: str
    n: int
    m: int | None
    test: TwoSample
    why: str

    @classmethod
    def of(cls, name: str, n: int, m: int | None, test: TwoSample) -> _Column:
        """Return a distribution of n rows, and m of the reference where there is one."""
        why = ""
        if m is None:
            why = _NO_REFERENCE
        elif not m:
            why = "the reference has no value in this column"
        elif not n:
            why = "the window has no value in this column"
        return cls(name, n, m, test, why)

    def values(self, metrics: Sequence[tuple[str, Numbers]], at: int) -> Iterator[Value]:
        """Yield what metrics say of the distribution at a place, or why they say nothing."""
        for metric, numbers in metrics:
            if self.why:
                yield self._nothing(metric, self.why)
            else:
                value, low, high = numbers[0][at], numbers[1][at], numbers[2][at]
                yield Value(metric, self.name, "", value, low, high, self.n, self.m, self.test)

    def on_curves(
        self, metrics: Iterable[tuple[str, Numbers]], at: int, *, constant: bool
    ) -> Iterator[Value]:
        """Yield the same of metrics that say how much binning can hide."""
        for metric, numbers in metrics:
            if self.why or (constant and metric == "wasserstein"):
                yield self._nothing(metric, self.why or _CONSTANT)
                continue
            value, low, high, bound = (one[at] for one in numbers)
            note = f"binning error at most {bound:.2g}"
            yield Value(metric, self.name, "", value, low, high, self.n, self.m, self.test, note)

    def _nothing(self, metric: str, why: str) -> Value:
        return nothing(metric, self.name, why, n=self.n, reference_n=self.m)
