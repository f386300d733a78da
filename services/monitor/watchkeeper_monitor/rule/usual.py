"""Where an ordered series lies in control: learnt, around whatever offset it has.

Chi-square looks in all directions at once and learns its dispersion from how far windows lie
from the reference, so a small lasting offset passes for dispersion. And against m rows of a
reference it is bounded however long a shift lasts: with a shift that it sees as `d` its
non-centrality nears `m d`. Where cells have an order, two sharper looks are possible once
windows in control have taught their mean ridits u_i, of sampling variances v_i. With weights
1 / v_i and c windows,

    F = sum((u_i - mean)^2 / v_i) / (c - 1), at least 1

is how many times more than independent rows they vary *between each other*: what all share,
the reference's own error or a lasting shift, is not in it. Then a later u of variance v has

    t = (u - mean) / sqrt(F (v + 1 / sum(1 / v_i)))    against what is usual,
    t = (u - 0.5) / sqrt(F (v + v_m))                  against the reference of variance v_m,

Student's with c - 1 degrees of freedom if nothing changed: the prediction interval of a mean
that is to come [1]_. Holding F at 1, and taking the reference's rows to be as dispersed
as those of windows, only makes it safer; so does a pool that holds some of the windows it is
compared with. In the first the reference cancels out, so a reference of few rows is
no bound; the second learns no place, so what windows were like cannot become normal in it.

References
----------
.. [1] G. J. Hahn, "Factors for calculating two-sided prediction intervals for samples from a
   normal distribution", JASA 64, 1969, 878-888.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from watchkeeper_monitor.metrics.values import TwoSample
from watchkeeper_monitor.rule.outliers import held_mean

Floats = npt.NDArray[np.float64]

SAME = 0.5
"""The mean ridit of the reference itself."""


@dataclass(frozen=True, slots=True)
class Usual:
    """What windows in control say about where a series lies.

    Parameters
    ----------
    mean, variance
        Their mean ridit, and its sampling variance for independent rows.
    factor
        How many times more than independent rows they vary around it, at least 1.
    windows
        How many taught it.
    """

    mean: float
    variance: float
    factor: float
    windows: int

    def from_usual(self, test: TwoSample) -> float:
        """Return t of a later window or pool against these windows."""
        error = self.factor * (test.variance + self.variance)
        return float((test.ridit - self.mean) / error**0.5)

    def from_reference(self, test: TwoSample) -> float:
        """Return t of a later window or pool against the reference."""
        error = self.factor * (test.variance + test.base_variance)
        return float((test.ridit - SAME) / error**0.5)


def usual(means: Floats, variances: Floats) -> Usual:
    """Return what windows in control taught.

    Parameters
    ----------
    means, variances
        Mean ridit of each window and its sampling variance, above 0; at least two.
    """
    weights = 1 / variances
    mean = float((weights * means).sum() / weights.sum())
    count = means.size
    factor = held_mean((means - mean) ** 2 / variances, 1.0) * count / (count - 1)
    return Usual(mean, float(1 / weights.sum()), max(factor, 1.0), count)
