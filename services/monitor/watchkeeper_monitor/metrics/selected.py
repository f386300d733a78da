"""Only the metrics that somebody asks for, of many windows at once: for replaying history."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from watchkeeper_monitor.grids import Grid
from watchkeeper_monitor.metrics import (
    drift,
    estimated,
    explanation,
    fairness,
    measure,
    operation,
    performance,
    quality,
)
from watchkeeper_monitor.metrics.calibration import calibrations
from watchkeeper_monitor.metrics.values import Value
from watchkeeper_monitor.profiles import Profile
from watchkeeper_shared.metric_names import FAMILIES, Family
from watchkeeper_shared.specs import AISystem

GROUP_ROWS = 100
_CHANGES = ("_drop", "_rise")
_BY_CLASS = ("class_", "confusion_")
"""Metrics that have a value for every class, so the first is not the last."""


@dataclass(frozen=True, slots=True)
class Selection:
    """What to measure.

    Parameters
    ----------
    spec, grid, reference
        As for `metrics.measure`.
    wanted
        The metrics; everything else is left out, and mostly not computed.
    """

    spec: AISystem
    grid: Grid
    reference: Profile | None
    wanted: frozenset[str]

    def measure(self, windows: Sequence[tuple[Profile, datetime]]) -> list[list[Value]]:
        """Return of each window, given with its end, what `metrics.measure` says of these."""
        if any(window.slices for window, _ in windows) or self._compares():
            return [self._all(window, end) for window, end in windows]
        drifts: list[list[Value]] = [[] for _ in windows]
        if self._asks(Family.DRIFT):
            profiles = [window for window, _ in windows]
            drifts = drift.measure_many(self.grid, profiles, self.reference, self.wanted)
        return [
            [*found, *self._others(window, end)]
            for found, (window, end) in zip(drifts, windows, strict=True)
        ]

    def _all(self, window: Profile, end: datetime) -> list[Value]:
        values = measure(self.spec, self.grid, window, self.reference, end=end)
        return [value for value in values if value.metric in self.wanted]

    def _compares(self) -> bool:
        """Return whether a metric compares performance with the reference's."""
        return any(name.endswith(_CHANGES) for name in self.wanted)

    def _asks(self, family: Family) -> bool:
        return not self.wanted.isdisjoint(FAMILIES[family])

    def _others(self, window: Profile, end: datetime) -> Iterator[Value]:
        grid, spec = self.grid, self.spec
        if self._asks(Family.DATA_QUALITY):
            yield from self._of(quality.measure(grid, window, self.reference, end))
        if self._asks(Family.PERFORMANCE):
            yield from _until_all(performance.measure(grid, window), self.wanted)
        if self._asks(Family.FAIRNESS):
            yield from self._of(
                fairness.measure(spec, grid, window, GROUP_ROWS, calibrations(window))
            )
        if self._asks(Family.ESTIMATED) or estimated.GAP in self.wanted:
            yield from self._of(estimated.measure(spec, grid, window))
        if self._asks(Family.OPERATION):
            yield from self._of(operation.measure(window))
        if self._asks(Family.EXPLANATION):
            yield from self._of(explanation.measure(grid, window, self.reference))

    def _of(self, values: Iterable[Value]) -> Iterator[Value]:
        return (value for value in values if value.metric in self.wanted)


def _until_all(values: Iterable[Value], wanted: Collection[str]) -> Iterator[Value]:
    """Yield what is wanted, and compute nothing after the last of it."""
    left = set(wanted) & set(FAMILIES[Family.PERFORMANCE])
    by_class = {name for name in left if name.startswith(_BY_CLASS)}
    for value in values:
        if value.metric in wanted:
            yield value
            left.discard(value.metric)
        if not left and not by_class:
            return
