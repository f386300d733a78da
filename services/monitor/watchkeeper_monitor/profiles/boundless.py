"""Exact sums of numbers whose size nobody knows beforehand: house prices, or shares of a millionth.

A sum is one long fixed-point number, kept as limbs of 31 bits (Kulisch's long accumulator). Where
a row stands in it follows from the row's own exponent, so the sum depends on which rows were
added and on nothing else: not on their order, not on how they were split, and what is taken back
leaves no trace.

* Precision: what is at least `2**-256` is added without any rounding, anything else to `2**-318`.
* Range: the fourth power of `2**64`. A value beyond counts as `LIMIT`.
* Overflow: a row adds at most 2**31 to a limb, so 2**31 rows leave every limb within int64.

References
----------
.. [1] U. Kulisch, Computer Arithmetic and Validity, 2nd ed., 2013, chapter 8.
.. [2] R. M. Neal, Fast exact summation using small and large superaccumulators, 2015.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import numpy.typing as npt

from watchkeeper_monitor.grids import Grid
from watchkeeper_monitor.profiles.exact import ERROR, LIMB

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

REACH = 2.0**64
"""Errors, labels and predictions are held to this many units, 1.8e19: to the fourth they fit."""
LIMIT = REACH**4
LIMBS = 19
_BITS = 318
_BLOCK = 1 << 16
_DIGIT = 2.0**LIMB
_SCALES = 2.0 ** (_BITS - LIMB * np.arange(-1.0, LIMBS - 1.0))
"""What makes whole numbers of two limbs of a value, by its highest limb."""
_MANTISSA_BITS, _EXPONENTS, _EXPONENT_BIAS = 52, (1 << 11) - 1, 1023


def is_far(grid: Grid, *values: Floats) -> Bools:
    """Return which rows have a value past what near sums hold; a missing one is near."""
    if not grid.has_unit:
        return np.ones(values[0].shape, dtype=np.bool_)
    far = np.abs(values[0]) >= ERROR.limit
    for each in values[1:]:
        far |= np.abs(each) >= ERROR.limit
    return far


def sums_at(values: Floats, places: Ints, size: int) -> Ints:
    """Return the limbs `[size, LIMBS]` of the sums of `values` at `places`; NaN adds nothing.

    Parameters
    ----------
    values
        `[n]` or `[k, n]`.
    places
        Below `size`, `[k, n]` or `[k, 1]`; k is at most 64.

    Examples
    --------
    >>> prices = np.array([3e5, 1e-6, -3e5])
    >>> float(total(sums_at(prices, np.zeros((1, 3), dtype=np.int64), 1)[0]))
    1e-06
    """
    limbs = np.zeros(size * LIMBS, dtype=np.int64)
    for start in range(0, values.shape[-1], _BLOCK):
        part = slice(start, start + _BLOCK)
        top, digits = _digits(values[..., part])
        at = (places if places.shape[-1] == 1 else places[:, part]) * LIMBS + top
        flat = at.ravel()
        for digit in digits:
            weights = np.broadcast_to(digit, at.shape).ravel()
            limbs += np.bincount(flat, weights, limbs.size).astype(np.int64)
            flat -= 1
    return limbs.reshape(size, LIMBS)


def _digits(values: Floats) -> tuple[Ints, tuple[Floats, Floats, Floats]]:
    """Return each value's highest limb, and what it adds to that one and to the two below.

    No step rounds, but for the last digit of what is less than `2**-256`. The lower two are
    never negative, so that a value and its opposite are not made of opposite digits; a value
    that is taken back is subtracted digit by digit, which needs no such thing.
    """
    rest = np.clip(values, -LIMIT, LIMIT)
    rest[np.isnan(rest)] = 0.0
    top = rest.view(np.int64) >> _MANTISSA_BITS
    top &= _EXPONENTS
    top -= _EXPONENT_BIAS - _BITS
    top //= LIMB
    np.maximum(top, 2, out=top)
    rest *= _SCALES[top]
    middle = np.floor(rest)
    rest -= middle
    rest *= _DIGIT
    high = np.floor(middle * (1 / _DIGIT))
    middle -= high * _DIGIT
    return top, (high, middle, np.rint(rest, out=rest))


def moments_at(values: Floats, places: Ints, size: int) -> Ints:
    """Return the limbs `[size, 2, LIMBS]` of sums of values, and of their exact squares.

    Parameters
    ----------
    values
        `[n]`.
    places
        `[k, n]`: each row counts at k places.
    """
    lines = np.repeat(np.stack([values, *squares(values)]), len(places), axis=0)
    twice = np.concatenate([2 * places, 2 * places + 1, 2 * places + 1])
    return sums_at(lines, twice, 2 * size).reshape(size, 2, LIMBS)


def total(limbs: Ints) -> Fraction:
    """Return the sum that `[LIMBS]` limbs are, exactly."""
    whole = sum(limb << (LIMB * at) for at, limb in enumerate(limbs.tolist()) if limb)
    return Fraction(whole, 1 << _BITS)


def squares(values: Floats) -> tuple[Floats, Floats]:
    """Return squares as floats, and what each lacks: together they are exact.

    Squares of labels of 1.7e9 that differ by seconds differ in their last bits alone, which R2
    is made of.

    References
    ----------
    .. [1] T. J. Dekker, A floating-point technique for extending the available precision, 1971.
    """
    split = 134217729.0 * values  # 2**27 + 1 cuts 53 bits in two halves
    high = split - (split - values)
    low = values - high
    rounded = values * values
    return rounded, ((high * high - rounded) + 2 * high * low) + low * low
