"""The keeper: rolls up what rests, and drops what was kept long enough.

A step is at most one bounded transaction under the judge's lease, so nothing else waits for
it for long; a round that is interrupted anywhere begins again at what is left.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import sqlalchemy as sa

from watchkeeper_monitor.judge.aside import Aside
from watchkeeper_monitor.judge.duties import Duty, duties
from watchkeeper_monitor.meters import Meters
from watchkeeper_monitor.references.baselines import Baseline, Baselines
from watchkeeper_monitor.rule.stretches import lookback
from watchkeeper_monitor.settings import Pace, Retention
from watchkeeper_monitor.store.merging import Ends
from watchkeeper_shared.clock import Clock
from watchkeeper_shared.db.registry import Registry
from watchkeeper_shared.db.unit_of_work import Database
from watchkeeper_shared.errors import Conflict, RetryableError
from watchkeeper_shared.specs import AISystem

logger = logging.getLogger(__name__)

Lease = Callable[[sa.Connection, str, datetime], bool]
"""Renews the right to write a system's state; false while another process has it."""

ROUND = timedelta(hours=1)
"""So often it is looked what has rested long enough: the shortest of what is rolled up to."""
LOOKS = 8
"""At so many systems with nothing to do one step looks."""
_OVER = object()


class Keeper:
    """Keeps the store of every system bounded. One thread.

    Parameters
    ----------
    database, registry, baselines, clock
        Where state is, what is applied, on which grids, and what time it is.
    retention, pace
        How long what is kept, and how long labels are waited for.
    meters
        What is told about it.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - all are collaborators, wired once
        self,
        database: Database,
        registry: Registry,
        baselines: Baselines,
        clock: Clock,
        retention: Retention,
        pace: Pace,
        meters: Meters,
    ) -> None:
        self._database = database
        self._registry = registry
        self._baselines = baselines
        self._clock = clock
        self._retention = retention
        self._pace = pace
        self._meters = meters
        self._aside = Aside("keep", ROUND, clock, meters)
        self._rounds: dict[str, Iterator[None]] = {}
        self._again_at: dict[str, datetime] = {}

    def step(self, holds_lease: Lease) -> bool:
        """Do one bounded piece for some system; return whether there was any to do.

        Raises
        ------
        StoreUnavailable
            The piece under way did not happen, or is unknown: the next round finds out.
        """
        now = self._clock.now()
        withdrawn = self._registry.withdrawn()
        systems = {name: one.spec for name, one in withdrawn.items()}
        systems |= self._registry.systems()
        self._aside.only(systems)
        due = [one for one in systems if self._again_at.get(one, now) <= now]
        for system in due[:LOOKS]:
            going = self._rounds.pop(system, None) or self._round(
                system, systems[system], holds_lease
            )
            if self._goes_on(system, going):
                self._rounds[system] = going
                return True
            self._again_at[system] = now + ROUND
        return False

    def raise_trouble(self) -> None:
        """Raise what keeps a system's store from being kept bounded, if anything does."""
        self._aside.raise_first()

    def _goes_on(self, system: str, going: Iterator[None]) -> bool:
        """Do the next piece; return whether there was one. One system's fault stays its own."""
        try:
            found = next(going, _OVER) is not _OVER
        except RetryableError:
            raise
        except Conflict:  # what was to be ended changed meanwhile: the next round looks again
            return False
        except Exception as error:  # noqa: BLE001
            self._aside.put(system, error)
            return False
        self._aside.back([system])
        return found

    def _round(self, system: str, spec: AISystem, holds_lease: Lease) -> Iterator[None]:
        """Yield after each piece, until there is none left."""
        for duty in self._duties(system, spec):
            while (found := self._find(duty)) is not None:
                if found and not self._work(system, duty, holds_lease):
                    return  # another process keeps this system now
                yield

    def _duties(self, system: str, spec: AISystem) -> Iterator[Duty]:
        now = self._clock.now()

        def under(key: str, version: str) -> Baseline | None:
            return self._baselines.under(key, system, spec, version)

        # Nothing is judged of a system that was withdrawn: its windows wait for nothing.
        is_judged = system in self._registry.systems()
        policies = self._registry.policies_for(system) if is_judged else ()
        lookbacks = {"": 0} | {
            one.name: max(map(lookback, one.spec.rules), default=0) for one in policies
        }
        ends = Ends.of(now, self._pace.label_horizon, self._pace.label_patience)
        return duties(system, now, self._retention, ends, lookbacks, under)

    def _find(self, duty: Duty) -> bool | None:
        with self._database.read() as c:
            return duty.find(c)

    def _work(self, system: str, duty: Duty, holds_lease: Lease) -> bool:
        with self._database.transaction() as c:
            if not holds_lease(c, system, self._clock.now()):
                return False
            done = duty.work(c)
        self._meters.retired.labels(duty.kind).inc(done)
        logger.info("retired", extra={"system": system, "kind": duty.kind, "count": done})
        return True
