"""What labels add to a profile: confusion, scores by label, losses and errors."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from watchkeeper_monitor.grids import Grid
from watchkeeper_monitor.profiles.calibrating import add_calibration
from watchkeeper_monitor.profiles.erring import add_errors
from watchkeeper_monitor.profiles.exact import LOSS, LOSS_SQUARE, UNIT
from watchkeeper_monitor.profiles.labelled import Labelled
from watchkeeper_monitor.profiles.layout import Layout

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

__all__ = ["Labelled", "add"]

_CLIP = float(np.finfo(np.float64).eps)
"""Where log loss clips probabilities; scikit-learn clips at the same place."""


def add(into: Ints, labelled: Labelled, sign: int, grid: Grid, at: Layout) -> None:
    """Add (sign 1) or take back (sign -1) labels."""
    at.view(into, "labelled")[0] += sign * len(labelled.label)
    if grid.regression:
        add_errors(into, labelled, sign, grid, at)
        return
    _add_confusion(into, labelled, sign, at)
    _add_groups(into, labelled, sign, grid, at)
    if grid.positive >= 0:
        _add_scores(into, labelled, sign, grid, at)
    elif labelled.class_scores is not None:
        _add_class_scores(into, labelled.label, labelled.class_scores, sign, at)


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
    cells = grid.score_buckets.cells(p[None])[0] + y * axis.cells
    histogram = at.view(into, "label_scores")
    counts = np.bincount(cells, minlength=histogram.size)
    histogram += sign * counts.reshape(histogram.shape)
    groups = labelled.groups[:, scored] + at.group_starts[:-1, None]
    add_calibration(into, p, y, groups, sign, at)
    loss = -np.log(np.clip(np.where(y, p, 1.0 - p), _CLIP, 1.0 - _CLIP))
    _add_losses(into, (p - y) ** 2, loss, sign, at)


def _add_losses(into: Ints, squared: Floats, loss: Floats, sign: int, at: Layout) -> None:
    at.view(into, "scored_labels")[0] += sign * squared.size
    for name, quantity, values in (
        ("brier", UNIT, squared),
        ("brier_squares", UNIT, squared**2),
        ("log_loss", LOSS, loss),
        ("log_loss_squares", LOSS_SQUARE, loss**2),
    ):
        at.view(into, name)[:] += sign * quantity.sums(values)


def _add_class_scores(
    into: Ints, label: npt.NDArray[np.int16] | Floats, scores: Floats, sign: int, at: Layout
) -> None:
    """Add the losses of rows with a probability for every class and a label of a known one."""
    whole = ((scores >= 0) & (scores <= 1)).all(axis=0) & (label < len(scores))
    p, y = scores[:, whole], label[whole].astype(np.int64)
    if not y.size:
        return
    of_label = p[y, np.arange(y.size)]
    # Twice a row's score for two classes: the sum over classes, as Brier defined it.
    squared = (p * p).sum(axis=0) - 2 * of_label + 1.0
    _add_losses(into, squared, -np.log(np.clip(of_label, _CLIP, 1.0 - _CLIP)), sign, at)
