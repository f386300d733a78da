"""What labels add to a profile: confusion, scores by label, losses and errors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from watchkeeper_monitor.grids import Grid
from watchkeeper_monitor.profiles.exact import (
    ERROR,
    ERROR_FOURTH,
    ERROR_SQUARE,
    LOSS,
    LOSS_SQUARE,
    UNIT,
)
from watchkeeper_monitor.profiles.layout import Layout

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_CLIP = float(np.finfo(np.float64).eps)
"""Where log loss clips probabilities; scikit-learn clips at the same place."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """Predictions together with their labels, in grid order.

    Parameters
    ----------
    prediction, label
        int16 `[n]` class codes as `Grid.label_codes` gives them; float64 for regression.
    score
        float64 `[n]`; NaN where none was sent.
    groups
        int16 `[attributes, n]` codes.
    """

    prediction: npt.NDArray[np.int16] | Floats
    label: npt.NDArray[np.int16] | Floats
    score: Floats
    groups: npt.NDArray[np.int16]


def add(into: Ints, labelled: Labelled, sign: int, grid: Grid, at: Layout) -> None:
    """Add (sign 1) or take back (sign -1) labels."""
    at.view(into, "labelled")[0] += sign * len(labelled.label)
    if grid.regression:
        _add_errors(into, labelled, sign, grid, at)
        return
    _add_confusion(into, labelled, sign, at)
    _add_groups(into, labelled, sign, grid, at)
    if grid.positive >= 0:
        _add_scores(into, labelled, sign, grid, at)


def _add_confusion(into: Ints, labelled: Labelled, sign: int, at: Layout) -> None:
    confusion = at.view(into, "confusion")
    places = labelled.label.astype(np.int64) * confusion.shape[1] + labelled.prediction
    counts = np.bincount(places.astype(np.int64), minlength=confusion.size)
    confusion += sign * counts.reshape(confusion.shape)


def _add_groups(into: Ints, labelled: Labelled, sign: int, grid: Grid, at: Layout) -> None:
    if not len(grid.attributes):
        return
    positive = (labelled.label == grid.positive) * 2 + (labelled.prediction == grid.positive)
    groups = labelled.groups + at.group_starts[:-1, None]
    confusion = at.view(into, "group_confusion")
    counts = np.bincount((groups * 4 + positive).ravel(), minlength=confusion.size)
    confusion += sign * counts.reshape(confusion.shape)
    size = int(at.group_starts[-1])
    at.view(into, "group_labelled")[:] += sign * np.bincount(groups.ravel(), minlength=size)
    right = labelled.label == labelled.prediction
    at.view(into, "group_correct")[:] += sign * np.bincount(
        groups[:, right].ravel(), minlength=size
    )


def _add_scores(into: Ints, labelled: Labelled, sign: int, grid: Grid, at: Layout) -> None:
    scored = ~np.isnan(labelled.score)
    p, y = labelled.score[scored], labelled.label[scored] == grid.positive
    if not p.size:
        return
    axis = grid.axes[grid.score]
    cells = np.searchsorted(axis.edge_array, p, side="right") + y * axis.cells
    histogram = at.view(into, "label_scores")
    counts = np.bincount(cells, minlength=histogram.size)
    histogram += sign * counts.reshape(histogram.shape)
    at.view(into, "scored_labels")[0] += sign * p.size
    squared = (p - y) ** 2
    loss = -np.log(np.clip(np.where(y, p, 1.0 - p), _CLIP, 1.0 - _CLIP))
    for name, quantity, values in (
        ("brier", UNIT, squared),
        ("brier_squares", UNIT, squared**2),
        ("log_loss", LOSS, loss),
        ("log_loss_squares", LOSS_SQUARE, loss**2),
    ):
        at.view(into, name)[:] += sign * quantity.sums(values)


def _add_errors(into: Ints, labelled: Labelled, sign: int, grid: Grid, at: Layout) -> None:
    """Add errors in reference sd of the prediction, held to 1,024 of them."""
    scale = grid.axes[-1].scale
    with np.errstate(over="ignore"):
        error = (labelled.prediction - labelled.label) / scale
    error = np.clip(error, -ERROR.limit, ERROR.limit)
    for name, quantity, values in (
        ("errors", ERROR, error),
        ("absolute_errors", ERROR, np.abs(error)),
        ("error_squares", ERROR_SQUARE, error**2),
        ("error_fourths", ERROR_FOURTH, error**4),
    ):
        at.view(into, name)[:] += sign * quantity.sums(values)
