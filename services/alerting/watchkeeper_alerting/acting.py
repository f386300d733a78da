"""What people do to alerts and tickets: decided, stored and audited in one transaction."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

import sqlalchemy as sa

from watchkeeper_alerting import alerts, tickets
from watchkeeper_alerting.store import alerts as alert_store
from watchkeeper_alerting.store import tickets as ticket_store
from watchkeeper_alerting.store.alerts import StoredAlert
from watchkeeper_alerting.store.tickets import StoredAct, StoredTicket
from watchkeeper_alerting.tickets import Attempt, TicketState
from watchkeeper_shared.db import audit
from watchkeeper_shared.errors import NotFound


@dataclass(frozen=True, slots=True)
class Person:
    """Who acts: the name, the role and the id of their key; two keys may have one name."""

    name: str
    role: str
    key: str


def acknowledge_alert(
    c: sa.Connection, alert: str, person: Person, reason: str, now: datetime
) -> StoredAlert:
    """Note that somebody looks into an alert.

    Raises
    ------
    NotFound, Conflict, InvalidObject
        There is no such alert, it is not firing, or no reason was given.
    """
    stored = alert_store.hold(c, alert)
    if stored is None:
        raise NotFound(f"no alert {alert!r}")
    after = replace(
        stored,
        state=alerts.acknowledge(stored.state, reason),
        acknowledged_at=now,
        acknowledged_by=person.name,
    )
    alert_store.change(c, after)
    audit.record(
        c,
        at=now,
        actor=person.name,
        act="alert.acknowledge",
        subject=f"Alert/{alert}",
        reason=reason,
        body={
            "before": str(stored.state),
            "after": str(after.state),
            "role": person.role,
            "key": person.key,
        },
    )
    return after


def act_on_ticket(c: sa.Connection, ticket: str, attempt: Attempt, now: datetime) -> StoredTicket:
    """Do one act on a ticket, if its state and the guards allow it.

    Raises
    ------
    NotFound, Conflict, InvalidObject, Forbidden
        There is no such ticket, or the table of transitions refuses the act.
    """
    stored = ticket_store.hold(c, ticket)
    if stored is None:
        raise NotFound(f"no ticket {ticket!r}")
    state = tickets.move(stored.state, attempt)
    after = replace(stored, state=state, closed_at=_closed_at(stored, state, now))
    if after != stored:
        ticket_store.change_state(c, ticket, state, after.closed_at)
    ticket_store.add_act(
        c,
        StoredAct(ticket, now, attempt.actor, attempt.act, stored.state, state, attempt.reason),
    )
    audit.record(
        c,
        at=now,
        actor=attempt.actor,
        act=f"ticket.{attempt.act}",
        subject=f"Ticket/{ticket}",
        reason=attempt.reason,
        body={
            "before": str(stored.state),
            "after": str(state),
            "role": attempt.role,
            "key": attempt.key,
        },
    )
    return after


def _closed_at(stored: StoredTicket, state: TicketState, now: datetime) -> datetime | None:
    if state is not TicketState.CLOSED:
        return None
    return stored.closed_at or now
