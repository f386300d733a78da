"""Notifications on their way (table `deliveries`).

States: `queued` waits for its turn or its next try; `repeating` was delivered and is due
again, for receivers that forget (Alertmanager); `delivered` and `failed` are final.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from watchkeeper_shared.db.tables import alerts, deliveries, tickets
from watchkeeper_shared.db.upsert import insert


class DeliveryState(StrEnum):
    """Where a notification is."""

    QUEUED = "queued"
    REPEATING = "repeating"
    DELIVERED = "delivered"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class StoredDelivery:
    """One notification to one channel; `payload` is the notice as plain values."""

    id: str
    alert: str
    channel: str
    event: str
    payload: dict[str, Any]
    state: DeliveryState
    attempts: int
    next_attempt_at: datetime
    created_at: datetime
    last_error: str | None = None
    delivered_at: datetime | None = None


_PENDING = (str(DeliveryState.QUEUED), str(DeliveryState.REPEATING))


def add(c: sa.Connection, delivery: StoredDelivery) -> None:
    """Queue a notification; one that is there already stays as it is."""
    values = {name: getattr(delivery, name) for name in delivery.__slots__}
    c.execute(
        insert(c, deliveries)
        .values(**{**values, "state": str(delivery.state)})
        .on_conflict_do_nothing(index_elements=[deliveries.c.id])
    )


def stop_repeating(c: sa.Connection, alert: str) -> None:
    """End the repetition of what an alert told so far; news is on its way."""
    here = sa.and_(deliveries.c.alert == alert, deliveries.c.state == str(DeliveryState.REPEATING))
    c.execute(deliveries.update().where(here).values(state=str(DeliveryState.DELIVERED)))


def due(
    c: sa.Connection, now: datetime, limit: int, without: Collection[str] = ()
) -> list[StoredDelivery]:
    """Return what should go out now on all channels but `without`, oldest first.

    A `resolved` never overtakes the `firing` of its alert on the same channel.
    """
    earlier = deliveries.alias("earlier")
    overtaking = sa.exists().where(
        earlier.c.alert == deliveries.c.alert,
        earlier.c.channel == deliveries.c.channel,
        earlier.c.state == str(DeliveryState.QUEUED),
        earlier.c.created_at < deliveries.c.created_at,
    )
    query = (
        sa.select(deliveries)
        .where(deliveries.c.state.in_(_PENDING), deliveries.c.next_attempt_at <= now, ~overtaking)
        .where(deliveries.c.channel.not_in(sorted(without)))
        .order_by(deliveries.c.next_attempt_at, deliveries.c.id)
        .limit(limit)
    )
    return [_stored(row) for row in c.execute(query)]


def lease(c: sa.Connection, delivery: StoredDelivery, until: datetime) -> bool:
    """Take a due notification for one attempt; False when another replica was faster.

    Whoever dies with it loses it at `until`, and it goes out again.
    """
    taken = c.execute(
        deliveries.update()
        .where(
            deliveries.c.id == delivery.id,
            deliveries.c.state == str(delivery.state),
            deliveries.c.next_attempt_at == delivery.next_attempt_at,
        )
        .values(next_attempt_at=until, attempts=delivery.attempts + 1)
    )
    return taken.rowcount == 1


def settle(  # noqa: PLR0913 - the columns that one attempt decides
    c: sa.Connection,
    delivery: str,
    *,
    leased_until: datetime,
    state: DeliveryState,
    next_attempt_at: datetime,
    delivered_at: datetime | None,
    error: str | None,
) -> bool:
    """Store the outcome of an attempt, unless the lease or the alert has moved on."""
    done = c.execute(
        deliveries.update()
        .where(
            deliveries.c.id == delivery,
            deliveries.c.next_attempt_at == leased_until,
            deliveries.c.state.in_(_PENDING),
        )
        .values(
            state=str(state),
            next_attempt_at=next_attempt_at,
            delivered_at=sa.func.coalesce(
                deliveries.c.delivered_at, sa.literal(delivered_at, deliveries.c.delivered_at.type)
            ),
            last_error=error,
        )
    )
    return done.rowcount == 1


def of_alert(c: sa.Connection, alert: str) -> list[StoredDelivery]:
    """Return an alert's notifications, oldest first."""
    query = sa.select(deliveries).where(deliveries.c.alert == alert)
    query = query.order_by(deliveries.c.created_at, deliveries.c.channel)
    return [_stored(row) for row in c.execute(query)]


def over(c: sa.Connection, before: datetime, limit: int) -> list[str]:
    """Return alerts, kept from changing until the end, that nobody needs notifications of.

    They were resolved and their tickets closed before `before`, and nothing waits to be sent.
    What another replica has in hand is left to it.
    """
    pending = deliveries.alias("pending")
    waits = sa.exists().where(pending.c.alert == alerts.c.id, pending.c.state.in_(_PENDING))
    worked_on = sa.exists().where(
        tickets.c.alert == alerts.c.id,
        sa.or_(tickets.c.closed_at.is_(None), tickets.c.closed_at >= before),
    )
    told = sa.exists().where(deliveries.c.alert == alerts.c.id)
    query = (
        sa.select(alerts.c.id)
        .where(alerts.c.resolved_at < before, told, ~waits, ~worked_on)
        .order_by(alerts.c.resolved_at, alerts.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return list(c.execute(query).scalars())


def end(c: sa.Connection, alert: str) -> list[StoredDelivery]:
    """Remove an alert's notifications, and return them, oldest first."""
    gone = of_alert(c, alert)
    c.execute(deliveries.delete().where(deliveries.c.alert == alert))
    return gone


def _stored(row: sa.Row[Any]) -> StoredDelivery:
    return StoredDelivery(**{**row._mapping, "state": DeliveryState(row.state)})  # noqa: SLF001 - SQLAlchemy's public name
