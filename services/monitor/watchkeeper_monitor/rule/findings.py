"""How strong the evidence is that a limit is truly passed: one answer for every kind of test."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from watchkeeper_monitor.metrics import intervals
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
from watchkeeper_monitor.rule.dispersion import INDEPENDENT, Dispersion
from watchkeeper_monitor.rule.usual import SAME, Usual
from watchkeeper_shared.counted import counted


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


def find(test: Test, limit: float, *, below: bool, dispersion: Dispersion = INDEPENDENT) -> Finding:
    """Test a value against the limit that it has passed.

    Parameters
    ----------
    below
        The limit is passed from above: small values are bad.
    dispersion
        Divides the rows behind rates and means: clustered rows are worth fewer than
        independent ones. Chi-square is held against what it knows of directions. Where it
        knows what is usual, drift is tested by that too (see `usual`), and the evidence
        pays for three tests.
    """
    if isinstance(test, Census):
        return Finding(0.0, "every row was counted", certain=True)
    if isinstance(test, TwoSample):
        return _two_sample(test, dispersion)
    found = _at_limit(test, limit, below, dispersion.factor)
    return Finding(found.probability, _with_origin(found.words, dispersion))


def _at_limit(
    test: Rate | RateGap | RateRatio | Mean | Estimate,
    limit: float,
    below: bool,  # noqa: FBT001
    dispersion: float,
) -> Finding:
    match test:
        case Rate():
            return _rate(test, limit, below, dispersion)
        case RateGap() | RateRatio():
            return _pair(test, limit, below, dispersion)
        case Mean():
            return _mean(test, limit, below, dispersion)
        case Estimate():
            return _estimate(test, limit, below, dispersion)


def _with_origin(words: str, dispersion: Dispersion) -> str:
    return f"{words}, {dispersion.words}," if dispersion.words else words


def _two_sample(test: TwoSample, dispersion: Dispersion) -> Finding:
    """Return the strongest of three looks, once what is usual is known; the first until then."""
    probability = dispersion.directions.beyond(test.statistic, test.dof)
    degrees = "1 degree" if test.dof == 1 else f"{test.dof} degrees"
    words = f"chi2 {test.statistic:.1f} with {degrees} of freedom (p {probability:.2g})"
    looks = [Finding(probability, _with_origin(words, dispersion))]
    if dispersion.usual is not None and test.variance > 0:
        looks += _places(test, dispersion.usual)
    found = min(looks, key=lambda look: look.probability)
    return Finding(min(1.0, len(looks) * found.probability), found.words)


def _places(test: TwoSample, usual: Usual) -> Iterator[Finding]:
    """Yield how far a window or pool lies from what is usual, and from the reference."""
    dof = usual.windows - 1
    origin = f"dispersion {usual.factor:.2g} between {usual.windows} windows in control,"
    for t, place, whose in (
        (usual.from_usual(test), usual.mean, "is usual"),
        (usual.from_reference(test), SAME, "would be alike"),
    ):
        where = f"rows lie above {test.ridit:.1%} of the reference where {place:.1%} {whose}"
        yield Finding(intervals.student_beyond(t, dof), f"{where}, t {t:.1f}, {origin}")


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
    looks = counted(test.looks, "comparison")
    words = f"{name} of {sizes} (p {probability:.2g} allowing for {looks})"
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
