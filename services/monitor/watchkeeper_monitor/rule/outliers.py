"""The mean of squares that a handful of windows out of control cannot lift."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import special

Floats = npt.NDArray[np.float64]

_TAIL = 0.999


def held(statistics: Floats, dof: float) -> Floats:
    """Return scaled chi-squares, outliers held to the tail.

    What lies beyond the 99.9 % point of a chi-square with the same median is counted as that
    point.

    Parameters
    ----------
    dof
        Degrees of freedom, which need not be whole.
    """
    scale = float(np.median(statistics)) / _quantile(0.5, dof)
    return np.minimum(statistics, scale * _quantile(_TAIL, dof))


def held_mean(ratios: Floats, dof: float) -> float:
    """Return the mean of scaled chi-squares over their degrees, outliers held."""
    return float(held(ratios, dof).mean())


def _quantile(share: float, dof: float) -> float:
    return float(special.chdtri(dof, 1 - share))
