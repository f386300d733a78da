"""How strong the evidence is that a limit is truly passed: one answer for every kind of test."""

from __future__ import annotations

from dataclasses import dataclass

from watchkeeper_monitor import intervals
from watchkeeper_monitor.metrics.values import (
    Census,
    Estimate,
    Mean,
    Rate,
    RateGap,
    RateRatio,
    Test,
    TwoSample,
)


@dataclass(frozen=True, slots=True)
class Finding:
    """What a test found.

    Parameters
    ----------
    probability
        Of data at least this far past the limit if the truth were exactly at it (for drift:
        if nothing had changed).
    words
        The test and its numbers, for the reason.
    certain
        Everything was counted, no test is needed.
    """

    probability: float
    words: str
    certain: bool = False


def find(test: Test, limit: float, *, below: bool, dispersion: float = 1.0) -> Finding:
    """Test a value against the limit that it has passed.

    Parameters
    ----------
    below
        The limit is passed from above: small values are bad.
    dispersion
        Divides chi-square, and the rows behind rates and means: clustered rows are worth
        fewer than independent ones.
    """
    match test:
        case Census():
            return Finding(0.0, "every row was counted", certain=True)
        case TwoSample():
            return _two_sample(test, dispersion)
        case Rate():
            return _rate(test, limit, below, dispersion)
        case RateGap() | RateRatio():
            return _pair(test, limit, below, dispersion)
        case Mean():
            return _mean(test, limit, below, dispersion)
        case Estimate():
            return _estimate(test, limit, below, dispersion)


def _two_sample(test: TwoSample, dispersion: float) -> Finding:
    statistic = test.statistic / dispersion
    degrees = "1 degree" if test.dof == 1 else f"{test.dof} degrees"
    words = f"chi2 {statistic:.1f} with {degrees} of freedom"
    return Finding(intervals.chi2_beyond(statistic, test.dof), words)


def _rate(test: Rate, limit: float, below: bool, dispersion: float) -> Finding:  # noqa: FBT001
    if test.dice:  # F1 = 2p / (1 + p), so its limit L is p = L / (2 - L)
        limit = limit / (2 - limit)
    s, n = _thinned(test, dispersion)
    probability = intervals.rate_beyond(s, n, limit, below=below)
    return Finding(
        probability,
        f"exact binomial test of {test.successes:,} in {test.n:,} (p {probability:.2g})",
    )


def _pair(test: RateGap | RateRatio, limit: float, below: bool, dispersion: float) -> Finding:  # noqa: FBT001
    a, b = _thinned(test.a, dispersion), _thinned(test.b, dispersion)
    sizes = f"{test.a.successes:,} in {test.a.n:,} against {test.b.successes:,} in {test.b.n:,}"
    one_sided = 1.0
    if isinstance(test, RateGap):
        name = "score test"
        if not below:
            one_sided = intervals.gap_beyond(a, b, limit)
    else:
        name = "likelihood-ratio test"
        if below:
            one_sided = intervals.ratio_beyond(a, b, limit)
    probability = min(1.0, one_sided * test.looks)
    words = f"{name} of {sizes} (p {probability:.2g} allowing for {test.looks} comparisons)"
    return Finding(probability, words)


def _mean(test: Mean, limit: float, below: bool, dispersion: float) -> Finding:  # noqa: FBT001
    limit = limit * limit if test.root else limit
    error = test.error * dispersion**0.5
    probability = intervals.mean_beyond(test.mean, error, test.n, limit, below=below)
    return Finding(probability, f"t test with standard error {error:.3g} (p {probability:.2g})")


def _estimate(test: Estimate, limit: float, below: bool, dispersion: float) -> Finding:  # noqa: FBT001
    error = test.error * dispersion**0.5
    # What binning may hide counts against a breach.
    worst = test.value + test.bound if below else test.value - test.bound
    one_sided = intervals.normal_beyond(worst, error, limit, below=below)
    probability = min(1.0, one_sided * test.looks)
    choice = f" allowing for {test.looks} comparisons" if test.looks > 1 else ""
    words = f"normal test with standard error {error:.3g} (p {probability:.2g}{choice})"
    return Finding(probability, words)


def _thinned(rate: Rate, dispersion: float) -> tuple[int, int]:
    """Return the rate of fewer rows: dispersed counts carry that much less information."""
    if dispersion <= 1:
        return rate.successes, rate.n
    n = max(1, round(rate.n / dispersion))
    return round(rate.successes / rate.n * n), n
