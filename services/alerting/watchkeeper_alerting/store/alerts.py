"""Alerts (table `alerts`)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from watchkeeper_alerting.alerts import AlertState
from watchkeeper_alerting.store.deliveries import DeliveryState
from watchkeeper_shared.db.tables import alerts, deliveries, tickets


@dataclass(frozen=True, slots=True)
class StoredAlert:
    """One alert; `content` is the newest breach event as plain values."""

    id: str
    breach: str
    fingerprint: str
    system: str
    severity: str
    state: AlertState
    title: str
    content: dict[str, Any]
    opened_at: datetime
    acknowledged_at: datetime | None = None
    acknowledged_by: str | None = None
    resolved_at: datetime | None = None
    resolve_reason: str | None = None


def hold_of_breach(c: sa.Connection, breach: str) -> StoredAlert | None:
    """Return the alert of a breach and keep others from changing it until the end."""
    query = sa.select(alerts).where(alerts.c.breach == breach).with_for_update()
    row = c.execute(query).one_or_none()
    return None if row is None else _stored(row)


def hold(c: sa.Connection, alert: str) -> StoredAlert | None:
    """Return one alert and keep others from changing it until the transaction ends."""
    query = sa.select(alerts).where(alerts.c.id == alert).with_for_update()
    row = c.execute(query).one_or_none()
    return None if row is None else _stored(row)


def find(c: sa.Connection, alert: str) -> StoredAlert | None:
    """Return one alert."""
    row = c.execute(sa.select(alerts).where(alerts.c.id == alert)).one_or_none()
    return None if row is None else _stored(row)


def listing(
    c: sa.Connection,
    *,
    state: AlertState | None = None,
    system: str | None = None,
    over: bool = True,
    after: StoredAlert | None = None,
    limit: int = 200,
) -> list[StoredAlert]:
    """Return alerts, newest first; without those that are over, or from one of them on."""
    query = sa.select(alerts).order_by(alerts.c.opened_at.desc(), alerts.c.id).limit(limit)
    if state is not None:
        query = query.where(alerts.c.state == str(state))
    if not over:
        query = query.where(alerts.c.state != str(AlertState.RESOLVED))
    if after is not None:
        older = alerts.c.opened_at < after.opened_at
        beside = sa.and_(alerts.c.opened_at == after.opened_at, alerts.c.id > after.id)
        query = query.where(older | beside)
    if system is not None:
        query = query.where(alerts.c.system == system)
    return [_stored(row) for row in c.execute(query)]


def unresolved(c: sa.Connection, fingerprint: str) -> list[StoredAlert]:
    """Return the alerts of a series that are not over; one, unless breaches overlap."""
    here = sa.and_(alerts.c.fingerprint == fingerprint, alerts.c.state != AlertState.RESOLVED)
    return [_stored(row) for row in c.execute(sa.select(alerts).where(here))]


def add(c: sa.Connection, alert: StoredAlert) -> None:
    """Store a new alert."""
    c.execute(alerts.insert().values(**_values(alert)))


def change(c: sa.Connection, alert: StoredAlert) -> None:
    """Store what became of an alert."""
    c.execute(alerts.update().where(alerts.c.id == alert.id).values(**_values(alert)))


def ticket_of(c: sa.Connection, alert: str) -> str | None:
    """Return the id of the alert's ticket, if it has one."""
    query = sa.select(tickets.c.id).where(tickets.c.alert == alert)
    found: str | None = c.execute(query).scalar_one_or_none()
    return found


def open_counts(c: sa.Connection) -> dict[tuple[str, str], int]:
    """Return how many alerts are not resolved, by system and severity."""
    query = (
        sa.select(alerts.c.system, alerts.c.severity, sa.func.count())
        .where(alerts.c.state != str(AlertState.RESOLVED))
        .group_by(alerts.c.system, alerts.c.severity)
    )
    return {(row[0], row[1]): row[2] for row in c.execute(query)}


def untold_counts(c: sa.Connection) -> dict[tuple[str, str], int]:
    """Return how many open alerts no channel was told of nor will be, by system and severity."""
    reached = sa.exists().where(
        deliveries.c.alert == alerts.c.id,
        sa.or_(
            deliveries.c.state != str(DeliveryState.FAILED), deliveries.c.delivered_at.is_not(None)
        ),
    )
    query = (
        sa.select(alerts.c.system, alerts.c.severity, sa.func.count())
        .where(alerts.c.state != str(AlertState.RESOLVED), ~reached)
        .group_by(alerts.c.system, alerts.c.severity)
    )
    return {(row[0], row[1]): row[2] for row in c.execute(query)}


def open_metrics(c: sa.Connection) -> dict[tuple[str, str], int]:
    """Return how many breaches are open, by system and metric."""
    query = sa.select(alerts.c.system, alerts.c.content).where(
        alerts.c.state != str(AlertState.RESOLVED)
    )
    return Counter((row.system, row.content["metric"]) for row in c.execute(query))


def _values(alert: StoredAlert) -> dict[str, Any]:
    values = {name: getattr(alert, name) for name in alert.__slots__}
    return {**values, "state": str(alert.state)}


def _stored(row: sa.Row[Any]) -> StoredAlert:
    return StoredAlert(**{**row._mapping, "state": AlertState(row.state)})  # noqa: SLF001 - SQLAlchemy's public name
