"""How far the window has moved from the reference: features, prediction, score, group mix."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from watchkeeper_monitor.grids import Grid
from watchkeeper_monitor.metrics import curves
from watchkeeper_monitor.metrics.chisquare import chi_squares
from watchkeeper_monitor.metrics.distances import Pairs, spreads
from watchkeeper_monitor.metrics.ragged import Ragged
from watchkeeper_monitor.metrics.ridits import Ridits
from watchkeeper_monitor.metrics.values import TwoSample, Value, nothing
from watchkeeper_monitor.profiles import Profile
from watchkeeper_monitor.profiles.layout import layout_of

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
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


@dataclass(frozen=True, eq=False)
class _Base:
    """What windows are compared with.

    Parameters
    ----------
    bins
        The reference's counts; all zero without a reference.
    ridits
        Of its bins.
    """

    bins: Ints
    ridits: Ridits

    @classmethod
    def of(cls, plan: Plan, bins: Ints) -> _Base:
        return cls(bins, Ridits.of(plan.cells, bins))


@lru_cache(maxsize=256)
def _base_of(grid: Grid, reference: Profile, _rows: int) -> _Base:
    """Return a reference's part, worked out once for all windows that are compared with it."""
    plan = plan_of(grid)
    return _Base.of(plan, plan.bins(reference))


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
    counts = np.array([plan.bins(window) for window in windows])
    if reference is None:
        base = _Base.of(plan, np.zeros_like(counts[0]))
    else:
        base = _base_of(grid, reference, reference.rows)
    pairs = Pairs.of(plan.cells.repeated(times), counts.ravel(), np.tile(base.bins, times))
    n, m = pairs.totals.astype(np.int64).tolist()
    tests = _tests(pairs, base.ridits.of_windows(counts), len(grid.axes))
    known = _Known(plan, n, [None] * len(m) if reference is None else m, tests)
    names = [name for name in ON_COUNTS if not {name, f"group_mix_{name}"}.isdisjoint(wanted)]
    binned = {
        name: known.binned(name, _listed(found)) for name, found in spreads(pairs, names).items()
    }
    whole = _Measured(known, binned, frozenset(wanted))
    return [
        list(whole.values(grid, at * len(plan.names), window, reference))
        for at, window in enumerate(windows)
    ]


def _tests(pairs: Pairs, places: Iterable[Floats], ordered: int) -> list[TwoSample]:
    """Return the test of each distribution; the first of each window know where they lie.

    Parameters
    ----------
    places
        Mean ridit and its variances, `[windows, distributions]`.
    ordered
        How many of a window's distributions have ascending cells; they come first.
    """
    mean, *variances = places
    is_ordered = np.arange(mean.size) % mean.shape[-1] < ordered
    return [
        TwoSample(statistic, dof, *place) if dof and has_place else TwoSample(statistic, dof)
        for statistic, dof, has_place, *place in zip(
            *chi_squares(pairs),
            is_ordered.tolist(),
            *(one.ravel().tolist() for one in (mean, *variances)),
            strict=True,
        )
    ]


@dataclass(frozen=True, slots=True)
class _Known:
    """The distributions of several windows, window after window.

    Parameters
    ----------
    n, m, tests
        Rows of each, those of the reference where there is one, and its test.
    """

    plan: Plan
    n: list[int]
    m: Sequence[int | None]
    tests: list[TwoSample]

    def binned(self, metric: str, numbers: Numbers) -> list[Value]:
        """Return what a metric says of each, or why it says nothing; of attributes, their mix."""
        plan, windows = self.plan, len(self.n) // len(self.plan.names)
        mixes = len(plan.names) - plan.mixes
        metrics = ([metric] * plan.mixes + [f"group_mix_{metric}"] * mixes) * windows
        columns = metrics, plan.names * windows, self.n, self.m, self.tests
        return [
            Value(called, name, "", value, low, high, n, m, test)
            if n and m
            else _nothing(called, name, n, m)
            for called, name, n, m, test, value, low, high in zip(*columns, *numbers, strict=True)
        ]

    def curved(self, metric: str, numbers: Numbers, axis: int, place: int) -> Value:
        """Return the same of one axis, with how much binning can hide."""
        n, m, name = self.n[place], self.m[place], self.plan.names[axis]
        if not (n and m):
            return _nothing(metric, name, n, m)
        value, low, high, bound = (one[axis] for one in numbers)
        note = f"binning error at most {bound:.2g}"
        return Value(metric, name, "", value, low, high, n, m, self.tests[place], note)


@dataclass(frozen=True, slots=True)
class _Measured:
    """Several windows: their distributions, and what metrics on counts say of each."""

    known: _Known
    binned: dict[str, list[Value]]
    wanted: frozenset[str]

    def values(
        self, grid: Grid, first: int, window: Profile, reference: Profile | None
    ) -> Iterator[Value]:
        """Yield the values of the window whose distributions begin at `first`."""
        known, wanted = self.known, self.wanted
        of_columns = [found for name, found in self.binned.items() if name in wanted]
        of_mixes = [self.binned[name] for name in ON_MIX if f"group_mix_{name}" in wanted]
        curved = self._curved(grid, window, reference)
        for at in range(len(known.plan.names)):
            place = first + at
            if at == grid.score and not known.n[place] and not known.m[place]:
                continue
            for found in of_columns if at < known.plan.mixes else of_mixes:
                yield found[place]
            if curved and at < len(grid.axes):
                for metric, numbers in curved:
                    yield self._on_curve(grid, metric, numbers, at, place)

    def _on_curve(self, grid: Grid, metric: str, numbers: Numbers, axis: int, place: int) -> Value:
        value = self.known.curved(metric, numbers, axis, place)
        if value.value is None or metric != "wasserstein" or grid.axes[axis].sd > 0:
            return value
        return nothing(metric, value.column, _CONSTANT, n=value.n, reference_n=value.reference_n)

    def _curved(
        self, grid: Grid, window: Profile, reference: Profile | None
    ) -> list[tuple[str, Numbers]]:
        wanted = [metric for metric in ON_CURVES if metric in self.wanted]
        if not wanted or reference is None:
            return [(metric, ()) for metric in wanted]
        at, found = curves.widths_of(grid), curves.Curves.of(grid, window, reference)
        return [(metric, _listed(ON_CURVES[metric](at, found))) for metric in wanted]


def _listed(arrays: tuple[Floats, ...]) -> Numbers:
    return tuple(array.tolist() for array in arrays)


def _nothing(metric: str, name: str, n: int, m: int | None) -> Value:
    why = _NO_REFERENCE
    if m is not None:
        why = f"the {'window' if m else 'reference'} has no value in this column"
    return nothing(metric, name, why, n=n, reference_n=m)
