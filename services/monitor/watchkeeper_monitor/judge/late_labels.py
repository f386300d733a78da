"""Labels that came after their prediction: joined, system by system, and the index kept small."""

from __future__ import annotations

from collections.abc import Callable

import sqlalchemy as sa

from watchkeeper_monitor.flush.joining import Joiner
from watchkeeper_monitor.meters import Meters
from watchkeeper_monitor.profiles.segments import slices_of
from watchkeeper_monitor.references.baselines import Baselines
from watchkeeper_monitor.settings import Pace
from watchkeeper_monitor.store import labels, merging, progress, tallies
from watchkeeper_monitor.store.shelf import Shelf
from watchkeeper_shared.clock import Clock
from watchkeeper_shared.db.registry import Registry
from watchkeeper_shared.db.unit_of_work import Database
from watchkeeper_shared.specs import AISystem


class LateLabels:
    """Joins waiting labels. One thread.

    Parameters
    ----------
    database, registry, baselines, shelf, clock
        Where labels wait, what is applied, on which grids, the index in memory, and the time.
    pace, meters
        How long labels wait and predictions are found, and what is told about it.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - all are collaborators, wired once
        self,
        database: Database,
        registry: Registry,
        baselines: Baselines,
        shelf: Shelf,
        clock: Clock,
        pace: Pace,
        meters: Meters,
    ) -> None:
        self._database = database
        self._registry = registry
        self._baselines = baselines
        self._shelf = shelf
        self._clock = clock
        self._pace = pace
        self._meters = meters
        self._joined_at: dict[str, int] = {}

    def step(
        self, system: str, spec: AISystem, holds_lease: Callable[[sa.Connection], bool]
    ) -> bool:
        """Join waiting labels and keep the index in shape, if anything came since the last time."""
        policies = self._registry.policies_for(system)
        slices = slices_of(rule for one in policies for rule in one.spec.rules)
        horizon = self._pace.label_horizon
        with self._database.read() as c:
            seen = progress.rows_seen(c, system)
            if self._joined_at.get(system) == seen:
                return False
            joiner = Joiner(c, self._shelf, system, spec, self._baselines, slices)
            before = self._clock.now() - self._pace.label_patience
            if not joiner.is_due(before) and not merging.is_due(c, system, horizon):
                self._joined_at[system] = seen
                return False
        with self._database.transaction() as c:
            if not holds_lease(c):
                return False
            done = Joiner(c, self._shelf, system, spec, self._baselines, slices).step(before)
            merged = merging.merge(c, self._shelf, system, horizon)
            tallies.count(c, {(system, "label_unknown"): done.given_up} if done.given_up else {})
            tallies.put(c, system, "labels_waiting", labels.waiting(c, system))
        self._meters.labels_joined.inc(done.labels)
        if not done.more and not merged:
            self._joined_at[system] = seen
        return done.more or merged
