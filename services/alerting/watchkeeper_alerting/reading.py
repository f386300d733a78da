"""What people and programs read: alerts and tickets with what belongs to them, as values."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from watchkeeper_alerting import tickets
from watchkeeper_alerting.store import alerts as alert_store
from watchkeeper_alerting.store import deliveries, evidence
from watchkeeper_alerting.store import tickets as ticket_store
from watchkeeper_alerting.store.alerts import StoredAlert
from watchkeeper_alerting.store.deliveries import StoredDelivery
from watchkeeper_alerting.store.evidence import Evidence
from watchkeeper_alerting.store.measurements import Measurement
from watchkeeper_alerting.store.tickets import StoredAct, StoredTicket
from watchkeeper_shared.db import audit
from watchkeeper_shared.db.audit import AuditEntry
from watchkeeper_shared.errors import NotFound

DELIVERIES_ENDED = "alert.deliveries_ended"
"""The act under which the audit log keeps who was told, after the notifications ended."""

NO_EVIDENCE = "the monitor froze no sample for this breach"
NOT_FOUND = "the frozen sample is no longer in the database"


@dataclass(frozen=True, slots=True)
class AlertView:
    """An alert, its ticket, and what was told to whom; `ended` where only the audit knows."""

    alert: StoredAlert
    ticket: str | None
    deliveries: list[StoredDelivery]
    ended: list[AuditEntry]


@dataclass(frozen=True, slots=True)
class TicketView:
    """A ticket, its history, its evidence (or why there is none) and what can be done."""

    ticket: StoredTicket
    history: list[StoredAct]
    evidence: Evidence | None
    evidence_note: str
    possible: tuple[str, ...]


def alert_of(c: sa.Connection, alert: str) -> StoredAlert:
    """Return one alert; raise `NotFound` if there is none of this id."""
    stored = alert_store.find(c, alert)
    if stored is None:
        raise NotFound(f"no alert {alert!r}")
    return stored


def ticket_of(c: sa.Connection, ticket: str) -> StoredTicket:
    """Return one ticket; raise `NotFound` if there is none of this id."""
    stored = ticket_store.find(c, ticket)
    if stored is None:
        raise NotFound(f"no ticket {ticket!r}")
    return stored


def alert_view(c: sa.Connection, alert: str) -> AlertView:
    """Return one alert with what belongs to it.

    Raises
    ------
    NotFound
        There is no such alert.
    """
    stored = alert_of(c, alert)
    told = deliveries.of_alert(c, alert)
    ended = audit.entries(c, subject=f"Alert/{alert}", act=DELIVERIES_ENDED)
    return AlertView(stored, alert_store.ticket_of(c, alert), told, ended)


def ticket_view(c: sa.Connection, ticket: str) -> TicketView:
    """Return one ticket with what belongs to it.

    Raises
    ------
    NotFound
        There is no such ticket.
    """
    stored = ticket_of(c, ticket)
    found = None if stored.evidence is None else evidence.find(c, stored.evidence)
    possible = tuple(str(act) for act in tickets.acts_from(stored.state))
    note = _evidence_note(stored, found)
    return TicketView(stored, ticket_store.acts(c, ticket), found, note, possible)


def alert_json(stored: StoredAlert) -> dict[str, Any]:
    """Return an alert as the API shows it."""
    values = dataclasses.asdict(stored)
    values["breach"] = values.pop("content")
    return {**values, "breach_id": stored.breach}


def deliveries_json(view: AlertView) -> list[dict[str, Any]]:
    """Return who was told, oldest first: what ended as the audit log has it, and the rest."""
    ended = [one for entry in view.ended for one in entry.body["told"]]
    return [*ended, *map(_delivery_json, view.deliveries)]


def ticket_json(stored: StoredTicket) -> dict[str, Any]:
    """Return a ticket as the API shows it in lists."""
    values = dataclasses.asdict(stored)
    values["breach_id"] = values.pop("breach")
    return values


def measurement_json(one: Measurement) -> dict[str, Any]:
    """Return a measurement in its public shape.

    Value, interval and n are the window's own. Where several windows were judged together,
    `pooled` says which, and what they say.
    """
    return {
        "system": one.system,
        "version": one.version,
        "metric": one.metric,
        "column": one.column,
        "segment": one.segment,
        "window": {
            "start": one.window_start,
            "end": one.window_end,
            "revision": one.revision,
            "status": one.status,
        },
        "value": one.value,
        "interval": _interval(one.low, one.high),
        "n": one.n,
        "scale": one.scale,
        "pooled": _pooled_json(one),
        "reference": None if one.reference is None else {"id": one.reference, "n": one.reference_n},
        "limits": {"warn": one.warn, "breach": one.breach},
        "state": one.state,
        "reason": one.reason,
        "policy": {"id": one.policy, "hash": one.policy_hash},
    }


def _delivery_json(stored: StoredDelivery) -> dict[str, Any]:
    """Return a delivery as the API shows it; the payload says what the alert says."""
    values = dataclasses.asdict(stored)
    del values["payload"]
    return values


def _pooled_json(one: Measurement) -> dict[str, Any] | None:
    if one.pooled is None:
        return None
    return {
        "windows": one.scale,
        "start": one.judged_from,
        "end": one.window_end,
        "value": one.pooled["value"],
        "interval": _interval(one.pooled["low"], one.pooled["high"]),
        "n": one.pooled["n"],
    }


def _interval(low: float | None, high: float | None) -> list[float] | None:
    return None if low is None or high is None else [low, high]


def _evidence_note(stored: StoredTicket, found: Evidence | None) -> str:
    if stored.evidence is None:
        return NO_EVIDENCE
    return NOT_FOUND if found is None else found.reason
