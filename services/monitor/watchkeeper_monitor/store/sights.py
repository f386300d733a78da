"""What the first blocks since a reference taught about spread: bounded for each scale."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

import msgspec
import sqlalchemy as sa

from watchkeeper_monitor.rule.dispersion import MOST, Sight
from watchkeeper_monitor.rule.experience import Key, Sights
from watchkeeper_monitor.store.windows import Scope
from watchkeeper_monitor.windows.spans import Span
from watchkeeper_shared.db.tables import sights
from watchkeeper_shared.db.upsert import insert

_Rows = list[tuple[str, str, str, Sight]]


def put(
    c: sa.Connection,
    scope: Scope,
    reference: str,
    scale: int,
    span: Span,
    seen: Mapping[Key, Sight],
) -> None:
    """Store what a block teaches, in the place of what it taught before.

    Once 200 blocks have taught, a new one is not stored: learning has ended.
    """
    mine = _of(scope, reference, scale)
    this = (sights.c.start == span.start, sights.c.end == span.end)
    known = c.execute(sa.select(sights.c.start).where(*mine, *this)).one_or_none()
    if known is None and c.execute(sa.select(sa.func.count()).where(*mine)).scalar_one() >= MOST:
        return
    rows: _Rows = [(*key, one) for key, one in seen.items()]
    fresh = insert(c, sights).values(
        policy=scope.policy,
        system=scope.system,
        version=scope.version,
        reference=reference,
        scale=scale,
        start=span.start,
        end=span.end,
        sights=msgspec.msgpack.encode(rows),
    )
    c.execute(
        fresh.on_conflict_do_update(
            index_elements=list(sights.primary_key.columns), set_={"sights": fresh.excluded.sights}
        )
    )


def before(
    c: sa.Connection, scope: Scope, reference: str, scale: int, size: timedelta, end: datetime
) -> Sights:
    """Return what blocks of `scale` windows of `size` taught that ended before an instant."""
    rows = c.execute(
        sa.select(sights.c.start, sights.c.end, sights.c.sights).where(
            *_of(scope, reference, scale), sights.c.end < end
        )
    )
    return {row.start: _decode(row.sights) for row in rows if row.end - row.start == scale * size}


def _decode(data: bytes) -> dict[Key, Sight]:
    rows = msgspec.msgpack.decode(data, type=_Rows)
    return {(metric, column, segment): one for metric, column, segment, one in rows}


def _of(scope: Scope, reference: str, scale: int) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        *scope.rows_of(sights),
        sights.c.reference == reference,
        sights.c.scale == scale,
    )
