"""Many distributions of unequal length side by side in one array, and sums over each.

A window has a distribution for every feature, output and attribute. Computed one by one, most
of the time goes into starting numpy; side by side each step is one call for all of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Ragged:
    """Where each distribution begins.

    Parameters
    ----------
    starts
        First places, ascending; none of them is empty.
    size
        Length of the whole array.
    """

    starts: Ints
    size: int

    @classmethod
    def of(cls, lengths: list[int]) -> Ragged:
        """Return distributions of these lengths, one after the other."""
        ends = np.cumsum(np.array(lengths, dtype=np.int64))
        return cls(ends - lengths, int(ends[-1]) if lengths else 0)

    def repeated(self, times: int) -> Ragged:
        """Return the same distributions so many times over, one array after the other."""
        if times == 1:
            return self
        firsts = np.arange(times, dtype=np.int64)[:, None] * self.size
        return Ragged((firsts + self.starts).ravel(), times * self.size)

    @cached_property
    def lengths(self) -> Ints:
        """How many places each distribution has."""
        return np.diff(self.starts, append=self.size)

    @cached_property
    def owner(self) -> Ints:
        """Which distribution each place belongs to."""
        return np.repeat(np.arange(self.starts.size), self.lengths)

    def sum(self, values: npt.NDArray[Any]) -> Any:
        """Return the sums over each distribution, along the last axis."""
        return np.add.reduceat(values, self.starts, axis=-1)

    def max(self, values: npt.NDArray[Any]) -> Any:
        """Return the greatest of each distribution."""
        return np.maximum.reduceat(values, self.starts, axis=-1)

    def min(self, values: npt.NDArray[Any]) -> Any:
        """Return the least of each distribution."""
        return np.minimum.reduceat(values, self.starts, axis=-1)

    def running(self, values: Ints) -> Ints:
        """Return running sums that begin anew with each distribution; exact for integers."""
        sums = np.cumsum(values)
        sums -= np.repeat(sums[self.starts] - values[self.starts], self.lengths)
        return sums
