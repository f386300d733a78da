"""What people were told about breaches."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from watchkeeper_monitor.rule.episodes import Episode, EpisodeState, Turn, TurnKind
from watchkeeper_monitor.rule.judgements import Series
from watchkeeper_monitor.store.windows import Scope
from watchkeeper_shared.db.tables import episodes
from watchkeeper_shared.db.types import to_micros
from watchkeeper_shared.states import State

_STATE_AFTER = {
    TurnKind.OPENED: EpisodeState.OPEN,
    TurnKind.CLEARED: EpisodeState.CLEARED,
    TurnKind.WITHDRAWN: EpisodeState.WITHDRAWN,
    TurnKind.RETIRED: EpisodeState.CLEARED,
    TurnKind.SYSTEM_WITHDRAWN: EpisodeState.CLEARED,
}


@dataclass(frozen=True, slots=True)
class Open:
    """An episode that is open, and what it is of."""

    scope: Scope
    series: Series
    episode: Episode


def id_of(scope: Scope, series: Series, turn: Turn) -> str:
    """Return the id of the breach that a turn is of: the same whoever judges, however often."""
    if turn.episode is not None:
        return turn.episode.id
    parts = (
        scope.policy,
        scope.system,
        scope.version,
        series.rule,
        series.metric,
        series.column,
        series.segment,
        str(to_micros(turn.opened)),
        str(turn.generation),
    )
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()


def reaching(c: sa.Connection, scope: Scope, since: datetime) -> dict[Series, list[Episode]]:
    """Return the episodes that reach past an instant, by series, in order of opening.

    A breach that is raised now opens where one of them does, or later. With them come the other
    episodes that were raised for such a window, and have moved since: their names are taken.
    """
    mine = scope.rows_of(episodes)
    reach = sa.or_(episodes.c.cleared_window.is_(None), episodes.c.cleared_window >= since)
    openings = sa.select(episodes.c.opened_window).where(*mine, reach)
    raised = sa.func.coalesce(episodes.c.first_opened, episodes.c.opened_window)
    rows = c.execute(
        sa.select(episodes)
        .where(*mine, sa.or_(reach, episodes.c.first_opened >= since, raised.in_(openings)))
        .order_by(episodes.c.opened_window, episodes.c.generation)
    )
    found: defaultdict[Series, list[Episode]] = defaultdict(list)
    for row in rows:
        found[Series(row.rule, row.metric, row.column, row.segment)].append(_episode(row))
    return found


def open_ones(c: sa.Connection, system: str) -> list[Open]:
    """Return every open episode of a system, under whichever policy."""
    rows = c.execute(
        sa.select(episodes)
        .where(episodes.c.system == system, episodes.c.state == EpisodeState.OPEN.value)
        .order_by(episodes.c.opened_window, episodes.c.id)
    )
    return [
        Open(
            Scope(row.policy, row.system, row.version),
            Series(row.rule, row.metric, row.column, row.segment),
            _episode(row),
        )
        for row in rows
    ]


def _episode(row: sa.Row[Any]) -> Episode:
    return Episode(
        id=row.id,
        opened=row.opened_window,
        cleared=row.cleared_window,
        state=EpisodeState(row.state),
        generation=row.generation,
        told_window=row.told_window,
        told_state=State(row.told_state),
        told_value=row.told_value,
        first_opened=row.first_opened,
        first_cleared=row.first_cleared,
    )


def store(
    c: sa.Connection, scope: Scope, series: Series, turn: Turn, evidence: str | None, now: datetime
) -> str:
    """Store one turn; return the id of its episode."""
    the_id = id_of(scope, series, turn)
    told: dict[str, object] = {"updated_at": now}
    if turn.kind in _STATE_AFTER:
        told["state"] = _STATE_AFTER[turn.kind].value
    heard = turn.heard or turn.point
    if heard is not None:
        told |= {
            "told_window": heard.window,
            "told_state": heard.state.value,
            "told_value": heard.value,
        }
    if turn.cleared is not None:
        told["cleared_window"] = turn.cleared
    if turn.kind is TurnKind.OPENED:
        identity = _identity(scope, series, turn)
        c.execute(
            sa.insert(episodes).values(
                identity | told | {"id": the_id, "evidence": evidence, "opened_at": now}
            )
        )
    else:
        first_opened, first_cleared = turn.told_first
        told |= {"opened_window": turn.opened}
        told |= {"first_opened": first_opened, "first_cleared": first_cleared}
        c.execute(sa.update(episodes).where(episodes.c.id == the_id).values(told))
    return the_id


def evidence_of(c: sa.Connection, the_id: str) -> str | None:
    """Return the evidence that was frozen when an episode opened."""
    query = sa.select(episodes.c.evidence).where(episodes.c.id == the_id)
    found: str | None = c.execute(query).scalar_one_or_none()
    return found


def _identity(scope: Scope, series: Series, turn: Turn) -> dict[str, object]:
    return {
        "policy": scope.policy,
        "system": scope.system,
        "version": scope.version,
        "rule": series.rule,
        "metric": series.metric,
        "column": series.column,
        "segment": series.segment,
        "opened_window": turn.opened,
        "cleared_window": None,
        "generation": turn.generation,
    }
