"""Whether groups are treated alike, per protected attribute.

Each gap comes twice: every group against the policy's reference group (segment such as
`SEX=2`), which is what limits should be set on, and over all groups (empty segment), as
fairlearn defines it: greatest minus least, or least over greatest, of the groups with enough
rows. Values that the reference did not hold, and rows without the attribute, are in no group.

References
----------
.. [1] M. Hardt, E. Price, N. Srebro, "Equality of opportunity in supervised learning", 2016.
.. [2] 29 CFR 1607.4(D), the four-fifths rule of thumb.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

from watchkeeper_monitor.grids import Categories, Grid
from watchkeeper_monitor.intervals import log_ratio, newcombe
from watchkeeper_monitor.metrics.shares import share
from watchkeeper_monitor.metrics.values import Rate, RateGap, RateRatio, Value, nothing
from watchkeeper_monitor.profiles import Profile
from watchkeeper_shared.specs import AISystem, Task

GAPS = {
    "demographic_parity_difference": ("selection",),
    "equal_opportunity_difference": ("true_positive",),
    "equalized_odds_difference": ("true_positive", "false_positive"),
}
"""Difference metric → the rates whose gaps it looks at; it is the greatest of them."""
RATIO = "demographic_parity_ratio"


@dataclass(frozen=True, slots=True)
class Groups:
    """One attribute's groups in a window.

    Parameters
    ----------
    attribute
        Its name.
    rows
        Group → predictions, and group → labels for the rates that need them, by rate.
    rates
        Rate → group → the share; a group without a denominator is left out.
    """

    attribute: str
    rows: dict[str, dict[str, int]]
    rates: dict[str, dict[str, Rate]]


def measure(spec: AISystem, grid: Grid, window: Profile, least: int) -> Iterator[Value]:
    """Yield selection rates and gaps of every declared attribute of a binary task.

    Parameters
    ----------
    least
        The rows that a group needs to take part in a gap over all groups.
    """
    if grid.task is not Task.BINARY:
        return
    for row, column in enumerate(grid.attributes):
        if column.name not in spec.groups:  # no longer declared, still in an older grid
            continue
        groups = _groups(column, row, grid, window)
        yield from _selection(groups)
        against = spec.groups[column.name].reference
        for metric in (*GAPS, RATIO):
            yield from _pairs(metric, groups, against)
            yield _overall(metric, groups, least)


def _groups(column: Categories, row: int, grid: Grid, window: Profile) -> Groups:
    at = window.groups(row)
    predicted = window.section("group_predictions")[at]
    confusion = window.section("group_confusion")[at]
    counted = {
        "selection": (predicted[:, grid.positive], predicted.sum(axis=1)),
        "true_positive": (confusion[:, 1, 1], confusion[:, 1].sum(axis=1)),
        "false_positive": (confusion[:, 0, 1], confusion[:, 0].sum(axis=1)),
    }
    rates = {
        name: {
            value: Rate(int(hits[code]), int(all_[code]))
            for code, value in enumerate(column.values)
            if all_[code] > 0
        }
        for name, (hits, all_) in counted.items()
    }
    labelled = window.section("group_labelled")[at]
    rows = {
        name: {value: int(kept[code]) for code, value in enumerate(column.values)}
        for name, kept in (
            ("selection", predicted.sum(axis=1)),
            ("true_positive", labelled),
            ("false_positive", labelled),
        )
    }
    return Groups(column.name, rows, rates)


def _selection(groups: Groups) -> Iterator[Value]:
    for name in groups.rows["selection"]:
        rate = groups.rates["selection"].get(name, Rate(0, 0))
        segment, empty = f"{groups.attribute}={name}", f"no row of group {name}"
        yield share(
            "selection_rate", groups.attribute, rate.successes, rate.n, segment=segment, empty=empty
        )


def _pairs(metric: str, groups: Groups, against: str) -> Iterator[Value]:
    """Yield every known group against the reference group, also those that nobody is in."""
    kinds = GAPS.get(metric, ("selection",))
    for name, rows in groups.rows[kinds[0]].items():
        if name == against:
            continue
        segment = f"{groups.attribute}={name}"
        lacking = [
            f"group {one} has no {_needs(kind)}"
            for kind in kinds
            for one in (name, against)
            if one not in groups.rates[kind]
        ]
        if lacking:
            why = "; ".join(lacking)
            yield nothing(metric, groups.attribute, why, n=rows, segment=segment)
        else:
            yield _value(metric, groups, (name, against), segment, f"against group {against}")


def _needs(kind: str) -> str:
    return {
        "selection": "row",
        "true_positive": "positive label",
        "false_positive": "negative label",
    }[kind]


def _overall(metric: str, groups: Groups, least: int) -> Value:
    """Return the gap over all groups with enough rows, and name them."""
    kinds = GAPS.get(metric, ("selection",))
    rows = groups.rows[kinds[0]]
    able = [one for one in rows if all(one in groups.rates[kind] for kind in kinds)]
    used = tuple(sorted(one for one in able if rows[one] >= least))
    small = sorted(one for one in rows if rows[one] and one not in used)
    note = f"over groups {', '.join(used)}" if used else "no group takes part"
    if small:
        note += f"; left out, under {least} rows or without a rate: {', '.join(small)}"
    if len(used) < 2:  # noqa: PLR2004  a gap has two sides
        why = f"a gap needs two groups with at least {least} rows; {note}"
        return nothing(metric, groups.attribute, why, n=sum(rows.values()))
    return _value(metric, groups, used, "", note)


def _value(metric: str, groups: Groups, used: tuple[str, ...], segment: str, note: str) -> Value:
    """Return the gap or ratio among the groups in `used`."""
    kinds = GAPS.get(metric, ("selection",))
    looks = len(kinds) * 2 * len(list(combinations(used, 2)))
    extremes = [_extremes(groups.rates[kind], used) for kind in kinds]
    (low, least), (high, most) = max(extremes, key=lambda pair: _share(pair[1]) - _share(pair[0]))
    n = sum(groups.rates[kind][one].n for kind in kinds for one in used)
    small, great = (least.successes, least.n), (most.successes, most.n)
    ends = (
        f"lowest {low} at {_share((low, least)):.4f}, highest {high} at {_share((high, most)):.4f}"
    )
    note = f"{ends}; {note}"
    column = groups.attribute
    if metric != RATIO:
        gap, (start, end) = _share((high, most)) - _share((low, least)), newcombe(great, small)
        test = RateGap(most, least, looks)
        return Value(metric, column, segment, gap, max(start, 0.0), end, n, None, test, note)
    if not most.successes:
        return nothing(metric, column, "no group has a positive prediction", n=n, segment=segment)
    start, end = log_ratio(small, great)
    ratio = _share((low, least)) / _share((high, most))
    lower = RateRatio(least, most, looks)
    return Value(metric, column, segment, ratio, start, min(end, 1.0), n, None, lower, note)


Named = tuple[str, Rate]


def _share(named: Named) -> float:
    return named[1].successes / named[1].n


def _extremes(rates: dict[str, Rate], used: tuple[str, ...]) -> tuple[Named, Named]:
    ordered = sorted(((one, rates[one]) for one in used), key=_share)
    return ordered[0], ordered[-1]
