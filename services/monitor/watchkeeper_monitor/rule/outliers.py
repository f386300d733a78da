"""The mean of squares that a handful of windows out of control cannot lift."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import special

Floats = npt.NDArray[np.float64]

_TAIL = 0.999


def held_mean(ratios: Floats, dof: float) -> float:
    """Return the mean of scaled chi-squares over their degrees, outliers held to the tail.

    What lies beyond the 99.9 % point of a chi-square with the same median is counted as that
    point.
    """
    median = float(np.median(ratios)) / (_quantile(0.5, dof) / dof)
    if median <= 0:
        return 0.0
    return float(np.minimum(ratios, median * _quantile(_TAIL, dof) / dof).mean())


def _quantile(share: float, dof: float) -> float:
    return float(special.chdtri(dof, 1 - share))
