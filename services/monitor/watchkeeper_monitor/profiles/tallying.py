"""Probabilities counted and summed at places, exactly and in few steps."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from watchkeeper_monitor.profiles.exact import LIMB, PROBABILITY

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_BLOCK = 1 << 12
"""So many probabilities, in whole units of 2**-40, sum without rounding in a float64."""


def tally(probabilities: Floats, places: Ints, size: int) -> tuple[Ints, Ints]:
    """Return the rows at each place, and the limbs of the sums of their probabilities.

    Parameters
    ----------
    probabilities
        `[n]`, none NaN.
    places
        `[k, n]`: each row counts at k places.

    Returns
    -------
    `[size]` and `[size, 2]`

    Examples
    --------
    >>> rows, sums = tally(np.array([0.25, 0.5]), np.array([[0, 0], [1, 2]]), 3)
    >>> rows.tolist(), PROBABILITY.total(sums).tolist()
    ([2, 1, 1], [0.75, 0.25, 0.5])
    """
    rows, limbs = np.zeros(size, dtype=np.int64), np.zeros((size, 2), dtype=np.int64)
    units = np.rint(probabilities * 2.0**PROBABILITY.bits)
    for start in range(0, units.size, _BLOCK):
        some = places[:, start : start + _BLOCK]
        weights = np.empty(some.shape)
        weights[:] = units[start : start + _BLOCK]
        flat = some.ravel()
        rows += np.bincount(flat, minlength=size)
        totals = np.bincount(flat, weights.ravel(), size).astype(np.int64)
        limbs[:, 0] += totals >> LIMB
        limbs[:, 1] += totals & ((1 << LIMB) - 1)
    return rows, limbs
