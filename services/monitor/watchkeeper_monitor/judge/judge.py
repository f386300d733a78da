"""The judge: join late labels, measure changed windows, tell people about breaches.

Of several monitor processes one judges a system at a time. The lease is renewed inside the
transaction that writes, so a judge that lost it cannot commit.

join ─► agenda ─► judge_window … ─► tell          (each arrow: one bounded transaction)
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

import sqlalchemy as sa

from watchkeeper_monitor.judge.agenda import Agenda, Planner, Task
from watchkeeper_monitor.judge.aside import Aside
from watchkeeper_monitor.judge.keeping import Keeper
from watchkeeper_monitor.judge.late_labels import LateLabels
from watchkeeper_monitor.judge.measuring import judge_window
from watchkeeper_monitor.judge.retiring import Retirer
from watchkeeper_monitor.judge.rota import Rota
from watchkeeper_monitor.judge.sharing import JUDGES, PRESENT, Sharing
from watchkeeper_monitor.judge.telling import Teller
from watchkeeper_monitor.judge.tide import Lag, Tide, tide
from watchkeeper_monitor.meters import Meters
from watchkeeper_monitor.references.baselines import Baselines
from watchkeeper_monitor.rule.episodes import TurnKind
from watchkeeper_monitor.settings import Pace
from watchkeeper_monitor.store import panes, progress, tallies, windows
from watchkeeper_monitor.store.windows import Scope
from watchkeeper_monitor.windows.spans import DEFAULT_WINDOW, Span, Status, settled
from watchkeeper_shared.clock import Clock
from watchkeeper_shared.db import leases
from watchkeeper_shared.db.registry import Registry
from watchkeeper_shared.db.unit_of_work import Database
from watchkeeper_shared.db.withdrawals import Withdrawal
from watchkeeper_shared.errors import Conflict, NotHeld, RetryableError
from watchkeeper_shared.specs import AISystem
from watchkeeper_shared.topics import PREDICTIONS

WINDOWS_AT_ONCE = 32
"""How many windows one transaction judges; others wait for the database that long."""

PIECE_SECONDS = 1.0
"""So long judging goes on, and with the system under way, before records are read again."""

ASIDE = timedelta(minutes=1)
"""So long a system is left out when judging it failed."""

logger = logging.getLogger(__name__)


class Judge:
    """Judges every system that it can get the lease of. One thread.

    Parameters
    ----------
    database, registry, baselines, clock
        Where state is, what is applied, on which grids, and how time passes.
    holder
        Who holds the leases.
    pace, meters
        How often, and what is told about it.
    late_labels
        Joins them before windows are judged.
    keeper
        Ends what was kept long enough, when there is nothing else to do.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - all are collaborators, wired once
        self,
        database: Database,
        registry: Registry,
        baselines: Baselines,
        clock: Clock,
        holder: str,
        pace: Pace,
        meters: Meters,
        late_labels: LateLabels,
        keeper: Keeper,
    ) -> None:
        self._database = database
        self._registry = registry
        self._baselines = baselines
        self._clock = clock
        self._holder = holder
        self._pace = pace
        self._meters = meters
        self._late_labels = late_labels
        self._keeper = keeper
        self._aside = Aside("judge", ASIDE, clock, meters)
        self._rota, self._more = Rota(), False
        self._retirer = Retirer(database, registry, baselines, clock)
        self._sharing = Sharing(database, clock, holder, pace.lease_ttl)

    def step(self, lag: Lag) -> bool:
        """Do a bounded piece, the systems in turn; return whether more is waiting.

        Raises
        ------
        StoreUnavailable, LogUnavailable
            Nothing of the piece under way happened.
        """
        until = self._clock.monotonic() + PIECE_SECONDS
        systems, withdrawn = self._registry.systems(), self._registry.withdrawn()
        self._aside.only([*systems, *withdrawn])
        self._sharing.step()
        if self._rota.is_over:
            self._more = False
        closed, others = self._look_around()
        for system in withdrawn:
            if system not in others and not self._aside.holds(system):
                self._guarded(system, partial(self._withdraw, system, withdrawn[system]))
        for system in self._rota.turn(systems, closed):
            spec = systems.get(system)
            # It may have been taken back since the round began.
            if spec is not None and system not in others and not self._aside.holds(system):
                self._more |= self._look_after(system, spec, lag)
            if self._clock.monotonic() >= until:
                break
        more = self._more or not self._rota.is_over
        if not more:
            self._keeper.step(self._holds_lease)
        return more

    def _look_after(self, system: str, spec: AISystem, lag: Lag) -> bool:
        """Do what is due of one system; return whether more is waiting."""

        def work() -> bool:
            more = self._late_labels.step(system, spec, partial(self._holds_now, system))
            self._retire(system, spec)
            return self._judge(system, spec, lag) or more

        return self._guarded(system, work)

    def _guarded(self, system: str, work: Callable[[], bool]) -> bool:
        """Return what the work on one system returns; false if it came to nothing.

        A fault that lies in what one system holds must not end the watch over the others.
        """
        try:
            more = work()
        except RetryableError:
            raise
        except Conflict as conflict:  # another process was faster: look again in the next round
            logger.info("judged_elsewhere", extra={"system": system, "reason": str(conflict)})
            return False
        except Exception as error:  # noqa: BLE001
            self._aside.put(system, error)
            return False
        self._aside.back([system])
        return more

    def raise_trouble(self) -> None:
        """Raise what keeps a system from being judged or kept bounded, if anything does."""
        self._aside.raise_first()
        self._keeper.raise_trouble()

    def begin_anew(self) -> None:
        """Let the next step look at every system again, whoever had a turn already."""
        self._rota = Rota()

    def _look_around(self) -> tuple[list[str], frozenset[str]]:
        """Return which systems have a window that is over, and which others judge.

        A window is over when its lateness is, too, and it is not final. What others judge is
        not even planned: four workers that each plan everything do less than one.
        """
        now = self._clock.now()
        with self._database.read() as c:
            over = windows.past_their_end(c)
            others = leases.of_others(c, JUDGES, self._holder, now)
        self._aside.back(others)
        closed = [scope.system for scope, end, mark in over if end + self._lateness(scope) <= mark]
        return list(dict.fromkeys(closed)), others

    def _lateness(self, scope: Scope) -> timedelta:
        policies = self._registry.policies_for(scope.system)
        spec = next((one.spec.window for one in policies if one.name == scope.policy), None)
        return (spec or DEFAULT_WINDOW).lateness_delta

    def _holds_lease(self, c: sa.Connection, system: str, now: datetime) -> bool:
        return leases.take(c, JUDGES + system, self._holder, now, self._pace.lease_ttl)

    def _retire(self, system: str, spec: AISystem) -> None:
        """Close breaches that no rule looks at any more."""
        closed = self._retirer.step(system, spec, partial(self._holds_now, system))
        self._meters.breach_events.labels(TurnKind.RETIRED.value).inc(closed)

    def _withdraw(self, system: str, withdrawal: Withdrawal) -> bool:
        """Close what is open of a system that nobody watches any more; its lease runs out."""
        closed = self._retirer.withdraw(system, withdrawal, partial(self._holds_now, system))
        self._meters.breach_events.labels(TurnKind.SYSTEM_WITHDRAWN.value).inc(closed)
        return False

    def _holds_now(self, system: str, c: sa.Connection) -> bool:
        return self._holds_lease(c, system, self._clock.now())

    def give_back(self) -> None:
        """Let another process judge at once; for an orderly end."""
        with self._database.transaction() as c:
            leases.release(c, PRESENT + self._holder, self._holder)
            for system in (*self._registry.systems(), *self._registry.withdrawn()):
                leases.release(c, JUDGES + system, self._holder)

    def _judge(self, system: str, spec: AISystem, lag: Lag) -> bool:
        now = self._clock.now()
        with self._database.read() as c:
            partitions = progress.of_system(c, system, PREDICTIONS.name)
            found = tide(partitions, now, self._pace.idle_timeout, lag)
            if found is None:
                return False
            policies = self._registry.policies_for(system)
            interval, pauses = self._pace.rejudge_interval, self._pauses(system)
            planner = Planner(c, system, policies, found, now, interval, pauses)
            agenda = planner.agenda(WINDOWS_AT_ONCE)
        if not agenda.tasks and not agenda.covered:
            return False
        try:
            with self._database.transaction() as c:
                if not self._holds_lease(c, system, now):
                    return False
                self._work_off(c, system, spec, agenda, found)
        except NotHeld:
            return True  # another judge rolled it up since it was planned: plan again
        return agenda.more

    def _pauses(self, system: str) -> list[Span]:
        return [Span(*pause) for pause in self._registry.pauses(system)]

    def _work_off(
        self, c: sa.Connection, system: str, spec: AISystem, agenda: Agenda, found: Tide
    ) -> None:
        now = self._clock.now()
        since: dict[Scope, Task] = {}
        for task in agenda.tasks:
            if self._judge_window(c, task, spec, found, now) and task.is_news:
                since.setdefault(task.scope, task)
        for scope, first in since.items():
            if first.policy is None:
                continue
            rows = self._pace.sample_rows
            teller = Teller(scope, first.policy, spec, self._baselines, now, rows)
            for kind, count in teller.tell(c, first.window.start).items():
                self._meters.breach_events.labels(kind).inc(count)
        panes.judged(c, system, agenda.covered, now)
        if agenda.not_held:
            tallies.count(c, {(system, "windows_not_held"): agenda.not_held})

    def _judge_window(
        self, c: sa.Connection, task: Task, spec: AISystem, found: Tide, now: datetime
    ) -> bool:
        """Judge one window; return whether breaches must be looked at again."""
        started = self._clock.monotonic()
        lateness = task.spec.lateness_delta
        is_settled = settled(task.window, found.watermark, lateness, idle=found.idle, now=now)
        pauses = self._pauses(task.scope.system)
        judged = judge_window(
            c, task, spec, self._baselines, now, is_settled=is_settled, pauses=pauses
        )
        self._meters.evaluation_seconds.observe(self._clock.monotonic() - started)
        if judged is None:
            return False
        self._meters.windows.labels(judged.status.value).inc()
        return judged.status is not Status.PROVISIONAL
