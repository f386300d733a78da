"""Intervals to show and one-sided tests to decide by, for rates, gaps, ratios and means.

Shown intervals are at 95 %. Tests return how probable data at least this far past the limit
would be if the truth were exactly at the limit; the decision compares that with the level
that the alarm budget leaves.

References
----------
.. [1] E. B. Wilson, JASA 22, 1927 (one rate).
.. [2] C. J. Clopper, E. S. Pearson, Biometrika 26, 1934 (one rate, exact).
.. [3] R. G. Newcombe, Statistics in Medicine 17, 1998, 873-890, method 10 (difference).
.. [4] S. D. Walter, Biometrics 31, 1975 (ratio, logarithm with one half added).
.. [5] C. P. Farrington, G. Manning, Statistics in Medicine 9, 1990 (difference under a limit).
.. [6] R. G. Newcombe, Statistics in Medicine 25, 2006, 559-573, method 5 (ROC AUC).
.. [7] A. Agresti, B. A. Coull, American Statistician 52, 1998 (rows added to a rate).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from scipy import special

LEVEL = 0.95
Z = float(special.ndtri(0.5 + LEVEL / 2))

_HALVINGS = 40
_ADDED = 4
"""Successes, and as many failures, that a test counts besides. Half the square of the normal
quantile [7]_: 2 for an interval of 95 %, 4 at a level of three in a thousand. Simulated with 1 to
100 positives and the truth at the limit, tests at 1, 0.1 and 0.01 % passed in at most 1.3, 0.2 and
0.03 % of windows."""

Number = TypeVar("Number", float, npt.NDArray[np.float64])

Interval = tuple[float, float]


def wilson(successes: float, n: int, z: float = Z) -> Interval:
    """Return the score interval of one rate, its ends z standard errors away.

    Examples
    --------
    >>> [round(end, 4) for end in wilson(8, 10)]
    [0.4902, 0.9433]
    """
    rate, z2 = successes / n, z * z
    middle = (rate + z2 / (2 * n)) / (1 + z2 / n)
    half = z / (1 + z2 / n) * math.sqrt(rate * (1 - rate) / n + z2 / (4 * n * n))
    low = 0.0 if successes == 0 else max(0.0, middle - half)
    high = 1.0 if successes == n else min(1.0, middle + half)
    return low, high


def newcombe(a: tuple[int, int], b: tuple[int, int]) -> Interval:
    """Return the hybrid score interval of the difference of two rates `(successes, n)`.

    Examples
    --------
    >>> [round(end, 4) for end in newcombe((56, 70), (48, 80))]
    [0.0524, 0.3339]
    """
    return newcombe_of(a[0] / a[1], wilson(*a), b[0] / b[1], wilson(*b))


def newcombe_of(rate_a: float, of_a: Interval, rate_b: float, of_b: Interval) -> Interval:
    """Return the interval of a difference from two rates and their Wilson intervals."""
    gap = rate_a - rate_b
    low = gap - math.hypot(rate_a - of_a[0], of_b[1] - rate_b)
    high = gap + math.hypot(of_a[1] - rate_a, rate_b - of_b[0])
    return max(-1.0, low), min(1.0, high)


def mean_of_rates(rates: Sequence[tuple[int, int]]) -> Interval:
    """Return the interval of the mean of independent rates `(successes, n)`."""
    even = 1 / len(rates)
    low, high = sum_of([(even, s / n, wilson(s, n)) for s, n in rates])
    return max(0.0, low), min(1.0, high)


def sum_of(parts: Sequence[tuple[float, float, Interval]]) -> Interval:
    """Return the interval of a sum of independent numbers `(weight, number, its interval)`.

    As for a difference: the distances to the ends, added in quadrature. Those of a Wilson
    interval are not 0 where a rate is 1.
    """
    value = sum(weight * number for weight, number, _ in parts)
    down = math.hypot(*(weight * (number - ends[0]) for weight, number, ends in parts))
    up = math.hypot(*(weight * (ends[1] - number) for weight, number, ends in parts))
    return value - down, value + up


def area(value: float, positives: int, negatives: int) -> Interval:
    """Return the score interval of an area under the ROC curve [6]_.

    The areas that lie Z of their own standard errors from the value: near 1, and of few
    positives, the error that the ranks show is too small, and 0 at 1.

    Examples
    --------
    >>> [round(end, 3) for end in area(1.0, 20, 20)]
    [0.899, 1.0]
    """
    return _area_end(value, 0.0, positives, negatives), _area_end(value, 1.0, positives, negatives)


def _area_end(value: float, far: float, positives: int, negatives: int) -> float:
    near = value
    for _ in range(_HALVINGS):
        middle = (near + far) / 2
        if abs(value - middle) > Z * area_error(middle, positives, negatives):
            far = middle
        else:
            near = middle
    return far


def area_error(a: float, positives: int, negatives: int) -> float:
    """Return the standard error of an area under the ROC curve that is truly `a` [6]_."""
    half = (positives + negatives) / 2 - 1
    variance = a * (1 - a) * (1 + half * ((1 - a) / (2 - a) + a / (1 + a)))
    return math.sqrt(max(variance, 0.0) / (positives * negatives))


def careful_variance(successes: Number, n: Number) -> Number:
    """Return the variance to test a rate with, which is not 0 where all or none succeed.

    By its own variance a rate of one row is certain, and a single missed row would breach.
    """
    share = (successes + _ADDED) / (n + 2 * _ADDED)
    return share * (1 - share) / n


@lru_cache(maxsize=256)
def of_choice(looks: int) -> float:
    """Return how many standard errors off the end towards no gap lies, of the greatest gap.

    The extremes of equal groups always differ: at Z 57 % of the intervals of nine equal groups
    leave out 0. So this end pays for the choice as the test does (Bonferroni). A comparison of
    two groups is two looks, one for each sign, and its end lies at Z.
    """
    return float(special.ndtri(1 - (1 - LEVEL) / looks)) if looks > 2 else Z  # noqa: PLR2004


def log_ratio(a: tuple[int, int], b: tuple[int, int], z: float = Z) -> Interval:
    """Return the interval of rate a over rate b, on the logarithm with one half added."""
    (sa, na), (sb, nb) = a, b
    ratio = ((sa + 0.5) / (na + 0.5)) / ((sb + 0.5) / (nb + 0.5))
    spread = 1 / (sa + 0.5) - 1 / (na + 0.5) + 1 / (sb + 0.5) - 1 / (nb + 0.5)
    half = math.exp(z * math.sqrt(max(spread, 0.0)))
    return ratio / half, ratio * half


def student(mean: float, error: float, n: int) -> Interval:
    """Return the t interval of a mean with standard error `error`."""
    half = float(special.stdtrit(n - 1, 0.5 + LEVEL / 2)) * error if n > 1 else math.inf
    return mean - half, mean + half


def rate_beyond(successes: int, n: int, limit: float, *, below: bool) -> float:
    """Return the exact binomial probability of a rate at least so far past `limit`.

    Smaller than alpha exactly when the one-sided Clopper-Pearson bound at alpha lies past
    the limit.

    Examples
    --------
    >>> round(rate_beyond(1, 10, 0.5, below=True), 6)  # (1 + 10) / 2**10
    0.010742
    """
    limit = min(max(limit, 0.0), 1.0)
    if below:
        return (
            1.0
            if successes == n
            else float(special.betainc(n - successes, successes + 1, 1 - limit))
        )
    return 1.0 if successes == 0 else float(special.betainc(successes, n - successes + 1, limit))


def gap_beyond(a: tuple[int, int], b: tuple[int, int], limit: float) -> float:
    """Return the score-test probability that `rate a - rate b` is at most `limit`.

    The variance is taken at the maximum likelihood under `rate a - rate b = limit`, which has
    a closed form [5]_.
    """
    (sa, na), (sb, nb) = a, b
    gap = sa / na - sb / nb
    if gap <= limit:
        return 1.0
    p = _constrained_gap(sa / na, sb / nb, nb / na, limit)
    q = min(max(p - limit, 0.0), 1.0)
    variance = p * (1 - p) / na + q * (1 - q) / nb
    if variance <= 0:
        return 0.0
    return float(special.ndtr(-(gap - limit) / math.sqrt(variance)))


def _constrained_gap(pa: float, pb: float, theta: float, delta: float) -> float:
    """Return rate a of highest likelihood with `rate b = rate a - delta` (cubic, [5]_)."""
    a = 1 + theta
    b = -(1 + theta + pa + theta * pb + delta * (theta + 2))
    c = delta * delta + delta * (2 * pa + theta + 1) + pa + theta * pb
    d = -pa * delta * (1 + delta)
    v = (b / (3 * a)) ** 3 - b * c / (6 * a * a) + d / (2 * a)
    u = math.copysign(math.sqrt(max((b / (3 * a)) ** 2 - c / (3 * a), 0.0)), v)
    turn = v / u**3 if u else 0.0
    w = (math.pi + math.acos(min(max(turn, -1.0), 1.0))) / 3
    least, most = max(delta, 0.0), min(1.0, 1.0 + delta)
    return min(max(2 * u * math.cos(w) - b / (3 * a), least), most)


def ratio_beyond(a: tuple[int, int], b: tuple[int, int], limit: float) -> float:
    """Return the likelihood-ratio probability that `rate a / rate b` is at least `limit`.

    The constrained maximum is the smaller root of
    `r(na+nb)p^2 - (r(na+sb)+sa+nb)p + sa+sb = 0` with p the rate of b and r the limit.
    """
    (sa, na), (sb, nb) = a, b
    if sb == 0 or limit <= 0 or sa * nb >= limit * sb * na:
        return 1.0
    square, linear, free = limit * (na + nb), limit * (na + sb) + sa + nb, sa + sb
    root = math.sqrt(max(linear * linear - 4 * square * free, 0.0))
    p = min((linear - root) / (2 * square), 1.0, 1.0 / limit)
    gain = _likelihood(sa, na, sa / na) + _likelihood(sb, nb, sb / nb)
    gain -= _likelihood(sa, na, limit * p) + _likelihood(sb, nb, p)
    return float(special.ndtr(-math.sqrt(max(2 * gain, 0.0))))


def _likelihood(successes: int, n: int, rate: float) -> float:
    """Binomial log likelihood without its constant."""
    return float(special.xlogy(successes, rate) + special.xlog1py(n - successes, -rate))


def mean_beyond(mean: float, error: float, n: int, limit: float, *, below: bool) -> float:
    """Return the one-sided t probability that the mean is not past `limit`."""
    distance = limit - mean if below else mean - limit
    if n < 2 or distance <= 0:  # noqa: PLR2004  one value has no spread
        return 1.0
    return 0.0 if error <= 0 else float(special.stdtr(n - 1, -distance / error))


def normal_beyond(value: float, error: float, limit: float, *, below: bool) -> float:
    """Return the one-sided normal probability that the value is not past `limit`."""
    distance = limit - value if below else value - limit
    if distance <= 0:
        return 1.0
    return 0.0 if error <= 0 else float(special.ndtr(-distance / error))


def student_beyond(t: float, dof: int) -> float:
    """Return the two-sided probability of a t at least so far from 0.

    Examples
    --------
    >>> round(student_beyond(-2.045, 29), 4)
    0.05
    """
    return 2 * float(special.stdtr(dof, -abs(t)))
