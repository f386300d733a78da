"""A turn of a breach as the log holds it: an event, its identity and its envelope. Pure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime

import msgspec

from watchkeeper_monitor.rule.episodes import Turn, TurnKind
from watchkeeper_monitor.rule.judgements import Series
from watchkeeper_monitor.store.settled import Settled
from watchkeeper_monitor.store.windows import Scope
from watchkeeper_shared.db.registry import Applied
from watchkeeper_shared.eventlog.port import Message
from watchkeeper_shared.events.breaches import (
    BREACH_CLEARED,
    BREACH_OPENED,
    BREACH_UPDATED,
    BreachEvent,
    BreachPool,
    BreachWindow,
)
from watchkeeper_shared.specs import AISystem, OversightPolicy, Rule
from watchkeeper_shared.topics import BREACHES

SOURCE = "/watchkeeper/monitor"
CONTENT_TYPE = "application/cloudevents+json; charset=utf-8"

_TYPES = {
    TurnKind.OPENED: BREACH_OPENED,
    TurnKind.UPDATED: BREACH_UPDATED,
    TurnKind.MOVED: BREACH_UPDATED,
    TurnKind.CLEARED: BREACH_CLEARED,
    TurnKind.WITHDRAWN: BREACH_CLEARED,
    TurnKind.RETIRED: BREACH_CLEARED,
    TurnKind.SYSTEM_WITHDRAWN: BREACH_CLEARED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """What people are told when a breach opens, changes or ends.

    Parameters
    ----------
    scope, policy, spec
        Whose breach, under which policy, of which system.
    rule, row, turn
        Which rule looks, at what was measured, and what came of it.
    breach, evidence
        The ids of the breach, and of the rows that were frozen for it, if any were.
    now
        The present instant.
    """

    scope: Scope
    policy: Applied[OversightPolicy]
    spec: AISystem
    rule: Rule
    row: Settled
    turn: Turn
    breach: str
    evidence: str | None
    now: datetime

    @property
    def identity(self) -> str:
        """The id of the event: the same however often it is decided."""
        turn, row = self.turn, self.row
        parts = [self.breach, turn.kind.value, row.window.start.isoformat(), str(row.revision)]
        if turn.kind is TurnKind.MOVED:
            # Bounds may move to and fro while this window stays as it is.
            parts += [turn.opened.isoformat(), str(turn.cleared), self.now.isoformat()]
        return _digest(*parts)

    def message(self) -> Message:
        """Return a structured CloudEvent for the topic of breaches."""
        attributes = {
            "specversion": "1.0",
            "id": self.identity,
            "source": SOURCE,
            "type": _TYPES[self.turn.kind],
            "subject": self.breach,
            "time": self.now,
            "datacontenttype": "application/json",
            "data": self.event(),
        }
        value = msgspec.json.encode(attributes)
        return Message(BREACHES.name, self.scope.system, value, {"content-type": CONTENT_TYPE})

    def event(self) -> BreachEvent:
        """Return all that a person needs who is woken by it."""
        one, row, rule, turn = self.row.measurement, self.row, self.rule, self.turn
        first_opened, first_cleared = turn.told_first
        return BreachEvent(
            breach=self.breach,
            fingerprint=fingerprint(self.scope.system, one.series),
            system=self.scope.system,
            version=self.scope.version,
            policy=self.policy.name,
            policy_hash=self.policy.hash,
            rule=rule.id,
            metric=one.series.metric,
            column=one.series.column,
            segment=one.series.segment,
            severity=rule.severity.value,
            value=one.value,
            low=one.low,
            high=one.high,
            n=one.n,
            reference=one.reference,
            reference_n=one.reference_n,
            warn=one.warn,
            limit=one.breach,
            below=rule.below,
            window=BreachWindow(
                start=row.window.start,
                end=row.window.end,
                revision=row.revision,
                status=row.status.value,
            ),
            opened_window=turn.opened,
            cleared_window=turn.cleared,
            first_opened=first_opened,
            first_cleared=first_cleared,
            reason=turn.why(one.reason),
            controls=rule.controls,
            note=rule.note,
            owner_team=self.spec.owner.team,
            owner_contact=self.spec.owner.contact,
            runbook=self.spec.runbook,
            ticket=rule.on_breach.ticket,
            channels=rule.on_breach.channels,
            evidence=self.evidence,
            withdrawn=turn.kind is TurnKind.WITHDRAWN,
            retired=turn.kind in (TurnKind.RETIRED, TurnKind.SYSTEM_WITHDRAWN),
            system_withdrawn=turn.kind is TurnKind.SYSTEM_WITHDRAWN,
            scale=one.scale,
            pooled=_pool(row),
        )


def fingerprint(system: str, series: Series) -> str:
    """Return the identity of a series: the same for every breach of it, whatever the value."""
    return _digest(system, series.rule, series.metric, series.column, series.segment)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()


def _pool(row: Settled) -> BreachPool | None:
    pooled, span = row.measurement.pooled, row.span
    if pooled is None:
        return None
    return BreachPool(start=span.start, end=span.end, **msgspec.structs.asdict(pooled))
