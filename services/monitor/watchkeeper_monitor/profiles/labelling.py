"""What labels add to a profile: confusion, scores by label, losses and errors."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from watchkeeper_monitor.grids import Grid
from watchkeeper_monitor.profiles.calibrating import add_calibration
from watchkeeper_monitor.profiles.erring import add_errors
from watchkeeper_monitor.profiles.exact import LOSS, LOSS_SQUARE, UNIT, sums_of
from watchkeeper_monitor.profiles.expecting import add_tracked
from watchkeeper_monitor.profiles.labelled import Labelled
from watchkeeper_monitor.profiles.layout import Layout

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

__all__ = ["Labelled", "add"]

_CLIP = float(np.finfo(np.float64).eps)
"""Where log loss clips probabilities; scikit-learn clips at the same place."""
_LOSSES = {
    "brier": UNIT,
    "brier_squares": UNIT,
    "log_loss": LOSS,
    "log_loss_squares": LOSS_SQUARE,
}


def add(into: Ints, labelled: Labelled, sign: int, grid: Grid, at: Layout) -> None:
    """Add (sign 1) or take back (sign -1) labels."""
    at.view(into, "labelled")[0] += sign * len(labelled.label)
    if labelled.echoed is not None:
        at.view(into, "echoed")[0] += sign * np.count_nonzero(labelled.echoed)
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
    places = labelled.label.astype(np.int64) * confusion.shape[1]
    places += labelled.prediction.astype(np.int64)
    counts = np.bincount(places, minlength=confusion.size)
    confusion += sign * counts.reshape(confusion.shape)


def _add_groups(into: Ints, labelled: Labelled, sign: int, grid: Grid, at: Layout) -> None:
    if not len(grid.attributes):
        return
    # Two classes that the grid does not know are not known to be the same.
    right = (labelled.label == labelled.prediction) & (labelled.label < len(grid.classes))
    actual, called = labelled.label == grid.positive, labelled.prediction == grid.positive
    places = at.places(labelled.groups) * 8 + (right * 4 + actual * 2 + called)
    size = int(at.group_starts[-1])
    counts = sign * np.bincount(places.ravel(), minlength=8 * size).reshape(size, 2, 2, 2)
    confusion, correct = counts.sum(axis=1), counts[:, 1].sum(axis=(1, 2))
    at.view(into, "group_confusion")[:] += confusion
    at.view(into, "group_labelled")[:] += confusion.sum(axis=(1, 2))
    at.view(into, "group_correct")[:] += correct


def _add_scores(into: Ints, labelled: Labelled, sign: int, grid: Grid, at: Layout) -> None:
    """Add what the rows with a score say of the scores."""
    scored = ~np.isnan(labelled.score)
    if not scored.all():
        labelled = labelled.take(scored)
    p, y = labelled.score, labelled.label == grid.positive
    if not p.size:
        return
    cells = grid.score_buckets.cells(p[None])[0]
    histogram = at.view(into, "label_scores")
    counts = np.bincount(cells + y * histogram.shape[1], minlength=histogram.size)
    histogram += sign * counts.reshape(histogram.shape)
    add_calibration(into, p, y, at.lines(labelled.groups), sign, at)
    if grid.curve is not None:
        called = labelled.prediction == grid.positive
        add_tracked(into, grid.curve.at(p, cells), y, called, sign, at)
    of_label = np.where(y, p, 1.0 - p)
    _add_losses(into, (p - y) ** 2, of_label, sign, at)


def _add_losses(into: Ints, squared: Floats, of_label: Floats, sign: int, at: Layout) -> None:
    """Add squared errors, and log losses of the probabilities that the labels were given."""
    loss = -np.log(np.minimum(np.maximum(of_label, _CLIP), 1.0 - _CLIP))
    at.view(into, "scored_labels")[0] += sign * squared.size
    values = np.stack([squared, squared**2, loss, loss**2])
    for name, sums in zip(_LOSSES, sums_of(tuple(_LOSSES.values()), values), strict=True):
        at.view(into, name)[:] += sign * sums


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
    _add_losses(into, squared, of_label, sign, at)
