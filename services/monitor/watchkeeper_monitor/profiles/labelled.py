"""Predictions whose labels are known, as arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


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
    class_scores
        float64 `[classes, n]` of a multiclass system; None where none were sent.
    echoed
        bool `[n]`: the label alone told of its prediction, which is not among the rows; None
        where that is true of none.
    """

    prediction: npt.NDArray[np.int16] | Floats
    label: npt.NDArray[np.int16] | Floats
    score: Floats
    groups: npt.NDArray[np.int16]
    class_scores: Floats | None = None
    echoed: npt.NDArray[np.bool_] | None = None

    def take(self, rows: npt.NDArray[np.bool_]) -> Labelled:
        """Return the rows of a mask."""
        scores = self.class_scores
        return Labelled(
            self.prediction[rows],
            self.label[rows],
            self.score[rows],
            self.groups[:, rows],
            None if scores is None else scores[:, rows],
            None if self.echoed is None else self.echoed[rows],
        )
