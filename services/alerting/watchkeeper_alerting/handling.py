"""One breach event in effect: alert, ticket, notifications and audit, in one transaction."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

import msgspec
import sqlalchemy as sa

from watchkeeper_alerting import alerts, notices, tickets, wording
from watchkeeper_alerting.alerts import Action, AlertState, Decision, Reason
from watchkeeper_alerting.breach_records import BreachTurn
from watchkeeper_alerting.control import digest
from watchkeeper_alerting.hearing import told
from watchkeeper_alerting.store import alerts as alert_store
from watchkeeper_alerting.store import deliveries, evidence, objects
from watchkeeper_alerting.store import tickets as ticket_store
from watchkeeper_alerting.store.alerts import StoredAlert
from watchkeeper_alerting.store.deliveries import DeliveryState, StoredDelivery
from watchkeeper_alerting.store.tickets import StoredAct, StoredTicket
from watchkeeper_shared.db import audit

ACTOR = "watchkeeper-alerting"
"""Who the machine is in the audit log; people have the names of their keys."""

_ID_LENGTH = 16


@dataclass(frozen=True, slots=True)
class Handler:
    """Handles breach turns.

    Parameters
    ----------
    public_url
        Where the console is, for the links in notifications.
    """

    public_url: str

    def handle(self, c: sa.Connection, turn: BreachTurn, now: datetime) -> Decision:
        """Do what the event means, inside the transaction of the caller."""
        alert = alert_store.hold_of_breach(c, turn.breach.breach)
        decision = alerts.decide(None if alert is None else alert.state, turn.turn)
        if decision.action is not Action.NOTHING:
            alert = self._keep_alert(c, alert, turn, decision, now)
            self._keep_ticket(c, alert, turn, decision, now)
            self._notify(c, alert, turn, decision, now)
        _audit(c, turn, alert, decision, now)
        return decision

    def _keep_alert(
        self,
        c: sa.Connection,
        before: StoredAlert | None,
        turn: BreachTurn,
        decision: Decision,
        now: datetime,
    ) -> StoredAlert:
        if before is None:
            made = _new_alert(turn, now)
            alert_store.add(c, made)
            return made
        after = replace(before, content=turn.content, state=decision.after or before.state)
        if decision.action is Action.RESOLVE:
            after = replace(after, resolved_at=now, resolve_reason=str(decision.reason))
        if decision.reason is Reason.WITHDRAWN_BY_AMENDMENT:
            after = replace(after, resolve_reason=str(decision.reason))
        if decision.action is Action.REOPEN:
            after = replace(
                after,
                acknowledged_at=None,
                acknowledged_by=None,
                resolved_at=None,
                resolve_reason=None,
            )
        alert_store.change(c, after)
        return after

    def _keep_ticket(
        self,
        c: sa.Connection,
        alert: StoredAlert,
        turn: BreachTurn,
        decision: Decision,
        now: datetime,
    ) -> None:
        ticket = ticket_store.of_breach(c, turn.breach.breach)
        if ticket is not None:
            # People decide: whatever the metric does now, it is only told.
            _add_act(c, ticket, tickets.NOTE, _note(turn, decision), now)
        elif turn.breach.ticket and decision.action is Action.OPEN:
            ticket = _new_ticket(alert, turn, now)
            ticket_store.add(c, ticket)
            _add_act(c, ticket, tickets.OPENING, wording.summary(turn.breach), now)

    def _notify(
        self,
        c: sa.Connection,
        alert: StoredAlert,
        turn: BreachTurn,
        decision: Decision,
        now: datetime,
    ) -> None:
        event = decision.notify
        if event is None:
            return
        ticket = alert_store.ticket_of(c, alert.id) or ""
        subject = notices.Subject(
            alert=alert.id,
            ticket=ticket,
            public_url=self.public_url,
            severity=alert.severity,
            opened_at=alert.opened_at,
        )
        firing = event == "firing"
        notice = notices.notice(
            turn.breach, subject, "firing" if firing else "resolved", None if firing else now
        )
        deliveries.stop_repeating(c, alert.id)
        in_force = {one.name: one.spec for one in objects.in_force(c, "Channel")}
        for name in told(turn.breach.channels, in_force):
            spec = in_force.get(name)
            if spec is None or firing or spec["send_resolved"]:
                queued = _delivery(alert, name, turn, notice, now)
                deliveries.add(c, queued if spec is not None else _undeliverable(queued))


def _undeliverable(queued: StoredDelivery) -> StoredDelivery:
    """Keep the notification visible whose channel does not exist."""
    error = f"there is no channel {queued.channel!r}; apply it, or change the rule's channels"
    return replace(queued, state=DeliveryState.FAILED, last_error=error)


def _delivery(
    alert: StoredAlert, channel: str, turn: BreachTurn, notice: notices.Notice, now: datetime
) -> StoredDelivery:
    return StoredDelivery(
        id=f"msg_{digest(alert.id, channel, turn.event_id)[: _ID_LENGTH * 2]}",
        alert=alert.id,
        channel=channel,
        event=notice.event,
        payload=msgspec.to_builtins(notice),
        state=DeliveryState.QUEUED,
        attempts=0,
        next_attempt_at=now,
        created_at=now,
    )


def _new_alert(turn: BreachTurn, now: datetime) -> StoredAlert:
    breach = turn.breach
    return StoredAlert(
        id=f"a-{digest('alert', breach.breach)[:_ID_LENGTH]}",
        breach=breach.breach,
        fingerprint=breach.fingerprint,
        system=breach.system,
        severity=breach.severity,
        state=AlertState.FIRING,
        title=wording.title(breach),
        content=turn.content,
        opened_at=now,
    )


def _new_ticket(alert: StoredAlert, turn: BreachTurn, now: datetime) -> StoredTicket:
    breach = turn.breach
    return StoredTicket(
        id=f"t-{digest('ticket', breach.breach)[:_ID_LENGTH]}",
        breach=breach.breach,
        alert=alert.id,
        system=breach.system,
        kind=str(tickets.kind_of(breach.metric)),
        state=tickets.TicketState.NEW,
        severity=breach.severity,
        title=alert.title,
        frozen=turn.content,
        evidence=breach.evidence,
        opened_at=now,
    )


def _note(turn: BreachTurn, decision: Decision) -> str:
    if (decision.action, decision.reason) == (Action.UPDATE, Reason.WITHDRAWN_BY_AMENDMENT):
        return (
            f"The breach, told to be over before, was taken back: {turn.breach.reason}. "
            "This ticket stays open until a person closes it."
        )
    said = {
        Action.RESOLVE: f"The alert is resolved ({decision.reason}): {turn.breach.reason}. "
        "This ticket stays open until a person closes it.",
        Action.REOPEN: f"The breach was raised again: {wording.summary(turn.breach)}",
    }
    return said.get(
        decision.action, f"Newer numbers: {wording.summary(turn.breach)}"
    ) + wording.moved(turn.breach)


def _add_act(c: sa.Connection, ticket: StoredTicket, act: str, text: str, now: datetime) -> None:
    state = str(ticket.state)
    before = "" if act == tickets.OPENING else state
    ticket_store.add_act(c, StoredAct(ticket.id, now, ACTOR, act, before, state, text))


def _audit(
    c: sa.Connection,
    turn: BreachTurn,
    alert: StoredAlert | None,
    decision: Decision,
    now: datetime,
) -> None:
    audit.record(
        c,
        at=now,
        actor=ACTOR,
        act=f"alert.{decision.action}",
        subject=f"Breach/{turn.breach.breach}" if alert is None else f"Alert/{alert.id}",
        reason=str(decision.reason),
        body={
            "event": turn.event_id,
            "turn": str(turn.turn),
            "breach": turn.content,
            "sample_sha256": _frozen(c, turn),
        },
    )


def _frozen(c: sa.Connection, turn: BreachTurn) -> str | None:
    """Return the hash of the frozen rows: from here on nobody can change them unnoticed."""
    identity = turn.breach.evidence
    found = None if identity is None else evidence.find(c, identity)
    return None if found is None else found.sample_hash
