"""Where the rows of a window lie among those of the reference: their mean ridit.

The ridit of a cell is the share of the reference below it and half the share in it. Averaged
over the rows of a window it is the chance that one of them lies above a row of the reference,
equal ones counted half: 0.5 where nothing moved. The scores are fixed by the reference, so it
is a plain mean of rows, which says nothing about the reference's own error: windows that are
alike agree on it, wherever the reference itself happened to fall.

References
----------
.. [1] I. D. J. Bross, "How to use ridit analysis", Biometrics 14, 1958, 18-38.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from watchkeeper_monitor.metrics.ragged import Ragged
from watchkeeper_monitor.metrics.values import TwoSample

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def ridits(cells: Ragged, window: Ints, reference: Ints) -> tuple[Floats, Floats, Floats]:
    """Return the mean ridit of each distribution, and its variances for independent rows.

    The variance of one row is that of the reference's rows, `(1 - sum p^3) / 12` with p the
    shares of its cells; divided by the window's rows, and by the reference's.

    Parameters
    ----------
    window, reference
        Counts in ascending cells. A distribution without rows on either side gives numbers
        that mean nothing.
    """
    rows, base = np.maximum(cells.sum(window), 1), np.maximum(cells.sum(reference), 1)
    # Twice the rows below each cell and half of those in it: integers, so sums are exact.
    below = 2 * cells.running(reference) - reference
    mean = cells.sum(below * window) / (2.0 * base * rows)
    counts = reference.astype(np.float64)
    row = (1 - cells.sum(counts * counts * counts) / base.astype(np.float64) ** 3) / 12
    return mean, row / rows, row / base


def placed(
    tests: Sequence[TwoSample],
    ordered: Sequence[bool],
    cells: Ragged,
    window: Ints,
    reference: Ints,
) -> list[TwoSample]:
    """Return the tests, those of ordered cells knowing where the window lies.

    Parameters
    ----------
    ordered
        Which distributions have ascending cells.
    """
    numbers = (one.tolist() for one in ridits(cells, window, reference))
    return [
        TwoSample(test.statistic, test.dof, *place) if is_ordered and test.dof else test
        for test, is_ordered, *place in zip(tests, ordered, *numbers, strict=True)
    ]
