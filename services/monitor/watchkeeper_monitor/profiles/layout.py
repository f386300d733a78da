"""Where everything stands in a profile's vector: laid out by the grid, never stored."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, pairwise
from math import prod

import numpy as np
import numpy.typing as npt

from watchkeeper_monitor.grids import Grid
from watchkeeper_monitor.grids.octaves import ERRORS, FAR_ERRORS, LATENCY
from watchkeeper_monitor.profiles.boundless import LIMBS

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

BINS = 15
"""Equal bins of scores for calibration."""

ERROR_SUMS = (
    "errors",
    "absolute_errors",
    "error_squares",
    "error_fourths",
    "relative_errors",
    "relative_error_squares",
    "label_moments",
    "label_squares",
)
"""What is summed of the labels of a regression: near rows in sections of these names, far ones
in the lines of `far_sums`, in this order."""

_SUMS = (
    "excess_below",
    "excess_above",
    "attribution_shares",
    "attribution_squares",
    "calibration_scores",
    "brier",
    "brier_squares",
    "log_loss",
    "log_loss_squares",
    *ERROR_SUMS,
    "group_answers",
    "group_answer_squares",
    "group_errors",
    "group_error_squares",
    "expected_positives",
    "tracked_positives",
)
"""The sections that hold two-limb sums; their last dimension is 2."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Names, places and shapes of the sections of one grid's profiles.

    Parameters
    ----------
    sections
        Name → (first place, the place after the last one, shape).
    size
        Length of the vector.
    near
        Length of the part of it that is not about far numbers: all, but of a regression.
    cell_starts
        Where each axis begins within the section `cells`; one more entry for its end.
    category_starts, group_starts
        Likewise within `categories`, and within the groups of all attributes.
    sum_places
        Places of the high limbs of all two-limb sums; the low limb follows each.
    """

    sections: dict[str, tuple[int, int, tuple[int, ...]]]
    size: int
    near: int
    cell_starts: Ints
    category_starts: Ints
    group_starts: Ints
    sum_places: Ints

    def view(self, vector: Ints, name: str) -> Ints:
        """Return one section of a vector, in its shape, without copying."""
        start, end, shape = self.sections[name]
        return vector[start:end].reshape(shape)

    @property
    def of_labels(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """Where all stands that labels add: from here, to there."""
        starts = {name: place[0] for name, place in self.sections.items()}
        return (
            (starts["labelled"], starts["expected_rows"]),
            (starts["far_sums"], starts["far_group_answers"]),
        )

    def places(self, groups: npt.NDArray[np.int16]) -> Ints:
        """Return the place of every row's group among the groups of all attributes.

        Parameters
        ----------
        groups
            Codes `[attributes, n]`.
        """
        return np.asarray(groups + self.group_starts[:-1, None])

    def lines(self, groups: npt.NDArray[np.int16]) -> Ints:
        """Return the lines that every row counts in, `[1 + attributes, n]`.

        Line 0 is everything, then comes each group of each attribute.
        """
        lines = np.zeros((1 + groups.shape[0], groups.shape[1]), dtype=np.int64)
        np.add(groups, self.group_starts[:-1, None] + 1, out=lines[1:])
        return lines


@lru_cache(maxsize=256)
def layout_of(grid: Grid) -> Layout:
    """Lay out the profiles of a grid."""
    cell_starts = _starts(axis.cells for axis in grid.axes)
    category_starts = _starts(column.codes for column in grid.categories)
    group_starts = _starts(column.codes for column in grid.attributes)
    shapes = _shapes(grid, int(cell_starts[-1]), int(category_starts[-1]), int(group_starts[-1]))
    places = [0, *accumulate(prod(shape) for shape in shapes.values())]
    sections = {
        name: (start, end, shape)
        for (name, shape), (start, end) in zip(shapes.items(), pairwise(places), strict=True)
    }
    sums = [np.arange(*sections[name][:2], 2) for name in _SUMS]
    return Layout(
        sections=sections,
        size=places[-1],
        near=sections["far_sums"][0],
        cell_starts=cell_starts,
        category_starts=category_starts,
        group_starts=group_starts,
        sum_places=np.concatenate(sums),
    )


def _starts(sizes: object) -> Ints:
    return np.array([0, *accumulate(sizes)], dtype=np.int64)  # type: ignore[call-overload]


def _shapes(grid: Grid, cells: int, categories: int, groups: int) -> dict[str, tuple[int, ...]]:
    axes, classes = len(grid.axes), len(grid.classes) + 1
    score_cells = grid.axes[grid.score].cells
    features = len(grid.features)
    everyone = groups + 1 if grid.positive >= 0 else 0
    numbers = int(grid.regression)
    lines = 0 if grid.calibrator is None else groups + 1
    return {
        # What predictions alone say.
        "rows": (1,),
        "cells": (cells,),
        "nulls": (axes,),
        "mistyped": (axes,),
        "excess_below": (axes, 2),
        "excess_above": (axes, 2),
        "categories": (categories,),
        "predictions": (classes,),
        "group_predictions": (groups, classes),
        "latency_cells": (LATENCY.cells,),
        "outcomes": (2,),  # [named, failed]
        "explained": (1,),
        "attributed": (1,),
        "attribution_shares": (features, 2),
        "attribution_squares": (features, 2),
        "attribution_leads": (features,),
        "group_answers": (numbers * groups, 2),
        "group_answer_squares": (numbers * groups, 2),
        # What labels add.
        "labelled": (1,),
        "unknown_labels": (1,),
        "echoed": (1,),  # of the labelled ones, those that are not among the rows
        "confusion": (classes, classes),  # [label, prediction]
        "group_labelled": (groups,),
        "group_correct": (groups,),
        "group_confusion": (groups, 2, 2),  # [label is positive, prediction is positive]
        "label_scores": (2, score_cells),  # [label is positive, score cell]
        "calibration_rows": (everyone, BINS),  # [everything and then each group, bin of score]
        "calibration_positive": (everyone, BINS),
        "calibration_scores": (everyone, BINS, 2),
        "scored_labels": (1,),
        "brier": (2,),
        "brier_squares": (2,),
        "log_loss": (2,),
        "log_loss_squares": (2,),
        "errors": (2,),
        "absolute_errors": (2,),
        "error_squares": (2,),
        "error_fourths": (2,),
        "relative_errors": (2,),
        "relative_error_squares": (2,),
        "label_moments": (2,),
        "label_squares": (2,),
        "error_cells": (numbers * ERRORS.cells,),
        "group_errors": (numbers * groups, 2),
        "group_error_squares": (numbers * groups, 2),
        # What calibrated scores say of labels that have not come; nothing without a calibrator.
        "expected_rows": (lines, 2),  # [everything and then each group, prediction is positive]
        "expected_positives": (lines, 2, 2),
        "tracked_rows": (min(lines, 1) * 2, 2),  # [label is positive, prediction is positive]
        "tracked_positives": (min(lines, 1) * 2, 2),
        # What lies past the sums above; nothing but of a regression. First what labels add.
        "far_sums": (numbers * len(ERROR_SUMS), LIMBS),
        "far_error_cells": (numbers * FAR_ERRORS.cells,),
        "far_group_errors": (numbers * groups, 2, LIMBS),  # [group, errors and their squares]
        "held_labelled": (numbers * 2,),  # rows counted before ADR 17: [errors, labels] held
        "far_group_answers": (numbers * groups, 2, LIMBS),
        "held_answers": (numbers,),
    }
