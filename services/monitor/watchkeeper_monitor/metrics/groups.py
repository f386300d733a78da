"""The groups of one attribute in a window, and the rates that fairness compares.

Values that the reference did not hold, and rows without the attribute, are in no group.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgspec

from watchkeeper_monitor.grids import Categories, Grid
from watchkeeper_monitor.metrics.calibration import Calibration
from watchkeeper_monitor.metrics.intervals import Interval, Z, wilson
from watchkeeper_monitor.metrics.values import Rate
from watchkeeper_monitor.profiles import Profile

Counted = list[tuple[int, int]]
"""Hits and rows of each code."""

DENOMINATORS = {
    "selection": "row",
    "true_positive": "positive label",
    "false_positive": "negative label",
    "precision": "positive prediction with a label",
    "accuracy": "label",
}
"""What each rate is a share of, in words."""


class GroupRate(msgspec.Struct, frozen=True):
    """One group's rate, with its interval computed once.

    Parameters
    ----------
    group
        Its name.
    test
        The counts.
    share, interval
        Their ratio, and its Wilson interval.
    words
        Its name and share, as notes say them.
    """

    group: str
    test: Rate
    share: float
    interval: Interval
    words: str

    @classmethod
    def of(cls, group: str, successes: int, n: int) -> GroupRate:
        """Return the rate of a group with at least one row."""
        share, interval = successes / n, wilson(successes, n)
        return cls(group, Rate(successes, n), share, interval, f"{group} at {share:.4f}")

    def within(self, z: float) -> Interval:
        """Return the interval whose ends are z standard errors away."""
        return self.interval if z == Z else wilson(self.test.successes, self.test.n, z)


@dataclass(frozen=True, slots=True)
class Groups:
    """One attribute's groups.

    Parameters
    ----------
    attribute
        Its name; of an intersection such as `SEX&RAC1P`.
    segments
        Group → its segment.
    predicted, labelled
        Group → rows, and rows with a label.
    rates
        Rate → group → what it is; a group without a denominator is left out.
    calibrations
        Group → its calibration; a group without labelled scores is left out.
    """

    attribute: str
    segments: dict[str, str]
    predicted: dict[str, int]
    labelled: dict[str, int]
    rates: dict[str, dict[str, GroupRate]]
    calibrations: dict[str, Calibration]

    def rows(self, kind: str) -> dict[str, int]:
        """Return the rows that a rate of this kind goes over, by group."""
        return self.predicted if kind == "selection" else self.labelled


def segment_of(attribute: str, group: str) -> str:
    """Return the segment of a group.

    Examples
    --------
    >>> segment_of("SEX", "2"), segment_of("SEX&RAC1P", "2&3")
    ('SEX=2', 'SEX=2&RAC1P=3')
    """
    crossed = attribute.count("&")
    if not crossed:
        return f"{attribute}={group}"
    pairs = zip(attribute.split("&"), group.split("&", crossed), strict=True)
    return "&".join(f"{name}={value}" for name, value in pairs)


def groups_of(
    column: Categories, at: slice, grid: Grid, window: Profile, calibrated: Sequence[Calibration]
) -> Groups:
    """Return the groups of an attribute.

    Parameters
    ----------
    at
        Where its groups stand in the group sections.
    calibrated
        Of everything and then of all groups; empty where the task has none.
    """
    names = column.values
    predicted = window.section("group_predictions")[at].tolist()
    labelled = window.section("group_labelled")[at].tolist()
    rates = {
        kind: {
            name: GroupRate.of(name, hits, n)
            for name, (hits, n) in zip(names, counted, strict=False)
            if n
        }
        for kind, counted in _counted(predicted, labelled, window, at, grid)
    }
    return Groups(
        column.name,
        {name: segment_of(column.name, name) for name in names},
        dict(zip(names, map(sum, predicted), strict=False)),
        dict(zip(names, labelled, strict=False)),
        rates,
        {name: one for name, one in zip(names, calibrated[1:][at], strict=False) if one.n},
    )


def _counted(
    predicted: list[list[int]], labelled: list[int], window: Profile, at: slice, grid: Grid
) -> Iterator[tuple[str, Counted]]:
    """Yield what each rate is of, by code."""
    if grid.positive < 0:
        right = window.section("group_correct")[at].tolist()
        yield "accuracy", list(zip(right, labelled, strict=True))
        return
    tables = window.section("group_confusion")[at].tolist()
    yield "selection", [(row[grid.positive], sum(row)) for row in predicted]
    yield "true_positive", [(tp, fn + tp) for _, (fn, tp) in tables]
    yield "false_positive", [(fp, tn + fp) for (tn, fp), _ in tables]
    yield "precision", [(tp, fp + tp) for (_, fp), (_, tp) in tables]
    right = [tn + tp for (tn, _), (_, tp) in tables]
    yield "accuracy", list(zip(right, labelled, strict=True))
