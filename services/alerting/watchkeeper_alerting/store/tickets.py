"""Tickets and what was done to them (tables `tickets`, `ticket_acts`)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from watchkeeper_alerting.tickets import TicketState
from watchkeeper_shared.db.tables import ticket_acts, tickets


@dataclass(frozen=True, slots=True)
class StoredTicket:
    """One ticket; `frozen` is the breach event at opening and never changes."""

    id: str
    breach: str
    alert: str
    system: str
    kind: str
    state: TicketState
    severity: str
    title: str
    frozen: dict[str, Any]
    evidence: str | None
    opened_at: datetime
    closed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class StoredAct:
    """One line of a ticket's history. Never changed, never deleted."""

    ticket: str
    at: datetime
    actor: str
    act: str
    before: str
    after: str
    text: str


def find(c: sa.Connection, ticket: str) -> StoredTicket | None:
    """Return one ticket."""
    query = sa.select(tickets).where(tickets.c.id == ticket)
    row = c.execute(query).one_or_none()
    return None if row is None else _stored(row)


def hold(c: sa.Connection, ticket: str) -> StoredTicket | None:
    """Return one ticket and keep others from changing it until the transaction ends."""
    query = sa.select(tickets).where(tickets.c.id == ticket).with_for_update()
    row = c.execute(query).one_or_none()
    return None if row is None else _stored(row)


def of_breach(c: sa.Connection, breach: str) -> StoredTicket | None:
    """Return the ticket of a breach."""
    row = c.execute(sa.select(tickets).where(tickets.c.breach == breach)).one_or_none()
    return None if row is None else _stored(row)


def listing(
    c: sa.Connection,
    *,
    state: TicketState | None = None,
    system: str | None = None,
    over: bool = True,
    after: StoredTicket | None = None,
    limit: int | None = 200,
) -> list[StoredTicket]:
    """Return tickets, newest first; without those that are over, or from one of them on.

    Without a `limit`, all of them.
    """
    query = sa.select(tickets).order_by(tickets.c.opened_at.desc(), tickets.c.id).limit(limit)
    if state is not None:
        query = query.where(tickets.c.state == str(state))
    if not over:
        query = query.where(tickets.c.state != str(TicketState.CLOSED))
    if after is not None:
        older = tickets.c.opened_at < after.opened_at
        beside = sa.and_(tickets.c.opened_at == after.opened_at, tickets.c.id > after.id)
        query = query.where(older | beside)
    if system is not None:
        query = query.where(tickets.c.system == system)
    return [_stored(row) for row in c.execute(query)]


def add(c: sa.Connection, ticket: StoredTicket) -> None:
    """Store a new ticket."""
    values = {name: getattr(ticket, name) for name in ticket.__slots__}
    c.execute(tickets.insert().values(**{**values, "state": str(ticket.state)}))


def change_state(
    c: sa.Connection, ticket: str, state: TicketState, closed_at: datetime | None
) -> None:
    """Store where a ticket is now; nothing else of it ever changes."""
    c.execute(
        tickets.update().where(tickets.c.id == ticket).values(state=str(state), closed_at=closed_at)
    )


def add_act(c: sa.Connection, act: StoredAct) -> None:
    """Append to a ticket's history."""
    c.execute(ticket_acts.insert().values(**{name: getattr(act, name) for name in act.__slots__}))


def acts(c: sa.Connection, ticket: str) -> list[StoredAct]:
    """Return a ticket's history, oldest first."""
    query = sa.select(ticket_acts).where(ticket_acts.c.ticket == ticket).order_by(ticket_acts.c.id)
    return [
        StoredAct(row.ticket, row.at, row.actor, row.act, row.before, row.after, row.text)
        for row in c.execute(query)
    ]


def open_counts(c: sa.Connection) -> dict[tuple[str, str], int]:
    """Return how many tickets are not closed, by system and state."""
    query = (
        sa.select(tickets.c.system, tickets.c.state, sa.func.count())
        .where(tickets.c.state != str(TicketState.CLOSED))
        .group_by(tickets.c.system, tickets.c.state)
    )
    return {(row[0], row[1]): row[2] for row in c.execute(query)}


def oldest_open(c: sa.Connection) -> datetime | None:
    """Return since when the oldest ticket that is not closed waits."""
    query = sa.select(tickets.c.opened_at).where(tickets.c.state != str(TicketState.CLOSED))
    found: datetime | None = c.execute(
        query.order_by(tickets.c.opened_at).limit(1)
    ).scalar_one_or_none()
    return found


def _stored(row: sa.Row[Any]) -> StoredTicket:
    return StoredTicket(**{**row._mapping, "state": TicketState(row.state)})  # noqa: SLF001 - SQLAlchemy's public name
