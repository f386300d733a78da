"""Breaches that no rule looks at any more: closed, with the reason, once.

A rule that is changed and still looks at a series judges it on, by its new limits. But when
the rule, its policy or what it looked at is gone, nothing would ever end what it had opened.
That is no recovery, and is told as what it is.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from watchkeeper_monitor.judge.telling import Teller
from watchkeeper_monitor.metrics.values import nothing
from watchkeeper_monitor.references.baselines import Baselines
from watchkeeper_monitor.rule.judgements import Series, looks_at
from watchkeeper_monitor.store import episodes, policies
from watchkeeper_monitor.store.episodes import Open
from watchkeeper_monitor.store.windows import Scope
from watchkeeper_shared.clock import Clock
from watchkeeper_shared.db.registry import Applied, Registry
from watchkeeper_shared.db.unit_of_work import Database
from watchkeeper_shared.specs import AISystem, OversightPolicy

Policies = Mapping[str, Applied[OversightPolicy]]


@dataclass(frozen=True, slots=True)
class Retirement:
    """An open breach that nothing judges any more, and why."""

    open: Open
    reason: str


def unwatched(
    scope: Scope, series: Series, now_applied: Policies, features: Collection[str]
) -> str:
    """Return why nothing judges a series any more, or nothing.

    Parameters
    ----------
    now_applied
        The policies that name the system, by name.
    features
        What `columns: ["*"]` stands for.
    """
    policy = now_applied.get(scope.policy)
    if policy is None:
        return f"policy {scope.policy!r} no longer watches {scope.system!r}"
    rule = next((one for one in policy.spec.rules if one.id == series.rule), None)
    if rule is None:
        return f"rule {series.rule!r} was removed from policy {scope.policy!r}"
    value = nothing(series.metric, series.column, "", segment=series.segment)
    if looks_at(rule, value, features):
        return ""
    parts = (series.metric, series.column, series.segment)
    return f"rule {series.rule!r} no longer looks at {' '.join(part for part in parts if part)}"


class Retirer:
    """Closes what no rule looks at any more. One thread.

    Parameters
    ----------
    database, registry, baselines, clock
        Where episodes are, what is applied, on which grids, and what time it is.
    """

    def __init__(
        self, database: Database, registry: Registry, baselines: Baselines, clock: Clock
    ) -> None:
        self._database = database
        self._registry = registry
        self._baselines = baselines
        self._clock = clock
        self._looked_at: dict[str, object] = {}

    def step(
        self, system: str, spec: AISystem, holds_lease: Callable[[sa.Connection], bool]
    ) -> int:
        """Close what is to be closed of one system; return how many breaches.

        Looks only when something was applied since it looked last.
        """
        applied = {one.name: one for one in self._registry.policies_for(system)}
        state = (sorted((one.name, one.hash) for one in applied.values()), spec)
        if self._looked_at.get(system) == state:
            return 0
        with self._database.read() as c:
            found = self._found(c, system, spec, applied)
        if found:
            with self._database.transaction() as c:
                if not holds_lease(c):
                    return 0
                # Once more, under the lease: another judge may have told it meanwhile.
                found = self._found(c, system, spec, applied)
                for one in found:
                    self._retire(c, spec, one)
        self._looked_at[system] = state
        return len(found)

    def _found(
        self, c: sa.Connection, system: str, spec: AISystem, applied: Policies
    ) -> list[Retirement]:
        found = []
        for one in episodes.open_ones(c, system):
            # A policy that cannot be read now was not taken back by anybody.
            if f"OversightPolicy/{one.scope.policy}" in self._registry.unreadable():
                continue
            features = spec.features_of(one.scope.version)
            reason = unwatched(one.scope, one.series, applied, features)
            if reason:
                found.append(Retirement(one, reason))
        return found

    def _retire(self, c: sa.Connection, spec: AISystem, one: Retirement) -> None:
        scope, series = one.open.scope, one.open.series
        policy = policies.judged_by(c, scope, series)
        teller = Teller(scope, policy, spec, self._baselines, self._clock.now())
        teller.retire(c, series, one.open.episode, one.reason)
