"""A backtest from the database: which panes, on which grids, under which two policies."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby

import sqlalchemy as sa

from watchkeeper_monitor.backtesting import reporting
from watchkeeper_monitor.backtesting.comparing import Change, compare
from watchkeeper_monitor.backtesting.past import Pane, Past
from watchkeeper_monitor.backtesting.replaying import Breach, replay
from watchkeeper_monitor.backtesting.reporting import Line, Report, Skipped
from watchkeeper_monitor.backtesting.schedule import Schedule, schedule
from watchkeeper_monitor.profiles.segments import slices_of
from watchkeeper_monitor.references.baselines import Baselines
from watchkeeper_monitor.rule.confirming import realised
from watchkeeper_monitor.store import reading, windows
from watchkeeper_monitor.windows.scales import POOLED
from watchkeeper_monitor.windows.spans import Span
from watchkeeper_shared.db.registry import Applied, Registry
from watchkeeper_shared.db.unit_of_work import Database
from watchkeeper_shared.specs import AISystem, OversightPolicy, Rule, WindowSpec

NEW, IN_FORCE = "new", "in force"


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked.

    Parameters
    ----------
    policy
        The policy to try, as it would be applied.
    since, until
        Only windows that start and are settled in between.
    systems
        Only these of the policy's systems; empty: all of them.
    """

    policy: Applied[OversightPolicy]
    since: datetime
    until: datetime
    systems: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Found:
    """What one version of one system contributes."""

    lines: list[Line]
    skipped: list[Skipped]
    windows: int


class Backtest:
    """Answers one question. Reads only.

    Parameters
    ----------
    database, registry
        Where profiles are, and what is in force.
    question
        What is asked.
    """

    def __init__(self, database: Database, registry: Registry, question: Question) -> None:
        self._database = database
        self._registry = registry
        self._question = question
        self._baselines = Baselines(registry)
        self._in_force = registry.policies().get(question.policy.name)

    def run(self) -> Report:
        """Replay both policies over every version and compare what they tell.

        Raises
        ------
        StoreUnavailable
            The database is away; nothing was changed, ask again.
        """
        return self.report(self.found())

    def found(self) -> list[Found]:
        """Return what each version of each system contributes."""
        return [one for system in self.systems() for one in self.versions(system)]

    def report(self, found: Sequence[Found]) -> Report:
        """Return the answer that all contributions make together."""
        question = self._question
        lines = [line for one in found for line in one.lines]
        changed = [line for line in lines if line.change != Change.KEPT.value]
        return Report(
            name=question.policy.name,
            policy=question.policy.hash,
            against="" if self._in_force is None else self._in_force.hash,
            since=question.since,
            until=question.until,
            systems=len(self.systems()),
            windows=sum(one.windows for one in found),
            totals=reporting.totals(lines),
            breaches=sorted(changed, key=lambda line: (line.opened.start, line.system)),
            skipped=[gap for one in found for gap in one.skipped],
            notes=list(self._notes()),
        )

    def systems(self) -> list[str]:
        """Return the systems to look at: those of either policy."""
        named = set(self._question.policy.spec.systems)
        if self._in_force is not None:
            named |= set(self._in_force.spec.systems)
        asked = self._question.systems
        return sorted(named & asked if asked else named)

    def _notes(self) -> Iterator[str]:
        if self._in_force is None:
            yield f"no policy {self._question.policy.name!r} is in force: every breach is gained"
        for system in self.systems():
            if system in self._registry.withdrawn():
                yield f"{system} is not replayed, it was {self._registry.withdrawn()[system]}"
                continue
            if self._registry.system(system) is None:
                yield f"{system} is not declared, so nothing is stored of it"
                continue
            for name in self._uncounted(system):
                yield f"{system}: no policy in force counts the slice {name}, so it has no rows"

    def _uncounted(self, system: str) -> list[str]:
        known = self._registry.policies_for(system)
        counted = slices_of(rule for one in known for rule in one.spec.rules)
        return sorted(set(slices_of(self._question.policy.spec.rules)) - set(counted))

    def versions(self, system: str) -> Iterator[Found]:
        """Yield what each version of a system contributes."""
        spec = self._registry.system(system)
        if spec is None:
            return
        with self._database.read() as c:
            for version in windows.versions(c, system):
                yield self._found(self._past(c, system, spec, version))

    def _past(self, c: sa.Connection, system: str, spec: AISystem, version: str) -> Past:
        rules = [rule for _, one in self._policies(system) for rule in one.rules]
        asked = self._question
        sizes = (one.window.size_delta for _, one in self._policies(system))
        # A block that ends in the time asked for may have begun long before it.
        since = asked.since - POOLED[-1] * max(sizes, default=timedelta(0))
        return Past(
            system=system,
            version=version,
            spec=spec,
            panes=tuple(_panes(c, system, version, since, asked.until)),
            current=self._baselines.current(system, spec, version),
            under=lambda key: self._baselines.under(key, system, spec, version),
            metrics=frozenset(_metrics(rules)),
            slices=slices_of(rules),
            held=reading.resolution(c, system, version, since, asked.until),
        )

    def _policies(self, system: str) -> Iterator[tuple[str, OversightPolicy]]:
        chosen = {NEW: self._question.policy, IN_FORCE: self._in_force}
        for name, one in chosen.items():
            if one is not None and system in one.spec.systems:
                yield name, one.spec

    def _found(self, past: Past) -> Found:
        asked = self._question
        told: defaultdict[str, list[Breach]] = defaultdict(list)
        skipped, judged = [], 0
        spans = [pane.span for pane in past.panes]
        pauses = [Span(*pause) for pause in self._registry.pauses(past.system)]
        plans: dict[WindowSpec, Schedule] = {}
        for name, policy in self._policies(past.system):
            spec = policy.window
            if spec not in plans:
                plans[spec] = schedule(spans, spec, asked.since, asked.until, past.held, pauses)
            plan = plans[spec]
            told[name] = replay(past, policy, plan.windows)
            judged += len(plan.windows) if name == NEW else 0
            skipped += [
                reporting.skipped(gap, name, past.system, past.version) for gap in plan.gaps
            ]
        compared = compare(told[NEW], told[IN_FORCE])
        lines = [reporting.line(one, past.system, past.version) for one in compared]
        return Found(lines, skipped, judged)


def _metrics(rules: Iterable[Rule]) -> Iterator[str]:
    """Yield what rules look at, and what labels must say before an estimated breach ends."""
    for rule in rules:
        yield rule.metric
        for segment in rule.segments or ("",):
            subject = realised(rule.metric, segment)
            if subject is not None:
                yield subject[0]


def _panes(
    c: sa.Connection, system: str, version: str, since: datetime, until: datetime
) -> Iterator[Pane]:
    """Yield the panes of a version that reach into a stretch of time, in order."""
    stored = reading.between(c, system, version, since, until)
    for span, mine in groupby(stored, key=lambda one: one[0]):
        yield Pane(span, tuple(profile for _, profile in mine))
