"""Breaches that no rule looks at any more, or whose system was withdrawn: closed, once.

A rule that is changed and still looks at a series judges it on, by its new limits. But when
the rule, its policy or what it looked at is gone, nothing would ever end what it had opened.
Nor when nobody watches the system any more. That is no recovery, and is told as what it is.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial

import sqlalchemy as sa

from watchkeeper_monitor.judge.telling import Teller
from watchkeeper_monitor.metrics.values import nothing
from watchkeeper_monitor.references.baselines import Baselines
from watchkeeper_monitor.rule.episodes import TurnKind
from watchkeeper_monitor.rule.judgements import Series, looks_at
from watchkeeper_monitor.store import episodes, policies
from watchkeeper_monitor.store.episodes import Open
from watchkeeper_monitor.store.windows import Scope
from watchkeeper_shared.clock import Clock
from watchkeeper_shared.db.registry import Applied, Registry
from watchkeeper_shared.db.unit_of_work import Database
from watchkeeper_shared.db.withdrawals import Withdrawal
from watchkeeper_shared.specs import AISystem, OversightPolicy

Policies = Mapping[str, Applied[OversightPolicy]]


@dataclass(frozen=True, slots=True)
class Retirement:
    """An open breach that nothing judges any more, and why."""

    open: Open
    reason: str


Look = Callable[[sa.Connection], list[Retirement]]
"""Finds what is to be closed."""


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
        look = partial(self._unwatched, system=system, spec=spec, applied=applied)
        closed = self._close(spec, look, holds_lease, TurnKind.RETIRED)
        if closed is not None:
            self._looked_at[system] = state
        return closed or 0

    def withdraw(
        self, system: str, withdrawal: Withdrawal, holds_lease: Callable[[sa.Connection], bool]
    ) -> int:
        """Close all that is open of a system that was withdrawn; return how many breaches."""
        if self._looked_at.get(system) == withdrawal:
            return 0

        def look(c: sa.Connection) -> list[Retirement]:
            return [Retirement(one, str(withdrawal)) for one in episodes.open_ones(c, system)]

        closed = self._close(withdrawal.spec, look, holds_lease, TurnKind.SYSTEM_WITHDRAWN)
        if closed is not None:
            self._looked_at[system] = withdrawal
        return closed or 0

    def _close(
        self,
        spec: AISystem,
        look: Look,
        holds_lease: Callable[[sa.Connection], bool],
        kind: TurnKind,
    ) -> int | None:
        """Close what is found; return how many, or None while another process judges."""
        with self._database.read() as c:
            found = look(c)
        if not found:
            return 0
        with self._database.transaction() as c:
            if not holds_lease(c):
                return None
            # Once more, under the lease: another judge may have told it meanwhile.
            found = look(c)
            for one in found:
                self._retire(c, spec, one, kind)
        return len(found)

    def _unwatched(
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

    def _retire(self, c: sa.Connection, spec: AISystem, one: Retirement, kind: TurnKind) -> None:
        scope, series = one.open.scope, one.open.series
        policy = policies.judged_by(c, scope, series)
        teller = Teller(scope, policy, spec, self._baselines, self._clock.now())
        teller.retire(c, series, one.open.episode, one.reason, kind)
