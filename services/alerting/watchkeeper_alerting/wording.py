"""A breach in words: what is wrong, how sure that is, and whose it is. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from watchkeeper_alerting.figures import minute, number
from watchkeeper_shared.counted import counted
from watchkeeper_shared.events.breaches import BreachEvent

Event = Literal["firing", "resolved"]
"""What is told of an alert: that it is there, or that it is over."""


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
    rows = counted(found.n, "row")
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


def _bound(known: datetime | None, first: datetime | None) -> str:
    """Return what is known now of when a breach began or ended, and what was told first."""
    if known is None:
        return ""
    return minute(known) + (f" (told first: {minute(first)})" if first is not None else "")


def _verdict(breach: BreachEvent, event: Event) -> str:
    if event == "resolved" and breach.system_withdrawn:
        return "is watched no more, the system was withdrawn"
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
    return f"{span} ({breach.scale} windows, {counted(pooled.n, 'row')})"


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
    return f"{breach.reference[:12]} ({counted(breach.reference_n or 0, 'row')})"
