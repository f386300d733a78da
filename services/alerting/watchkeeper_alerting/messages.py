"""What is told about a breach: enough to act at 3 a.m. without logging in first. Pure.

A notice is made once, when the alert fires or resolves, and kept with its deliveries, so
a retry says the same as the first try. Each channel gives it its own form.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from watchkeeper_shared.events.breaches import BreachEvent

Event = Literal["firing", "resolved"]

_DIGITS = 4


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
        title=title(breach, event),
        summary=summary(breach) if event == "firing" else f"Resolved: {breach.reason}",
        severity=subject.severity,
        identity=identity(breach, subject.severity),
        facts=facts(breach),
        runbook=breach.runbook,
        alert_url=f"{base}/alerts/{subject.alert}",
        ticket_url=f"{base}/tickets/{subject.ticket}" if subject.ticket else "",
        opened_at=subject.opened_at,
        ended_at=ended_at,
    )


def title(breach: BreachEvent, event: Event = "firing") -> str:
    """Return the one line that a phone shows."""
    state = breach.severity if event == "firing" else "resolved"
    owner = f" ({breach.owner_team})" if breach.owner_team else ""
    told = f"[{state}] {breach.system}: {series(breach)} {_verdict(breach, event)}{owner}"
    return " ".join(told.split())  # names are free text; a title is one line


def series(breach: BreachEvent) -> str:
    """Return which series it is, such as `psi of AGEP where SEX=2`."""
    of = f" of {breach.column}" if breach.column else ""
    where = f" where {breach.segment}" if breach.segment else ""
    return f"{breach.metric}{of}{where}"


def summary(breach: BreachEvent) -> str:
    """Return value, limit and certainty in one sentence.

    The newest numbers of a breach may lie inside its limit again, or be missing.
    """
    limit, value = f"the limit {number(breach.limit)}", number(breach.judged.value)
    if _in_words(breach):
        return f"{_sentence(breach.reason)} This window alone: {value}."
    what, alone = f"{series(breach)}{_over(breach)}", ""
    if breach.pooled is not None:
        alone = f" The last window alone: {number(breach.value)}."
    if breach.limit is None:
        return f"{what} is {value}; {how_sure(breach)}.{alone}"
    if breach.judged.value is None:
        return f"{what} has no value; {limit} was passed before."
    side = "at or below" if breach.below else "at or above"
    standing = f"{side} {limit}" if _is_past(breach) else f"within {limit}"
    return f"{what} is {value}, {standing}; {how_sure(breach)}.{alone}"


def how_sure(breach: BreachEvent) -> str:
    """Return what the interval says about the limit, in words.

    The decision itself was made by the monitor, on a significance level that is stricter
    than this interval; the words only help to read the numbers.
    """
    found = breach.judged
    rows = f"{found.n:,} row{'s' * (found.n != 1)}"
    if _in_words(breach):
        return f"seen over the last {breach.scale} windows together; this one alone has {rows}"
    if breach.metric == "volume":
        return f"every row was counted ({rows})"
    low, high, limit = found.low, found.high, breach.limit
    if low is None or high is None:
        return f"no interval is known for it ({rows})"
    interval = f"95 % interval, {number(low)} to {number(high)},"
    if limit is not None and (high <= limit if breach.below else low >= limit):
        return f"the whole {interval} lies past the limit ({rows})"
    if limit is not None and low <= limit <= high:
        return f"the {interval} contains the limit ({rows})"
    return f"the {interval} comes from {rows}"


def facts(breach: BreachEvent) -> dict[str, str]:
    """Return label and text of everything worth knowing, in reading order."""
    told = {
        "System": f"{breach.system}, version {breach.version}",
        "Measured": series(breach),
        "Value": _value(breach),
        "Limit": _limit(breach),
        "How sure": how_sure(breach),
        "Judged over": _judged_over(breach),
        "Reference": _reference(breach),
        "Window": f"{minute(breach.window.start)} to {minute(breach.window.end)}"
        f" ({breach.window.status}, revision {breach.window.revision})",
        "Since": _bound(breach.opened_window, breach.first_opened),
        "Until": _bound(breach.cleared_window, breach.first_cleared),
        "Why": breach.reason,
        "Rule": f"{breach.rule} of policy {breach.policy} ({breach.policy_hash[:12]})",
        "Controls": ", ".join(breach.controls),
        "Owner": ", ".join(part for part in (breach.owner_team, breach.owner_contact) if part),
        "Note": breach.note,
        "Runbook": breach.runbook,
        "Fingerprint": breach.fingerprint,
    }
    return {label: text for label, text in told.items() if text}


def moved(breach: BreachEvent) -> str:
    """Return which bounds of a breach are known now to differ from those told first, if any."""
    told = {
        "Since": (breach.opened_window, breach.first_opened),
        "Until": (breach.cleared_window, breach.first_cleared),
    }
    return "".join(
        f" {label} {_bound(known, first)}." for label, (known, first) in told.items() if first
    )


def text(told: Notice) -> str:
    """Return a notice as plain text, for mail and for people who read raw webhooks."""
    width = max(map(len, told.facts), default=0)
    lines = [f"{label:<{width}}  {fact}" for label, fact in told.facts.items()]
    links = [f"Alert   {told.alert_url}"] + [f"Ticket  {told.ticket_url}"] * bool(told.ticket_url)
    return "\n".join([told.summary, "", *lines, "", *links, ""])


def number(value: float | None) -> str:
    """Return a number as people read it.

    Examples
    --------
    >>> number(0.31415926), number(-0.0), number(None)
    ('0.3142', '0', 'no value')
    """
    if value is None:
        return "no value"
    shown = f"{value:.{_DIGITS}g}" if abs(value) < 10**_DIGITS else f"{value:,.0f}"
    return "0" if shown == "-0" else shown


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


def minute(moment: datetime) -> str:
    """Return an instant to the minute, in UTC as everything here is."""
    return moment.strftime("%Y-%m-%d %H:%M UTC")


def _bound(known: datetime | None, first: datetime | None) -> str:
    """Return what is known now of when a breach began or ended, and what was told first."""
    if known is None:
        return ""
    return minute(known) + (f" (told first: {minute(first)})" if first is not None else "")


def _verdict(breach: BreachEvent, event: Event) -> str:
    if event == "resolved" and breach.retired:
        return "is no longer looked at by a rule"
    if event == "resolved":
        return "was withdrawn" if breach.withdrawn else "is back within its limit"
    limit = f"{'≤' if breach.below else '≥'} {number(breach.limit)}"
    value = "" if _in_words(breach) else f"{number(breach.judged.value)} "
    return " ".join(f"{value}{_over(breach)} ({limit})".split())


def _over(breach: BreachEvent) -> str:
    return f" over {breach.scale} windows" if breach.scale > 1 else ""


def _in_words(breach: BreachEvent) -> bool:
    """Return whether only the reason holds the numbers of the windows that were judged."""
    return breach.scale > 1 and breach.pooled is None


def _value(breach: BreachEvent) -> str:
    if _in_words(breach):
        return f"{number(breach.value)} in this window alone"
    if breach.pooled is None:
        return number(breach.value)
    return f"{number(breach.pooled.value)}{_over(breach)}; {number(breach.value)} in the last alone"


def _judged_over(breach: BreachEvent) -> str:
    pooled = breach.pooled
    if pooled is None:
        return ""
    span = f"{minute(pooled.start)} to {minute(pooled.end)}"
    return f"{span} ({breach.scale} windows, {pooled.n:,} rows)"


def _sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:]}."


def _is_past(breach: BreachEvent) -> bool:
    value, limit = breach.judged.value, breach.limit
    if value is None or limit is None:
        return False
    return value <= limit if breach.below else value >= limit


def _limit(breach: BreachEvent) -> str:
    side = "at or below is a breach" if breach.below else "at or above is a breach"
    warn = f"; warning at {number(breach.warn)}" if breach.warn is not None else ""
    return f"{number(breach.limit)}, {side}{warn}"


def _reference(breach: BreachEvent) -> str:
    if breach.reference is None:
        return ""
    return f"{breach.reference[:12]} ({breach.reference_n or 0:,} rows)"
