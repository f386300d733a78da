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

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from watchkeeper_monitor.metrics.ragged import Ragged

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Ridits:
    """What a reference fixes, once for all windows that are compared with it.

    Parameters
    ----------
    cells
        Where each distribution stands; its cells are in ascending order.
    scores
        Twice the rows below each cell and those in it: integers, so sums are exact.
    rows
        Of each distribution; 1 where it has none, and then the numbers mean nothing.
    variance
        Of the ridit of one row: `(1 - sum p^3) / 12` with p the shares of the cells.
    """

    cells: Ragged
    scores: Ints
    rows: Ints
    variance: Floats

    @classmethod
    def of(cls, cells: Ragged, reference: Ints) -> Ridits:
        """Return the ridits of the cells in which a reference was counted."""
        rows = np.maximum(cells.sum(reference), 1)
        counts = reference.astype(np.float64)
        cubes = cells.sum(counts * counts * counts) / rows.astype(np.float64) ** 3
        return cls(cells, 2 * cells.running(reference) - reference, rows, (1 - cubes) / 12)

    def of_windows(self, counts: Ints) -> tuple[Floats, Floats, Floats]:
        """Return mean ridits, and their variances for independent rows.

        The variance of one row divided by the window's rows, and by the reference's; each of
        the three is `[windows, distributions]`.

        Parameters
        ----------
        counts
            `[windows, cells]`. Without rows the numbers mean nothing.
        """
        rows = np.maximum(self.cells.sum(counts), 1)
        mean = self.cells.sum(self.scores * counts) / (2.0 * self.rows * rows)
        of_base = np.broadcast_to(self.variance / self.rows, mean.shape)
        return mean, self.variance / rows, of_base
