"""Breaches open, change and end: episodes stored, evidence frozen, events put into the outbox."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from watchkeeper_monitor.evidence import freezing
from watchkeeper_monitor.references.baselines import Baselines
from watchkeeper_monitor.rule.confirming import Said, Subject, confirmed, realised
from watchkeeper_monitor.rule.episodes import Episode, EpisodeState, Turn, TurnKind, diff
from watchkeeper_monitor.rule.judgements import Series
from watchkeeper_monitor.rule.stretches import Opening, Point, fold, lookback
from watchkeeper_monitor.store import episodes, measurements
from watchkeeper_monitor.store.measurements import Settled
from watchkeeper_monitor.store.windows import Scope
from watchkeeper_shared.db import outbox
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

Pooled = tuple[datetime, int]
"""The newest window that closes a pool of a scale that breached, and the scale."""

OWNER = "monitor"
SOURCE = "/watchkeeper/monitor"
CONTENT_TYPE = "application/cloudevents+json; charset=utf-8"

_TYPES = {
    TurnKind.OPENED: BREACH_OPENED,
    TurnKind.UPDATED: BREACH_UPDATED,
    TurnKind.MOVED: BREACH_UPDATED,
    TurnKind.CLEARED: BREACH_CLEARED,
    TurnKind.WITHDRAWN: BREACH_CLEARED,
    TurnKind.RETIRED: BREACH_CLEARED,
}


@dataclass(frozen=True, slots=True)
class Teller:
    """Tells people about the breaches of one scope, in the caller's transaction.

    Parameters
    ----------
    scope, policy, spec
        Whose breaches, under which policy, of which system.
    baselines
        For the evidence: which sample belongs to the window.
    now
        The present instant.
    pane_rows
        For the evidence: how many rows stand for a pane at most.
    """

    scope: Scope
    policy: Applied[OversightPolicy]
    spec: AISystem
    baselines: Baselines
    now: datetime
    pane_rows: int = freezing.MOST_ROWS

    def tell(self, c: sa.Connection, since: datetime) -> Counter[str]:
        """Fold every series from window `since` on; return how many turns of each kind."""
        rules = {rule.id: rule for rule in self.policy.spec.rules}
        span = max((lookback(rule) for rule in rules.values()), default=0)
        earlier = measurements.earlier_starts(c, self.scope, since, span)
        points = measurements.points(c, self.scope, earlier[0] if earlier else since)
        stored = episodes.reaching(c, self.scope, since)
        scales = self._scales(c, stored, since)
        said = self._realised(c, points)
        told: Counter[str] = Counter()
        for series in sorted(points):
            if series.rule not in rules:
                continue
            rule = rules[series.rule]
            seen = scales.get(series, ())
            mine = confirmed(series, points[series], rule, said)
            for turn in turns_of(mine, stored.get(series, []), rule, since, seen):
                self._tell(c, series, rule, turn)
                told[turn.kind.value] += 1
        return told

    def _realised(
        self, c: sa.Connection, points: Mapping[Series, Sequence[Point]]
    ) -> dict[Subject, Said]:
        """Return what labels say of the metrics that rules judge by estimates."""
        estimated = {
            subject: mine[0].window
            for series, mine in points.items()
            if (subject := realised(series.metric, series.segment)) is not None
        }
        return {
            subject: measurements.said_of(c, self.scope, *subject, start)
            for subject, start in estimated.items()
        }

    def _scales(
        self, c: sa.Connection, stored: Mapping[Series, Sequence[Episode]], since: datetime
    ) -> dict[Series, list[Pooled]]:
        """Return what took a pool to see in the breaches that are open where folding begins."""
        opened = [one.opened for mine in stored.values() for one in mine if one.opened < since]
        found: defaultdict[Series, list[Pooled]] = defaultdict(list)
        if opened:
            rows = measurements.pooled_breaches(c, self.scope, min(opened), since)
            for series, start, scale in rows:
                found[series].append((start, scale))
        return found

    def _tell(self, c: sa.Connection, series: Series, rule: Rule, turn: Turn) -> None:
        start = None if turn.point is None else turn.point.window
        row = measurements.standing(c, self.scope, series, start)
        if row is None:
            return  # nothing was ever measured: there is nothing to tell
        self._send(c, series, rule, turn, row)

    def retire(self, c: sa.Connection, series: Series, episode: Episode, reason: str) -> None:
        """End a breach that no rule looks at any more, with the policy that judged it last."""
        row = measurements.standing(c, self.scope, series, None)
        rule = next(one for one in self.policy.spec.rules if one.id == series.rule)
        if row is None:
            return  # a breach has a measurement; without one there is nothing to tell
        # After the last window: a rule that comes back and still sees it raises it anew.
        point = Point(row.window.end, episode.told_state, episode.told_value)
        turn = Turn(
            TurnKind.RETIRED,
            episode,
            episode.opened,
            episode.generation,
            point,
            cleared=point.window,
        )
        last = f"{reason}; last: {row.measurement.reason}"
        told = msgspec.structs.replace(row.measurement, reason=last)
        self._send(c, series, rule, turn, replace(row, measurement=told))

    def _send(self, c: sa.Connection, series: Series, rule: Rule, turn: Turn, row: Settled) -> None:
        evidence = self._evidence(c, row, turn)
        breach = episodes.store(c, self.scope, series, turn, evidence, self.now)
        event = self._event(breach, rule, row, turn, evidence)
        event_id = _event_id(breach, turn, row, self.now)
        message = Message(
            BREACHES.name,
            self.scope.system,
            _envelope(event_id, _TYPES[turn.kind], event, self.now),
            {"content-type": CONTENT_TYPE},
        )
        outbox.enqueue(c, OWNER, message, event_id, self.now)

    def _evidence(self, c: sa.Connection, row: Settled, turn: Turn) -> str | None:
        if turn.kind is TurnKind.OPENED:
            baseline = self.baselines.current(self.scope.system, self.spec, self.scope.version)
            return freezing.freeze(
                c, self.scope, row.span, row.revision, baseline.key, self.pane_rows, self.now
            )
        if turn.episode is not None:
            return episodes.evidence_of(c, turn.episode.id)
        return episodes.evidence_of(
            c, episodes.episode_id(self.scope, _series(row), turn.opened, turn.generation)
        )

    def _event(
        self, breach: str, rule: Rule, row: Settled, turn: Turn, evidence: str | None
    ) -> BreachEvent:
        one = row.measurement
        first_opened, first_cleared = episodes.told_first(turn)
        return BreachEvent(
            breach=breach,
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
            evidence=evidence,
            withdrawn=turn.kind is TurnKind.WITHDRAWN,
            retired=turn.kind is TurnKind.RETIRED,
            scale=one.scale,
            pooled=_pool(row),
        )


def turns_of(
    points: list[Point],
    stored: list[Episode],
    rule: Rule,
    since: datetime,
    pooled: Sequence[Pooled] = (),
) -> list[Turn]:
    """Return what to tell about one series, folded again from window `since` on.

    Parameters
    ----------
    pooled
        Start and scale of what took a pool to see before `since`; the newest of a scale suffices.
    """
    earlier = sum(point.window < since for point in points)
    known = min(earlier, lookback(rule))
    points = points[earlier - known :]
    if len(points) == known:
        return []
    open_before = [
        one.opened
        for one in stored
        if one.opened < since and one.state is not EpisodeState.WITHDRAWN
    ]
    opening = None
    if open_before:
        first = open_before[-1]
        opening = Opening(
            first, max((scale for start, scale in pooled if start >= first), default=1)
        )
    return diff(stored, fold(points, rule, opening, known), points, rule)


def fingerprint(system: str, series: Series) -> str:
    """Return the identity of a series: the same for every breach of it, whatever the value."""
    parts = (system, series.rule, series.metric, series.column, series.segment)
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()


def _pool(row: Settled) -> BreachPool | None:
    pooled, span = row.measurement.pooled, row.span
    if pooled is None:
        return None
    return BreachPool(start=span.start, end=span.end, **msgspec.structs.asdict(pooled))


def _series(row: Settled) -> Series:
    return row.measurement.series


def _event_id(breach: str, turn: Turn, row: Settled, now: datetime) -> str:
    text = f"{breach}\x1f{turn.kind.value}\x1f{row.window.start.isoformat()}\x1f{row.revision}"
    if turn.kind is TurnKind.MOVED:  # bounds may move to and fro while this window stays as it is
        bounds = f"{turn.opened.isoformat()}\x1f{turn.cleared}"
        text += f"\x1f{bounds}\x1f{now.isoformat()}"
    return hashlib.sha256(text.encode()).hexdigest()


def _envelope(event_id: str, kind: str, event: BreachEvent, now: datetime) -> bytes:
    """Return a structured CloudEvent; the id is the same however often it is decided."""
    attributes: dict[str, Any] = {
        "specversion": "1.0",
        "id": event_id,
        "source": SOURCE,
        "type": kind,
        "subject": event.breach,
        "time": now,
        "datacontenttype": "application/json",
        "data": event,
    }
    return msgspec.json.encode(attributes)
