"""The groups of one attribute in a window, and the rates that fairness compares.

Values that the reference did not hold, and rows without the attribute, are in no group.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec
import numpy as np
import numpy.typing as npt

from watchkeeper_monitor.grids import Categories, Grid
from watchkeeper_monitor.intervals import Interval, wilson
from watchkeeper_monitor.metrics.calibration import Calibration
from watchkeeper_monitor.metrics.values import Rate
from watchkeeper_monitor.profiles import Profile

Ints = npt.NDArray[np.int64]
Counted = tuple[list[int], list[int]]

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
    """

    group: str
    test: Rate
    share: float
    interval: Interval

    @classmethod
    def of(cls, group: str, successes: int, n: int) -> GroupRate:
        """Return the rate of a group with at least one row."""
        return cls(group, Rate(successes, n), successes / n, wilson(successes, n))


@dataclass(frozen=True, slots=True)
class Groups:
    """One attribute's groups.

    Parameters
    ----------
    attribute
        Its name; of an intersection such as `SEX&RAC1P`.
    predicted, labelled
        Group → rows, and rows with a label.
    rates
        Rate → group → what it is; a group without a denominator is left out.
    calibrations
        Group → its calibration; a group without labelled scores is left out.
    """

    attribute: str
    predicted: dict[str, int]
    labelled: dict[str, int]
    rates: dict[str, dict[str, GroupRate]]
    calibrations: dict[str, Calibration]

    def rows(self, kind: str) -> dict[str, int]:
        """Return the rows that a rate of this kind goes over, by group."""
        return self.predicted if kind == "selection" else self.labelled

    def segment(self, group: str) -> str:
        """Return the segment of a group."""
        return segment_of(self.attribute, group)


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
    column: Categories, at: slice, grid: Grid, window: Profile, calibrations: list[Calibration]
) -> Groups:
    """Return the groups of an attribute.

    Parameters
    ----------
    at
        Where its groups stand in the group sections.
    calibrations
        Of everything and then of all groups; empty where the task has none.
    """
    labelled = window.section("group_labelled")[at]
    predicted = window.section("group_predictions")[at]
    counted = dict(_counted(predicted, window, at, grid))
    rates = {
        kind: {
            name: GroupRate.of(name, hits, n)
            for name, hits, n in zip(column.values, *of_kind, strict=False)
            if n
        }
        for kind, of_kind in counted.items()
    }
    mine = calibrations[1:][at]
    return Groups(
        column.name,
        dict(zip(column.values, predicted.sum(axis=1).tolist(), strict=False)),
        dict(zip(column.values, labelled.tolist(), strict=False)),
        rates,
        {name: one for name, one in zip(column.values, mine, strict=False) if one.n},
    )


def _counted(
    predicted: Ints, window: Profile, at: slice, grid: Grid
) -> Iterator[tuple[str, Counted]]:
    """Yield hits and denominators by code."""
    labelled = window.section("group_labelled")[at].tolist()
    if grid.positive >= 0:
        confusion = window.section("group_confusion")[at]
        hits = confusion[:, 1, 1].tolist()
        yield "selection", (predicted[:, grid.positive].tolist(), predicted.sum(axis=1).tolist())
        yield "true_positive", (hits, confusion[:, 1].sum(axis=1).tolist())
        yield "false_positive", (confusion[:, 0, 1].tolist(), confusion[:, 0].sum(axis=1).tolist())
        yield "precision", (hits, confusion[:, :, 1].sum(axis=1).tolist())
        right = confusion[:, 0, 0] + confusion[:, 1, 1]
        yield "accuracy", (right.tolist(), labelled)
    else:
        yield "accuracy", (window.section("group_correct")[at].tolist(), labelled)
