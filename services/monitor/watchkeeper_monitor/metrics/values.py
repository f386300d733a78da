"""One measured number, how sure it is, and what a decision may test it by.

Hundreds of these are made for every window, so they are structs of msgspec: made several times
faster than dataclasses, and, holding no cycles, of no concern to the garbage collector.
"""

from __future__ import annotations

import msgspec


class TwoSample(msgspec.Struct, frozen=True, gc=False):
    """Chi-square of window against reference, rare cells pooled.

    Parameters
    ----------
    statistic, dof
        The test against the reference.
    ridit, variance, base_variance
        Where the window lies, for cells that have an order (see `ridits`): the chance that a
        row of it is above one of the reference, and its variance for independent rows, of the
        window's and of the reference's. Without an order the variances are 0.
    """

    statistic: float
    dof: int
    ridit: float = 0.0
    variance: float = 0.0
    base_variance: float = 0.0


class Rate(msgspec.Struct, frozen=True, gc=False):
    """A share of independent rows.

    Parameters
    ----------
    successes, n
        The share is `successes / n`.
    dice
        The value is `2 p / (1 + p)` of that share p, as F1 is of TP / (TP + FP + FN).
    """

    successes: int
    n: int
    dice: bool = False


class RateGap(msgspec.Struct, frozen=True, gc=False):
    """Rate a minus rate b, a the greater.

    Parameters
    ----------
    a, b
        The two rates.
    looks
        Among how many comparisons this one was chosen; the evidence must pay for the choice.
    """

    a: Rate
    b: Rate
    looks: int = 2


class RateRatio(msgspec.Struct, frozen=True, gc=False):
    """Rate a over rate b, a the smaller; `looks` as in `RateGap`."""

    a: Rate
    b: Rate
    looks: int = 2


class Mean(msgspec.Struct, frozen=True, gc=False):
    """A mean of rows.

    Parameters
    ----------
    sum, squares, n
        Of the rows' values.
    bounds
        Between which every row's value lies, where that is known.
    root
        The value is the square root of the mean, as RMSE is.
    """

    sum: float
    squares: float
    n: int
    bounds: tuple[float, float] | None = None
    root: bool = False

    @property
    def mean(self) -> float:
        """The mean."""
        return self.sum / self.n

    @property
    def error(self) -> float:
        """The standard error of the mean."""
        if self.n < 2:  # noqa: PLR2004  one value has no spread
            return 0.0
        variance = max(self.squares - self.n * self.mean**2, 0.0) / (self.n - 1)
        return float((variance / self.n) ** 0.5)


class Estimate(msgspec.Struct, frozen=True, gc=False):
    """A value that is normal for large n, such as ROC AUC.

    Parameters
    ----------
    value, error
        The estimate and its standard error.
    bound
        How far binning alone can be off.
    looks
        Among how many comparisons this one was chosen; the evidence must pay for the choice.
    """

    value: float
    error: float
    bound: float = 0.0
    looks: int = 1


class Census(msgspec.Struct, frozen=True, gc=False):
    """Everything was counted: there is no sampling error to allow for."""


Test = TwoSample | Rate | RateGap | RateRatio | Mean | Estimate | Census


class Value(msgspec.Struct, frozen=True, gc=False):
    """One metric of one column and segment.

    Parameters
    ----------
    metric, column, segment
        What was measured; `segment` is empty for the whole window, else such as `SEX=2`.
    value
        The number; None when there is none to give, and then `note` says why.
    low, high
        The 95 % interval, binning included; None where the number is a plain count.
    n, reference_n
        Rows behind the number, in the window and in the reference if it was compared.
    test
        What a decision tests; None where nothing can be decided.
    note
        What a reader must know besides: groups used, groups too small, why there is no value.
    """

    metric: str
    column: str
    segment: str
    value: float | None
    low: float | None
    high: float | None
    n: int
    reference_n: int | None = None
    test: Test | None = None
    note: str = ""


def nothing(
    metric: str,
    column: str,
    note: str,
    *,
    n: int = 0,
    segment: str = "",
    reference_n: int | None = None,
) -> Value:
    """Return a Value without a number: silence is said aloud, never 0 and never NaN."""
    return Value(metric, column, segment, None, None, None, n, reference_n, None, note)
