"""How much of a gap between labels and scores is chance.

A bin whose scores are right still shows a gap, on average its mean deviation. One whose scores
are far off shows its true gap and hardly more: of a gap of t standard errors chance adds
`e(t) = sqrt(2/pi) exp(-t^2/2) - t erfc(t / sqrt 2)`, the mean of `|N(t, 1)|` less t, which is
0.80, 0.17, 0.02 for t = 0, 1, 2. To take off the whole mean deviation everywhere makes every
real miscalibration look smaller than it is; to take off nothing, every calibrated model worse.

References
----------
.. [1] P. Diaconis, S. Zabell, Statistical Science 6, 1991 (de Moivre's mean deviation).
.. [2] F. C. Leone et al., Technometrics 3, 1961 (mean of the folded normal).
.. [3] T. T. Cai, M. G. Low, Annals of Statistics 39, 2011 (no estimate of a mean of absolute
       values is unbiased; near 0 a bias has to be accepted).
.. [4] W. James, C. Stein, 4th Berkeley Symposium, 1961 (shrinking the line).
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy import special

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_SHARPNESS = 2.5
_HELD = 2.0
"""The line is fitted to gaps of at most so many standard errors: one bad bin is no line."""
_RIDGE = 1e-6


def mean_deviation(n: Ints, expected: Floats) -> Floats:
    """Return the mean of `|X - expected|` for binomial X of n draws with that expectation.

    De Moivre's closed form `2 v (1 - p) P(X = v)` with v the least whole number above the
    expectation [1]_; scores of one bin are taken as equal, which a fifteenth keeps them near.

    Examples
    --------
    >>> mean_deviation(np.array([1, 2]), np.array([0.25, 1.0])).round(6).tolist()
    [0.375, 0.5]
    """
    whole = np.maximum(n, 1)
    p = np.clip(expected / whole, 0.0, 1.0)
    v = np.minimum(np.floor(expected) + 1, whole)
    logs = special.gammaln(whole + 1) - special.gammaln(v + 1) - special.gammaln(whole - v + 1)
    logs = logs + special.xlogy(v, p) + special.xlogy(whole - v, 1 - p)
    return np.where((n > 0) & (p < 1), 2 * v * (1 - p) * np.exp(logs), 0.0)


def share_of_chance(gaps: Floats, precision: Floats) -> Floats:
    """Return the share of each bin's mean deviation to take off its gap.

    Two things tell a true gap t. The bin's own: `sqrt(6) exp(-2.5 gap^2)` is 1 on average
    without a true gap, and vanishes beyond one and a half standard errors; on average over
    normal gaps around t it is `exp(-5 t^2 / 12)`, more than the share `e(t) / e(0)` that is
    wanted. And its neighbours': where the gaps follow a line over the scores (too high
    everywhere, too sure of itself), t is the height of the line, shrunk [4]_, and the share is
    multiplied by the quotient of the two, which makes it right on average there.

    Parameters
    ----------
    gaps
        Of each bin, in its standard errors, `[..., bins]`.
    precision
        How much a gap of 1 in every row's probability would add to them.
    """
    t = np.abs(_line(gaps, precision))
    mills = special.erfcx(t / math.sqrt(2)) * math.sqrt(math.pi / 2)
    along = (1 - t * mills) * np.exp(-(t**2) / (2 * (1 + 2 * _SHARPNESS)))
    own = math.sqrt(1 + 2 * _SHARPNESS) * np.exp(-_SHARPNESS * gaps**2)
    return np.asarray(own * along)


def _line(gaps: Floats, precision: Floats) -> Floats:
    """Return the height of a line of least squares at each bin, in the bin's standard errors.

    Its two coefficients are shrunk by `1 - 2 / chi^2`, to nothing where they are noise.
    """
    place = np.arange(gaps.shape[-1]) - (gaps.shape[-1] - 1) / 2
    held = np.clip(gaps, -_HELD, _HELD)
    weight, moment, square = (
        (precision**2 * power).sum(axis=-1) for power in (place**0, place, place**2)
    )
    square = square + _RIDGE * weight  # a line through one bin only is flat
    level, slope = ((precision * held * power).sum(axis=-1) for power in (place**0, place))
    area = weight * square - moment**2
    area = np.where(area > 0, area, 1.0)
    height = (square * level - moment * slope) / area
    rise = (weight * slope - moment * level) / area
    chi2 = height * level + rise * slope
    kept = np.maximum(1 - 2 / np.maximum(chi2, 1.0), 0.0)
    return np.asarray((kept * height)[..., None] + (kept * rise)[..., None] * place) * precision
