"""From scores to probabilities: how often a score of that height was right in the reference.

Isotonic regression by pooling adjacent violators, in whole numbers until the one division at
the end: neither the order of the rows nor the machine changes a bit of it.

References
----------
.. [1] M. Ayer et al., Annals of Mathematical Statistics 26, 1955 (pool adjacent violators).
.. [2] B. Zadrozny, C. Elkan, KDD 2002 (isotonic regression as calibration).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import msgspec
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

FEWEST_LABELS = 100
"""With fewer labelled scores a calibration would follow noise, and there is none."""


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """A calibrator's curve in pieces, one for each cell of the scores: no search is needed.

    Parameters
    ----------
    start, height, slope
        Of the straight line that each cell lies under.
    """

    start: Floats
    height: Floats
    slope: Floats

    def at(self, scores: Floats, cells: Ints) -> Floats:
        """Return the probability that belongs to each score in its cell; NaN stays NaN."""
        found = scores - self.start.take(cells)
        found *= self.slope.take(cells)
        found += self.height.take(cells)
        return found


class Calibrator(msgspec.Struct, frozen=True, dict=True):
    """A rising curve from score to probability, straight between its knots.

    Parameters
    ----------
    scores
        Knots, strictly ascending; outside them the curve is flat.
    probabilities
        The share of positive labels there, never falling.
    rows
        Labelled reference rows behind the curve.
    """

    scores: tuple[float, ...]
    probabilities: tuple[float, ...]
    rows: int

    @cached_property
    def knots(self) -> tuple[Floats, Floats]:
        """The knots as arrays."""
        return np.array(self.scores), np.array(self.probabilities)

    def probability(self, scores: Floats) -> Floats:
        """Return the probability that belongs to each score; NaN stays NaN.

        Examples
        --------
        >>> Calibrator((0.0, 1.0), (0.5, 0.75), 2).probability(np.array([-1.0, 0.5, 2.0])).tolist()
        [0.5, 0.625, 0.75]
        """
        return np.asarray(np.interp(scores, *self.knots))

    @cached_property
    def bends(self) -> Floats:
        """Score edges between which the curve is one straight line: the flat stretches apart.

        A grid that has these edges can read the probability of a whole cell off the curve.
        """
        x, _ = self.knots
        return np.unique(np.concatenate([x, np.nextafter(x, np.inf)]))

    def curve(self, edges: Floats) -> Curve:
        """Return the curve over the cells between `edges`, which all `bends` are among."""
        x, y = self.knots
        with np.errstate(over="ignore"):
            slopes = np.append(np.diff(y) / np.diff(x), 0.0)
        slopes[np.isinf(slopes)] = 0.0  # no score lies between knots so close
        knot = np.searchsorted(x, np.append(-np.inf, edges), side="right") - 1
        return Curve(x[knot.clip(0)], y[knot.clip(0)], np.where(knot < 0, 0.0, slopes[knot]))

    @classmethod
    def fit(cls, scores: Floats, positive: Bools) -> Calibrator | None:
        """Fit the curve; None with under 100 rows or with labels of one class only.

        Parameters
        ----------
        scores, positive
            Of the labelled rows, `[n]`; rows with a NaN score are left out.
        """
        known = np.isfinite(scores)
        x, y = scores[known] + 0.0, positive[known]  # -0.0 becomes 0.0
        if x.size < FEWEST_LABELS or y.all() or not y.any():
            return None
        distinct, place, counts = np.unique(x, return_inverse=True, return_counts=True)
        hits = np.bincount(place.ravel(), weights=y, minlength=distinct.size)
        starts, shares = _pooled(hits.astype(np.int64).tolist(), counts.tolist())
        ends = np.append(starts[1:], distinct.size) - 1
        # A block is flat from its first to its last score: one knot if they are the same.
        at = np.stack([starts, ends], axis=1).ravel()
        keep = np.append(True, at[1:] != at[:-1])
        knots, heights = distinct[at][keep], np.repeat(shares, 2)[keep]
        return cls(tuple(knots.tolist()), tuple(heights.tolist()), int(x.size))


def _pooled(hits: list[int], counts: list[int]) -> tuple[Ints, Floats]:
    """Return the first place and the share of every block of the rising fit."""
    blocks: list[tuple[int, int, int]] = []  # first place, hits, rows
    for place, (more, rows) in enumerate(zip(hits, counts, strict=True)):
        first, hit, n = place, more, rows
        while blocks and blocks[-1][1] * n >= hit * blocks[-1][2]:
            first, before, rows_before = blocks.pop()
            hit, n = hit + before, n + rows_before
        blocks.append((first, hit, n))
    starts = np.array([first for first, _, _ in blocks], dtype=np.int64)
    return starts, np.array([hit / n for _, hit, n in blocks])
