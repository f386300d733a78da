"""What is told about a breach: enough to act at 3 a.m. without logging in first. Pure.

A notice is made once, when the alert fires or resolves, and kept with its deliveries, so
a retry says the same as the first try. Each channel gives it its own form.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from watchkeeper_alerting import wording
from watchkeeper_alerting.wording import Event
from watchkeeper_shared.events.breaches import BreachEvent


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a channel may tell.

    Parameters
    ----------
    alert, event
        Which alert, and whether it fires or is resolved.
    title
        System, metric, column, severity and owner in one line.
    facts
        Label and text of each line, in reading order.
    identity
        What makes two notices the same alert: never a value, a time or a ticket.
    summary
        One sentence: the value, the limit, and how sure that is.
    alert_url, ticket_url
        Where to look and act.
    opened_at, ended_at
        When the alert opened, and when it was resolved.
    """

    alert: str
    event: Event
    breach: str
    title: str
    summary: str
    severity: str
    identity: dict[str, str]
    facts: dict[str, str]
    runbook: str
    alert_url: str
    ticket_url: str
    opened_at: datetime
    ended_at: datetime | None = None


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """What a notice is about: the ids behind its links.

    Parameters
    ----------
    alert, ticket
        Their ids; no ticket is an empty text.
    public_url
        Where the console is.
    severity, opened_at
        As when the alert opened: the severity is part of the identity in Alertmanager.
    """

    alert: str
    ticket: str
    public_url: str
    severity: str
    opened_at: datetime


def notice(
    breach: BreachEvent, subject: Subject, event: Event, ended_at: datetime | None = None
) -> Notice:
    """Say what happened, to whom it belongs and what to do."""
    base = subject.public_url
    return Notice(
        alert=subject.alert,
        event=event,
        breach=breach.breach,
        title=wording.title(breach, event),
        summary=wording.summary(breach) if event == "firing" else f"Resolved: {breach.reason}",
        severity=subject.severity,
        identity=identity(breach, subject.severity),
        facts=wording.facts(breach),
        runbook=breach.runbook,
        alert_url=f"{base}/alerts/{subject.alert}",
        ticket_url=f"{base}/tickets/{subject.ticket}" if subject.ticket else "",
        opened_at=subject.opened_at,
        ended_at=ended_at,
    )


def identity(breach: BreachEvent, severity: str) -> dict[str, str]:
    """Return what makes two notices the same alert to a receiver that knows no ids of ours."""
    found = {
        "alertname": "WatchkeeperBreach",
        "system": breach.system,
        "version": breach.version,
        "policy": breach.policy,
        "rule": breach.rule,
        "metric": breach.metric,
        "column": breach.column,
        "segment": breach.segment,
        "severity": severity,
        "team": breach.owner_team,
    }
    return {label: value for label, value in found.items() if value}


def text(told: Notice) -> str:
    """Return a notice as plain text, for mail and for people who read raw webhooks."""
    width = max(map(len, told.facts), default=0)
    lines = [f"{label:<{width}}  {fact}" for label, fact in told.facts.items()]
    links = [f"Alert   {told.alert_url}"] + [f"Ticket  {told.ticket_url}"] * bool(told.ticket_url)
    return "\n".join([told.summary, "", *lines, "", *links, ""])
