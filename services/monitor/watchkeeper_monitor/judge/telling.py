"""Breaches open, change and end: episodes stored, evidence frozen, announced to the outbox."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import msgspec
import sqlalchemy as sa

from watchkeeper_monitor.evidence import freezing
from watchkeeper_monitor.judge.announcements import Announcement
from watchkeeper_monitor.references.baselines import Baselines
from watchkeeper_monitor.rule.confirming import Said, Subject, confirmed, realised
from watchkeeper_monitor.rule.episodes import Episode, EpisodeState, Turn, TurnKind, diff
from watchkeeper_monitor.rule.judgements import Series
from watchkeeper_monitor.rule.stretches import Opening, Point, fold, lookback
from watchkeeper_monitor.store import episodes, settled
from watchkeeper_monitor.store.settled import Settled
from watchkeeper_monitor.store.windows import Scope
from watchkeeper_shared.db import outbox
from watchkeeper_shared.db.registry import Applied
from watchkeeper_shared.specs import AISystem, OversightPolicy, Rule

Pooled = tuple[datetime, int]
"""The newest window that closes a pool of a scale that breached, and the scale."""

OWNER = "monitor"


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
        earlier = settled.earlier_starts(c, self.scope, since, span)
        points = settled.points(c, self.scope, earlier[0] if earlier else since)
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
            subject: settled.said_of(c, self.scope, *subject, start)
            for subject, start in estimated.items()
        }

    def _scales(
        self, c: sa.Connection, stored: Mapping[Series, Sequence[Episode]], since: datetime
    ) -> dict[Series, list[Pooled]]:
        """Return what took a pool to see in the breaches that are open where folding begins."""
        opened = [one.opened for mine in stored.values() for one in mine if one.opened < since]
        found: defaultdict[Series, list[Pooled]] = defaultdict(list)
        if opened:
            rows = settled.pooled_breaches(c, self.scope, min(opened), since)
            for series, start, scale in rows:
                found[series].append((start, scale))
        return found

    def _tell(self, c: sa.Connection, series: Series, rule: Rule, turn: Turn) -> None:
        start = None if turn.point is None else turn.point.window
        row = settled.standing(c, self.scope, series, start)
        if row is None:  # that window has ended: the newest one is next best
            row = settled.standing(c, self.scope, series, None)
        if row is None:
            return  # nothing was ever measured: there is nothing to tell
        self._send(c, rule, turn, row)

    def retire(
        self, c: sa.Connection, series: Series, episode: Episode, reason: str, kind: TurnKind
    ) -> None:
        """End a breach that nothing judges any more, with the policy that judged it last."""
        row = settled.standing(c, self.scope, series, None)
        rule = next(one for one in self.policy.spec.rules if one.id == series.rule)
        if row is None:
            return  # a breach has a measurement; without one there is nothing to tell
        # After the last window: a rule that comes back and still sees it raises it anew.
        point = Point(row.window.end, episode.told_state, episode.told_value)
        turn = Turn(kind, episode, episode.opened, episode.generation, point, cleared=point.window)
        last = f"{reason}; last: {row.measurement.reason}"
        told = msgspec.structs.replace(row.measurement, reason=last)
        self._send(c, rule, turn, replace(row, measurement=told))

    def _send(self, c: sa.Connection, rule: Rule, turn: Turn, row: Settled) -> None:
        series = row.measurement.series
        evidence = self._evidence(c, series, turn, row)
        told = Announcement(
            scope=self.scope,
            policy=self.policy,
            spec=self.spec,
            rule=rule,
            row=row,
            turn=turn,
            breach=episodes.store(c, self.scope, series, turn, evidence, self.now),
            evidence=evidence,
            now=self.now,
        )
        outbox.enqueue(c, OWNER, told.message(), told.identity, self.now)

    def _evidence(self, c: sa.Connection, series: Series, turn: Turn, row: Settled) -> str | None:
        if turn.kind is TurnKind.OPENED:
            baseline = self.baselines.current(self.scope.system, self.spec, self.scope.version)
            return freezing.freeze(
                c, self.scope, row.span, row.revision, baseline.key, self.pane_rows, self.now
            )
        return episodes.evidence_of(c, episodes.id_of(self.scope, series, turn))


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
        if one.opened < since and one.reaches(since) and one.state is not EpisodeState.WITHDRAWN
    ]
    opening = None
    if open_before:
        first = open_before[-1]
        opening = Opening(
            first, max((scale for start, scale in pooled if start >= first), default=1)
        )
    return diff(stored, fold(points, rule, opening, known), points, rule, since)
