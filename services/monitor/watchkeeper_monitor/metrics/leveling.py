"""Gaps between groups of what is no plain rate: calibration errors, means of a regression."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction

import msgspec

from watchkeeper_monitor.grids import Categories, Grid
from watchkeeper_monitor.metrics import held
from watchkeeper_monitor.metrics.calibration import CALIBRATED_ROWS
from watchkeeper_monitor.metrics.groups import Groups, segment_of
from watchkeeper_monitor.metrics.intervals import Z, of_choice
from watchkeeper_monitor.metrics.values import Estimate, Value, nothing
from watchkeeper_monitor.profiles import Profile
from watchkeeper_monitor.profiles.boundless import total
from watchkeeper_monitor.profiles.exact import ERROR, ERROR_SQUARE

Number = float | Fraction


class Level(msgspec.Struct, frozen=True, gc=False):
    """What is compared of one group.

    Parameters
    ----------
    value, error, n
        A value, its standard error, the rows behind it.
    over, under
        How far the value may be too great, and too small, sampling error left aside.
    """

    value: float
    error: float
    n: int
    over: float = 0.0
    under: float = 0.0


@dataclass(frozen=True, slots=True)
class Levels:
    """One quantity of all groups of an attribute.

    Parameters
    ----------
    attribute
        Its name.
    single, gap
        The metrics of one group, and of two.
    rows
        Group → rows.
    found
        Group → its level; a group without one is left out.
    notes
        Group → what a reader must know besides.
    least
        The least that a level can be.
    """

    attribute: str
    single: str
    gap: str
    rows: Mapping[str, int]
    found: Mapping[str, Level]
    notes: Mapping[str, str]
    least: float = -math.inf

    def values(self, against: str, fewest: int) -> Iterator[Value]:
        """Yield each group, each against the reference group, and the gap over all."""
        for name, rows in self.rows.items():
            segment, level = segment_of(self.attribute, name), self.found.get(name)
            if level is None:
                why = f"group {name} has nothing to measure"
                yield nothing(self.single, self.attribute, why, n=rows, segment=segment)
            else:
                yield self._of_group(level, segment, self.notes.get(name, ""))
            if name == against:
                continue
            if level is None or against not in self.found:
                missing = name if level is None else against
                why = f"group {missing} has nothing to measure"
                yield nothing(self.gap, self.attribute, why, n=rows, segment=segment)
            else:
                yield self._of_pair((name, against), segment, f"against group {against}")
        yield self._over_all(fewest)

    def _of_group(self, level: Level, segment: str, note: str) -> Value:
        low = level.value - level.over - Z * level.error
        high = level.value + level.under + Z * level.error
        test = Estimate(level.value, level.error, level.over)
        return Value(
            self.single,
            self.attribute,
            segment,
            level.value,
            max(low, self.least),
            high,
            level.n,
            None,
            test,
            note,
        )

    def _over_all(self, fewest: int) -> Value:
        used, note = taking_part(self.rows, set(self.found), fewest)
        if len(used) < 2:  # noqa: PLR2004  a gap has two sides
            why = f"a gap needs two groups with at least {fewest} rows; {note}"
            return nothing(self.gap, self.attribute, why, n=sum(self.rows.values()))
        return self._of_pair(used, "", note)

    def _of_pair(self, used: tuple[str, ...], segment: str, note: str) -> Value:
        """Return the gap among groups; its rows are those of the smaller of the two.

        Of equal ones the first is the lowest and the last the highest: two groups, always.
        """
        low = min(used, key=lambda one: self.found[one].value)
        high = max(reversed(used), key=lambda one: self.found[one].value)
        least, most = self.found[low], self.found[high]
        gap = most.value - least.value
        over, under = most.over + least.under, most.under + least.over
        error = math.hypot(least.error, most.error)
        looks = len(used) * (len(used) - 1)
        note = (
            f"lowest {low} at {least.value:.4g} of {least.n:,}, "
            f"highest {high} at {most.value:.4g} of {most.n:,}; {note}"
        )
        return Value(
            self.gap,
            self.attribute,
            segment,
            gap,
            max(gap - over - of_choice(looks) * error, 0.0),
            max(gap + under, over - gap) + Z * error,  # the lower may be the higher in truth
            min(least.n, most.n),
            None,
            Estimate(gap, error, over, looks),
            note,
        )


def taking_part(rows: Mapping[str, int], able: set[str], least: int) -> tuple[tuple[str, ...], str]:
    """Return the groups that a gap over all groups uses, and a note that names the others."""
    used = tuple(sorted(one for one in able if rows[one] >= least))
    small = sorted(one for one in rows if rows[one] and one not in used)
    note = f"over groups {', '.join(used)}" if used else "no group takes part"
    if small:
        note += f"; left out, under {least} rows or without a rate: {', '.join(small)}"
    return used, note


def of_calibration(groups: Groups, against: str, least: int) -> Iterator[Value]:
    """Yield the calibration error of each group, and gaps."""
    found = {
        name: Level(one.value, one.error, one.n, one.over, one.under)
        for name, one in groups.calibrations.items()
    }
    notes = {name: one.note for name, one in groups.calibrations.items()}
    levels = Levels(
        groups.attribute, "group_ece", "ece_difference", groups.labelled, found, notes, 0.0
    )
    yield from levels.values(against, max(least, CALIBRATED_ROWS))


def of_means(
    grid: Grid, column: Categories, at: slice, window: Profile, against: str, least: int
) -> Iterator[Value]:
    """Yield mean predictions and mean errors of a regression by group, and gaps."""
    axis = grid.axes[-1]
    predicted, labelled = (window.section(f"group_{what}") for what in ("predictions", "labelled"))
    for what, section, counts, offset, why in (
        ("prediction", "group_answer", predicted.sum(axis=1), axis.mean, held.predictions),
        ("error", "group_error", labelled, 0.0, held.errors),
    ):
        n = counts[at].tolist()
        rows = dict(zip(column.values, n, strict=False))
        moments = _moments(window, section, at)
        found = {
            name: _level(*each, count, axis.scale, offset)
            for name, each, count in zip(column.values, moments, n, strict=False)
            if count
        }
        metrics = (f"group_mean_{what}", f"mean_{what}_difference")
        values = Levels(column.name, *metrics, rows, found, {}).values(against, least)
        yield from held.told(values, why(window))


def _moments(window: Profile, section: str, at: slice) -> Iterator[tuple[Number, Number]]:
    """Yield the sum and the sum of squares of each group, exact where rows are far."""
    near = [window.section(name)[at] for name in (f"{section}s", f"{section}_squares")]
    far = window.section(f"far_{section}s")[at]
    if not far.any():
        sums, squares = ERROR.total(near[0]).tolist(), ERROR_SQUARE.total(near[1]).tolist()
        yield from zip(sums, squares, strict=True)
        return
    for one, square, (beyond, beyond_square) in zip(*near, far, strict=True):
        yield ERROR.exact(one) + total(beyond), ERROR_SQUARE.exact(square) + total(beyond_square)


def _level(summed: Number, squares: Number, n: int, unit: float, offset: float) -> Level:
    mean = summed / n
    variance = max(float(squares - n * mean**2), 0.0) / max(n - 1, 1)
    return Level(float(mean) * unit + offset, math.sqrt(variance / n) * unit, n)
