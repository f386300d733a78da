"""Whether groups are treated alike, per protected attribute and declared intersection.

Each gap comes twice: every group against the policy's reference group (segment such as
`SEX=2`), which is what limits should be set on, and over all groups (empty segment), as
fairlearn defines it: greatest minus least, or least over greatest, of the groups with enough
rows. A group with too few rows is in the answer all the same, so that pooled windows can
decide about it.

References
----------
.. [1] M. Hardt, E. Price, N. Srebro, "Equality of opportunity in supervised learning", 2016.
.. [2] A. Chouldechova, "Fair prediction with disparate impact", Big Data 5(2), 2017.
.. [3] 29 CFR 1607.4(D), the four-fifths rule of thumb.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from watchkeeper_monitor.grids import Grid
from watchkeeper_monitor.metrics import leveling
from watchkeeper_monitor.metrics.calibration import Calibration
from watchkeeper_monitor.metrics.groups import DENOMINATORS, GroupRate, Groups, groups_of
from watchkeeper_monitor.metrics.intervals import Interval, log_ratio, newcombe_of, of_choice
from watchkeeper_monitor.metrics.values import RateGap, RateRatio, Value, nothing
from watchkeeper_monitor.profiles import Profile
from watchkeeper_shared.specs import AISystem, Task

RATES = {
    "selection_rate": "selection",
    "true_positive_rate": "true_positive",
    "false_positive_rate": "false_positive",
    "group_precision": "precision",
    "group_accuracy": "accuracy",
}
"""Metric of one group → its rate."""
GAPS: dict[str, tuple[str, ...]] = {
    "demographic_parity_difference": ("selection",),
    "demographic_parity_ratio": ("selection",),
    "equal_opportunity_difference": ("true_positive",),
    "equalized_odds_difference": ("true_positive", "false_positive"),
    "fpr_difference": ("false_positive",),
    "predictive_parity_difference": ("precision",),
    "accuracy_difference": ("accuracy",),
}
"""Gap → the rates whose gaps it looks at; it is the greatest of them."""
RATIO = "demographic_parity_ratio"


def measure(
    spec: AISystem,
    grid: Grid,
    window: Profile,
    least: int,
    calibrated: Sequence[Calibration],
) -> Iterator[Value]:
    """Yield rates and gaps of every declared attribute and intersection.

    With more than two classes there is accuracy only; of a regression there are means.

    Parameters
    ----------
    least
        The rows that a group needs to take part in a gap over all groups.
    calibrated
        The window's calibrations; none where the task has none.
    """
    for row, column in enumerate(grid.attributes):
        if column.name not in spec.groups:  # no longer declared, still in an older grid
            continue
        against, at = spec.groups[column.name].reference, window.groups(row)
        if grid.task is Task.REGRESSION:
            yield from leveling.of_means(grid, column, at, window, against, least)
            continue
        groups = groups_of(column, at, grid, window, calibrated)
        if not grid.classes:
            yield from _unclassed(groups, against)
            continue
        yield from _rates(groups)
        for metric, kinds in GAPS.items():
            if all(kind in groups.rates for kind in kinds):
                yield from _pairs(metric, groups, against)
                yield _overall(metric, groups, least)
        if calibrated:
            yield from leveling.of_calibration(groups, against, least)


def _unclassed(groups: Groups, against: str) -> Iterator[Value]:
    """Say that of several classes, none of them known yet, nobody can tell which are right."""
    why, rows = "classes are not known before there is a reference", groups.labelled
    for name, n in rows.items():
        segment = groups.segments[name]
        yield nothing("group_accuracy", groups.attribute, why, n=n, segment=segment)
        if name != against:
            yield nothing("accuracy_difference", groups.attribute, why, n=n, segment=segment)
    yield nothing("accuracy_difference", groups.attribute, why, n=sum(rows.values()))


def _rates(groups: Groups) -> Iterator[Value]:
    for metric, kind in RATES.items():
        if kind not in groups.rates:
            continue
        found, rows = groups.rates[kind], groups.rows(kind)
        for name in rows:
            segment, one = groups.segments[name], found.get(name)
            if one is None:
                why = f"no {DENOMINATORS[kind]} of group {name}"
                yield nothing(metric, groups.attribute, why, n=rows[name], segment=segment)
            else:
                yield Value(
                    metric,
                    groups.attribute,
                    segment,
                    one.share,
                    *one.interval,
                    one.test.n,
                    None,
                    one.test,
                )


def _pairs(metric: str, groups: Groups, against: str) -> Iterator[Value]:
    """Yield every known group against the reference group, also those that nobody is in."""
    kinds = GAPS[metric]
    for name, rows in groups.rows(kinds[0]).items():
        if name == against:
            continue
        segment = groups.segments[name]
        lacking = [
            f"group {one} has no {DENOMINATORS[kind]}"
            for kind in kinds
            for one in (name, against)
            if one not in groups.rates[kind]
        ]
        if lacking:
            why = "; ".join(lacking)
            yield nothing(metric, groups.attribute, why, n=rows, segment=segment)
        else:
            yield _value(metric, groups, (name, against), segment, f"against group {against}")


def _overall(metric: str, groups: Groups, least: int) -> Value:
    """Return the gap over all groups with enough rows, and name them."""
    kinds = GAPS[metric]
    rows = groups.rows(kinds[0])
    able = {one for one in rows if all(one in groups.rates[kind] for kind in kinds)}
    used, note = leveling.taking_part(rows, able, least)
    if len(used) < 2:  # noqa: PLR2004  a gap has two sides
        why = f"a gap needs two groups with at least {least} rows; {note}"
        return nothing(metric, groups.attribute, why, n=sum(rows.values()))
    return _value(metric, groups, used, "", note)


def _value(metric: str, groups: Groups, used: tuple[str, ...], segment: str, note: str) -> Value:
    """Return the gap or ratio among the groups in `used`."""
    kinds = GAPS[metric]
    looks = len(kinds) * len(used) * (len(used) - 1)
    sides = [[groups.rates[kind][one] for one in used] for kind in kinds]
    ends = [_extremes(side) for side in sides]
    low, high = ends[0] if len(ends) == 1 else max(ends, key=_gap)
    n = sum([one.test.n for side in sides for one in side])
    note = f"lowest {low.words}, highest {high.words}; {note}"
    column = groups.attribute
    if metric != RATIO:
        test = RateGap(high.test, low.test, looks)
        gap, ends_of_gap = high.share - low.share, _ends_of_gap(high, low, looks)
        return Value(metric, column, segment, gap, *ends_of_gap, n, None, test, note)
    if not high.test.successes:
        return nothing(metric, column, "no group has a positive prediction", n=n, segment=segment)
    ratio, ends_of_ratio = low.share / high.share, _ends_of_ratio(low, high, looks)
    lower = RateRatio(low.test, high.test, looks)
    return Value(metric, column, segment, ratio, *ends_of_ratio, n, None, lower, note)


def _ends_of_gap(high: GroupRate, low: GroupRate, looks: int) -> Interval:
    """Return the interval of a difference; the end towards 0 pays for the choice of the pair."""
    z = of_choice(looks)
    start, _ = newcombe_of(high.share, high.within(z), low.share, low.within(z))
    _, end = newcombe_of(high.share, high.interval, low.share, low.interval)
    return max(start, 0.0), end


def _ends_of_ratio(low: GroupRate, high: GroupRate, looks: int) -> Interval:
    """Return the interval of a ratio; the end towards 1 pays for the choice of the pair.

    The half that is added to every count may carry the interval past a ratio of few rows.
    """
    small, great = ((one.test.successes, one.test.n) for one in (low, high))
    ratio = low.share / high.share
    start, _ = log_ratio(small, great)
    _, end = log_ratio(small, great, of_choice(looks))
    return min(start, ratio), min(max(end, ratio), 1.0)


def _gap(ends: tuple[GroupRate, GroupRate]) -> float:
    return ends[1].share - ends[0].share


def _extremes(rates: list[GroupRate]) -> tuple[GroupRate, GroupRate]:
    """Return the least, the first of equal ones, and the greatest, the last of equal ones."""
    low = high = rates[0]
    for one in rates[1:]:
        if one.share < low.share:
            low = one
        if one.share >= high.share:
            high = one
    return low, high
