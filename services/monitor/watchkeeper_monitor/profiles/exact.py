"""Real-valued sums as integers, so that no order of adding ever changes a bit.

A value is rounded once to a whole number of units of 2**-bits and from there on everything is
integer addition: associative, commutative, and reversible by subtracting. A sum takes two
int64 limbs, `total = high * 2**31 + low`.

* Precision: each row is off by at most 2**-(bits+1); so is, at most, a mean.
* Range: a row beyond its quantity's `limit` counts as the limit. `limit * 2**bits` is at most
  2**62, so that a row always fits.
* Overflow: a row adds less than 2**31 to the low limb and at most 2**31 to the high one, so a
  profile may hold 2**31 rows (2.1e9) before either limb could leave int64.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

LIMB = 31
_MASK = (1 << LIMB) - 1
_BLOCK = 1 << 21
MOST_ROWS = 1 << 31


@dataclass(frozen=True, slots=True)
class Quantity:
    """How finely and how far one kind of value is summed.

    Parameters
    ----------
    bits
        The unit is `2**-bits`.
    limit_bits
        Values are held to `[-2**limit_bits, 2**limit_bits]`.
    """

    bits: int
    limit_bits: int

    def __post_init__(self) -> None:
        """Refuse a unit so fine that a row would not fit."""
        if self.bits + self.limit_bits > 2 * LIMB:
            raise ValueError(
                f"bits + limit_bits must be at most 62, got {self.bits} + {self.limit_bits}"
            )

    @property
    def limit(self) -> float:
        """The largest value that a row can add."""
        return float(2.0**self.limit_bits)

    def sums(self, values: Floats) -> Ints:
        """Return the limbs `[..., 2]` of the sums over the last axis; NaN adds nothing."""
        whole = self._whole(values)
        if values.shape[-1] << (self.bits + self.limit_bits) < 1 << 63:  # the sum fits one limb
            total = whole.sum(axis=-1, dtype=np.int64)
            return np.stack([total >> LIMB, total & _MASK], axis=-1)
        return _limbs(whole)

    def sums_by(self, values: Floats, places: Ints, size: int) -> Ints:
        """Return the limbs `[size, 2]` of the sums of `values` `[n]` at `places` `[k, n]`.

        Half a row at a time, because 2**21 halves of 31 bits add up in a float64 exactly.
        """
        whole = self._whole(values)
        limbs = np.zeros((size, 2), dtype=np.int64)
        for start in range(0, values.size, _BLOCK):
            part = slice(start, start + _BLOCK)
            flat = places[:, part].ravel()
            for limb, halves in enumerate((whole[part] >> LIMB, whole[part] & _MASK)):
                weights = np.broadcast_to(halves, places[:, part].shape).ravel()
                limbs[:, limb] += np.bincount(flat, weights, size).astype(np.int64)
        return limbs

    def _whole(self, values: Floats) -> Ints:
        return _rounded(values, self.limit, 2.0**self.bits)

    def total(self, limbs: Ints) -> Floats:
        """Return sums as numbers, rounded once; `limbs` is `[..., 2]`.

        Both limbs are floats without rounding (the high one up to 2**53), so that only their
        addition rounds.
        """
        high, low = limbs[..., 0], limbs[..., 1]
        carried = (high + (low >> LIMB)) * 2.0 ** (LIMB - self.bits)
        return np.asarray(carried + (low & _MASK) * 2.0**-self.bits)

    def exact(self, limbs: Ints) -> Fraction:
        """Return a sum as it is; `limbs` is `[2]`."""
        high, low = limbs.tolist()
        return Fraction((high << LIMB) + low, 1 << self.bits)


def sums_of(quantities: Sequence[Quantity], values: Floats) -> Ints:
    """Return the limbs `[k, 2]` of the sums of k rows, each of its own quantity; NaN adds nothing.

    Examples
    --------
    >>> ERROR.total(sums_of((ERROR, ERROR), np.array([[1.0, 2.0], [0.5, np.nan]]))).tolist()
    [3.0, 0.5]
    """
    limits = np.array([[one.limit] for one in quantities])
    units = np.array([[2.0**one.bits] for one in quantities])
    return _limbs(_rounded(values, limits, units))


def _rounded(values: Floats, limit: float | Floats, units: float | Floats) -> Ints:
    """Return values in whole units, held to the limit."""
    held = np.maximum(values, -limit)
    np.minimum(held, limit, out=held)
    held[np.isnan(held)] = 0.0
    held *= units
    return np.rint(held, out=held).astype(np.int64)


def _limbs(whole: Ints) -> Ints:
    """Return the limbs of the sums over the last axis."""
    low = (whole & _MASK).sum(axis=-1, dtype=np.int64)
    high = (whole >> LIMB).sum(axis=-1, dtype=np.int64)
    return np.stack([high, low], axis=-1)


def carry(limbs: Ints) -> Ints:
    """Return the one normal form of `limbs` `[..., 2]`: the low limb in `[0, 2**31)`."""
    high, low = limbs[..., 0], limbs[..., 1]
    return np.stack([high + (low >> LIMB), low & _MASK], axis=-1)


EXCESS = Quantity(bits=40, limit_bits=22)
"""How far a value lies past the outer edge, in reference sd, held to 4 million."""
UNIT = Quantity(bits=60, limit_bits=2)
"""Something between -4 and 4, such as a squared error of a probability."""
PROBABILITY = Quantity(bits=40, limit_bits=0)
"""A calibrated probability; coarse enough that thousands of rows sum exactly in a float64."""
LOSS = Quantity(bits=56, limit_bits=6)
"""A log loss, at most 36.1 because probabilities are clipped at 2.2e-16."""
LOSS_SQUARE = Quantity(bits=50, limit_bits=12)
"""Its square, at most 1,300."""
ERROR = Quantity(bits=50, limit_bits=10)
"""An error of a regression in reference sd of its prediction, up to 1,024 (see `boundless`)."""
ERROR_SQUARE = Quantity(bits=40, limit_bits=20)
"""Its square."""
ERROR_FOURTH = Quantity(bits=20, limit_bits=40)
"""Its fourth power."""
RELATIVE = Quantity(bits=40, limit_bits=20)
"""An error as a multiple of the label, at most 1,024 of a label of at least 0.001."""
