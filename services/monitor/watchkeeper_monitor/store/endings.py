"""Windows end with all their numbers, the oldest first; what anything refers to stays.

```
 ended, but what is referred to │ context │ judged again when their panes change
────────────────────────────────┼─────────┼───────────────────────────────────────►
                              floor     until
```

A window that is judged again is judged by what earlier and later ones said. So none before
`until` is judged any more, and what the first one after it looks back at stays.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from watchkeeper_monitor.rule.episodes import EpisodeState
from watchkeeper_monitor.store.windows import Scope
from watchkeeper_monitor.windows.scales import POOLED
from watchkeeper_monitor.windows.spans import MICROSECOND, Status
from watchkeeper_shared.db.tables import (
    ended,
    episodes,
    evidence,
    measurements,
    sights,
    windows,
)
from watchkeeper_shared.db.upsert import insert
from watchkeeper_shared.states import State

WINDOWS_AT_ONCE = 20
"""So many windows one transaction removes, with some hundred numbers each."""

Lookbacks = Mapping[str, int]
"""How many windows before the one that is judged a policy looks at, by the names of those in force.

Also by "", under which systems without a policy are judged.
"""


@dataclass(frozen=True, slots=True)
class Limits:
    """Which windows of a scope are over.

    Parameters
    ----------
    until
        None that starts before is judged any more.
    floor
        Those that start before may end.
    """

    until: datetime
    floor: datetime


def limits(c: sa.Connection, scope: Scope, before: datetime, lookback: int | None) -> Limits | None:
    """Return which windows of a scope are over; None while there are none.

    Where nothing was judged for so long, the newest window stays: what was seen last never
    becomes silence.

    Parameters
    ----------
    before
        A window that was judged since may be judged again, and so may all after it.
    lookback
        How many windows before it are looked at then; None where its policy is gone, and
        provisional windows wait for nothing.
    """
    bounds = sa.select(windows.c.start, windows.c.end).where(*scope.rows_of(windows))
    backwards = bounds.order_by(windows.c.start.desc()).limit(1)
    moves = windows.c.judged_at >= before
    if lookback is not None:
        moves |= windows.c.status == Status.PROVISIONAL.value
    first = c.execute(bounds.where(moves).order_by(windows.c.start).limit(1)).first()
    if first is None:
        newest = c.execute(backwards).first()
        return None if newest is None else Limits(newest.start + MICROSECOND, newest.start)
    context = c.execute(
        backwards.where(windows.c.start < first.start).offset(lookback or 0)
    ).first()
    if context is None:
        return None
    pooled = first.start - POOLED[-1] * (first.end - first.start)
    return Limits(first.start, min(context.start, pooled))


def is_any_over(c: sa.Connection, system: str, before: datetime, lookbacks: Lookbacks) -> bool:
    """Return whether a window of a system is to end."""
    return next(_over(c, system, before, lookbacks), None) is not None


def remove(c: sa.Connection, system: str, before: datetime, lookbacks: Lookbacks) -> int:
    """Remove some windows that are over, with all their numbers; return how many."""
    found = next(_over(c, system, before, lookbacks), None)
    if found is None:
        return 0
    scope, until, starts = found
    _note(c, scope, until)
    c.execute(
        sa.delete(measurements).where(
            *scope.rows_of(measurements), measurements.c.window_start.in_(starts)
        )
    )
    c.execute(sa.delete(windows).where(*scope.rows_of(windows), windows.c.start.in_(starts)))
    return len(starts)


def judged_from(c: sa.Connection, system: str) -> dict[Scope, datetime]:
    """Return from when on windows are judged, for each scope of which some have ended."""
    rows = c.execute(sa.select(ended).where(ended.c.system == system))
    return {Scope(row.policy, row.system, row.version): row.until for row in rows}


def _over(
    c: sa.Connection, system: str, before: datetime, lookbacks: Lookbacks
) -> Iterator[tuple[Scope, datetime, list[datetime]]]:
    """Yield the oldest windows that may end, for each scope that has any."""
    for scope in _scopes(c, system):
        over = limits(c, scope, before, lookbacks.get(scope.policy))
        if over is not None:
            mine = sa.select(windows.c.start).where(
                *scope.rows_of(windows), windows.c.start < over.floor, ~_is_kept(over.until)
            )
            query = mine.order_by(windows.c.start).limit(WINDOWS_AT_ONCE)
            starts = list(c.execute(query).scalars())
            if starts:
                yield scope, over.until, starts


def _scopes(c: sa.Connection, system: str) -> Iterator[Scope]:
    """Yield the scopes that have windows, each found by one look into the index.

    DISTINCT would read every window of the system.
    """
    key = windows.c.policy, windows.c.version
    query = sa.select(*key).where(windows.c.system == system).order_by(*key).limit(1)
    found = c.execute(query).first()
    while found is not None:
        yield Scope(found.policy, system, found.version)
        found = c.execute(query.where(sa.tuple_(*key) > sa.tuple_(*found))).first()


def is_told(table: sa.Table, start: sa.Column[datetime]) -> sa.ColumnElement[bool]:
    """Return the condition that a breach refers to the window of a row.

    It opened or ended there, or was told of last, or its evidence spans it.
    """
    its_evidence = sa.outerjoin(episodes, evidence, evidence.c.id == episodes.c.evidence)
    bounds = ("opened_window", "cleared_window", "first_opened", "first_cleared")
    names = (*bounds, "told_window")
    return sa.exists(
        sa.select(sa.literal(1))
        .select_from(its_evidence)
        .where(
            *_same(episodes, table),
            sa.or_(
                *(start == episodes.c[name] for name in names),
                sa.and_(start >= evidence.c.window_start, start < evidence.c.window_end),
            ),
        )
    )


def _is_kept(until: datetime) -> sa.ColumnElement[bool]:
    """Return the condition that something refers to a window, or may when others are judged.

    A breach that was open at `until` or since is folded again, from where it opened.
    """
    since_it_opened = sa.exists().where(
        *_same(episodes, windows),
        windows.c.start >= episodes.c.opened_window,
        sa.or_(episodes.c.state == EpisodeState.OPEN.value, episodes.c.cleared_window >= until),
    )
    return sa.or_(is_told(windows, windows.c.start), since_it_opened, _has_taught())


def _has_taught() -> sa.ColumnElement[bool]:
    """Return the condition that a window tells which blocks of a reference were in control.

    It breached, alone or as the last of a pool, where blocks taught about the spread.
    """
    start, end = (sa.type_coerce(one, sa.BigInteger) for one in (windows.c.start, windows.c.end))
    breached = sa.exists().where(
        *_same(measurements, windows),
        measurements.c.window_start == windows.c.start,
        measurements.c.current.is_(True),
        measurements.c.state == State.BREACH.value,
    )
    taught = sa.exists().where(
        *_same(sights, windows),
        sights.c.start < windows.c.end,
        sa.type_coerce(sights.c.end, sa.BigInteger) > end - POOLED[-1] * (end - start),
    )
    return sa.and_(breached, taught)


def _note(c: sa.Connection, scope: Scope, until: datetime) -> None:
    key = {"policy": scope.policy, "system": scope.system, "version": scope.version}
    fresh = insert(c, ended).values(key | {"until": until})
    later = fresh.excluded.until > ended.c.until
    c.execute(
        fresh.on_conflict_do_update(
            index_elements=list(key),
            set_={"until": sa.case((later, fresh.excluded.until), else_=ended.c.until)},
        )
    )


def _same(one: sa.Table, other: sa.Table) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        one.c.policy == other.c.policy,
        one.c.system == other.c.system,
        one.c.version == other.c.version,
    )
