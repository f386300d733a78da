"""Collecting why rows of a batch are refused: a mask, and the first reason of each row."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from watchkeeper_shared.events.rejects import Reject, RejectCode

Mask = npt.NDArray[np.bool_]


def as_mask(column: pa.Array) -> Mask:
    """Return a boolean column as a mask; a null is not true."""
    if column.null_count:
        column = column.fill_null(False)
    mask: Mask = column.to_numpy(zero_copy_only=False)
    return mask


class Refusals:
    """The rows of one batch that are refused so far.

    Parameters
    ----------
    rows
        How many rows the batch has.
    """

    def __init__(self, rows: int) -> None:
        self._refused: Mask = np.zeros(rows, dtype=np.bool_)
        self._rejects: list[Reject] = []

    def add(self, bad: Mask, code: RejectCode, detail: Callable[[int], str]) -> None:
        """Refuse the rows in `bad` that were not refused before.

        Parameters
        ----------
        bad
            One flag per row.
        code, detail
            Why; `detail` is asked only for the rows that are refused.
        """
        if not bad.any():
            return
        fresh = np.flatnonzero(bad & ~self._refused)
        self._rejects.extend(Reject(int(index), code, detail(int(index))) for index in fresh)
        self._refused[fresh] = True

    @property
    def rejects(self) -> tuple[Reject, ...]:
        """The refused rows in the order of the batch."""
        return tuple(sorted(self._rejects, key=lambda reject: reject.index))

    @property
    def kept(self) -> pa.BooleanArray | None:
        """The flags of the rows that remain, or None when all of them do."""
        return pa.array(~self._refused) if self._rejects else None
