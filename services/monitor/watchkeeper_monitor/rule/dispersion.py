"""How much more a series varies in control than independent rows would: learnt, never assumed.

Rows of one day resemble each other: one household, one batch job, one hour of traffic. With
such clusters a test for independent rows cries wolf at every window. So each settled window
leaves a *sight* of each series. The factor by which sights vary more than they should divides
the evidence of later windows; of chi-square also how unequally they vary (`directions`).

| test | sight | varies as (1 on average for independent rows) |
|---|---|---|
| two-sample chi-square | statistic, degrees of freedom | their ratio, along and across |
| mean ridit beside it | mean, variance | squared distance from the mean of all / its variance |
| rates, gaps, ratios, means | effect, variance | squared step between neighbours / its variance |

Neighbours, because a rate has no reference it should equal, and a slow slide must not pass as
noise: one level shift touches one difference only.

References
----------
.. [1] P. McCullagh, J. A. Nelder, "Generalized Linear Models", 1989, section 4.5 (the factor).
.. [2] J. von Neumann et al., Annals of Mathematical Statistics 12, 1941 (neighbours).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from watchkeeper_monitor.metrics.values import (
    Estimate,
    Mean,
    Rate,
    RateGap,
    RateRatio,
    Test,
    TwoSample,
    Value,
)
from watchkeeper_monitor.rule.directions import EVEN, Directions, directions
from watchkeeper_monitor.rule.outliers import held_mean
from watchkeeper_monitor.rule.usual import Usual, usual

FEWEST = 30
"""From so many windows in control on, the factor counts as learnt."""
MOST = 200
"""Then learning ends: what comes later, a slow drift too, cannot teach itself normal."""
ASSUMED = 3.0
"""Drift until then: mild clustering, as real streams show it (0.7 to 41 on employment_MA).

Its null hypothesis is that nothing changed, and there every window in control stands. A limit
on a rate is tested at the limit, far from which windows in control should be: there it is 1.
"""


@dataclass(frozen=True, slots=True)
class Sight:
    """What one window says about a series' spread.

    Parameters
    ----------
    effect, spread
        Chi-square and its degrees of freedom, or an effect and its sampling variance.
    is_ratio
        `effect / spread` is the variation by itself; otherwise neighbours are compared.
    shared
        Which part of the variation all windows have in common: the reference's own error,
        `n / (n + m)` with n rows against m.
    ridit, variance
        Where a series of ordered cells lies, as in `TwoSample`; no variance where it has none.
    """

    effect: float
    spread: float
    is_ratio: bool
    shared: float = 0.0
    ridit: float = 0.0
    variance: float = 0.0


@dataclass(frozen=True, slots=True)
class Dispersion:
    """How much weaker evidence is than that of independent rows.

    Parameters
    ----------
    factor
        Divides the evidence of rates, gaps, ratios and means; at least 1.
    words
        Where it comes from, for the reason; empty where there is nothing to say.
    usual
        Where the series lies in control, once that is learnt; None where it has no order.
    directions
        What chi-square is held against.
    """

    factor: float = 1.0
    words: str = ""
    usual: Usual | None = None
    directions: Directions = EVEN


INDEPENDENT = Dispersion()
"""Rows are taken to be independent of each other."""


def fixed(factor: float, known: Dispersion = INDEPENDENT) -> Dispersion:
    """Return the factor that a policy declares, and of what is known where the series lies."""
    least = max(factor, 1.0)
    where = None if known.usual is None else replace(known.usual, factor=least)
    words = f"dispersion {factor:g} fixed by the policy"
    return Dispersion(least, words, where, Directions(least, least))


def sight(value: Value) -> Sight | None:
    """Return what a window says about spread; None where there is no sampling error to see."""
    test = value.test
    if isinstance(test, TwoSample):
        if not test.dof:
            return None
        shared = value.n / max(value.n + (value.reference_n or 0), 1)
        return Sight(
            test.statistic,
            float(test.dof),
            is_ratio=True,
            shared=shared,
            ridit=test.ridit,
            variance=test.variance,
        )
    found = _effect(test)
    return Sight(*found, is_ratio=False) if found is not None and found[1] > 0 else None


def _effect(test: Test | None) -> tuple[float, float] | None:
    """Return an effect and its sampling variance, on a scale on which it is nearly normal."""
    match test:
        case Rate():
            return _rate(test)
        case RateGap():
            (a, variance_a), (b, variance_b) = _rate(test.a), _rate(test.b)
            return a - b, variance_a + variance_b
        case RateRatio():
            (a, variance_a), (b, variance_b) = _rate(test.a), _rate(test.b)
            return math.log(a / b), variance_a / a**2 + variance_b / b**2
        case Mean():
            return test.mean, test.error**2
        case Estimate():
            return test.value, test.error**2
    return None


def _rate(rate: Rate) -> tuple[float, float]:
    """Return a rate and its variance, one half added so that 0 of n has a variance too."""
    share = (rate.successes + 0.5) / (rate.n + 1)
    return share, share * (1 - share) / (rate.n + 1)


def assumed(test: Test | None) -> float:
    """Return the factor to take until it is learnt."""
    return ASSUMED if isinstance(test, TwoSample) else 1.0


def learnt(
    sights: Mapping[datetime, Sight],
    known: Dispersion | None = None,
    until_then: float = ASSUMED,
) -> Dispersion:
    """Return the factor that windows in control have taught.

    Fewer than 30 teach a lower bound for drift only.

    Parameters
    ----------
    sights
        By window, of windows that did not breach.
    known
        What the next smaller scale has taught, in the place of what is not learnt here.
    until_then
        What to take while nothing is learnt; see `assumed`.
    """
    ordered = [sights[start] for start in sorted(sights)]
    if len(ordered) < FEWEST and known is not None:
        return known
    if ordered and not ordered[-1].is_ratio:
        return _of_steps(ordered, until_then)
    return _of_ratios(ordered, until_then)


def _of_ratios(ordered: Sequence[Sight], until_then: float) -> Dispersion:
    """Return what chi-squares teach: on average, and along and across directions."""
    dof, taught, shared = 1.0, EVEN, max((one.shared for one in ordered), default=0.0)
    if len(ordered) > 1:
        pairs = np.array([(one.effect, one.spread) for one in ordered])
        dof = float(np.median(pairs[:, 1]))
        taught = directions(pairs[:, 0] / pairs[:, 1] * dof, dof, shared)
    if len(ordered) < FEWEST:
        taught = taught.at_least(until_then)
        return Dispersion(taught.mean(dof), _not_yet(ordered, _weights(taught)), None, taught)
    where = _where(ordered)
    if where is not None:
        taught = taught.along_at_least(where.factor * (1 - shared) + shared, where.windows)
    words = f"dispersion {_weights(taught)} learnt over {len(ordered)} windows in control"
    return Dispersion(taught.mean(dof), words, where, taught)


def _weights(taught: Directions) -> str:
    along, across = f"{taught.along:.2g}", f"{taught.across:.2g}"
    return along if along == across else f"{along} in one direction and {across} in the others"


def _of_steps(ordered: Sequence[Sight], until_then: float) -> Dispersion:
    """Return what squared steps between neighbours teach.

    One standard error is added, because a factor that is a tenth too small makes four false
    alarms of one.
    """
    if len(ordered) < FEWEST:
        return Dispersion(until_then, _not_yet(ordered, f"{until_then:.2g}"))
    pairs = np.array([(one.effect, one.spread) for one in ordered])
    steps = np.diff(pairs[:, 0]) ** 2 / (pairs[1:, 1] + pairs[:-1, 1])
    factor = max(1.0, held_mean(steps, 1.0) * (1 + math.sqrt(2 / steps.size)))
    return Dispersion(
        factor, f"dispersion {factor:.2g} learnt over {len(ordered)} windows in control"
    )


def _not_yet(ordered: Sequence[Sight], taken: str) -> str:
    return f"dispersion not learnt yet ({len(ordered)} of {FEWEST} windows), taken as {taken}"


def _where(ordered: Sequence[Sight]) -> Usual | None:
    """Return where the series lies, if enough of its sights say so."""
    pairs = np.array([(one.ridit, one.variance) for one in ordered if one.variance > 0])
    return usual(pairs[:, 0], pairs[:, 1]) if len(pairs) >= FEWEST else None
