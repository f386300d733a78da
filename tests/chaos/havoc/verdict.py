"""What must be true at the end of a run: every difference from the truth, in words. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from havoc.outcome import Outcome, Row
from havoc.story import BEGIN, HOUR, VERSION, Plan

_SHOWN = 3


def differences(plan: Plan, poison: int, found: Outcome, twin: Outcome) -> list[str]:
    """Return what is wrong, or nothing.

    Parameters
    ----------
    plan, poison
        What was sent.
    found
        What the run left behind.
    twin
        What a run left behind in which nothing happened, of the same plan.
    """
    return [
        *miscounted(plan, poison, found, twin),
        *_breaches(found, twin),
        *_told(found),
    ]


def miscounted(plan: Plan, poison: int, found: Outcome, twin: Outcome) -> list[str]:
    """Return what is wrong with rows, panes, windows, measurements and dead letters."""
    return [
        *_counting(plan, found),
        *_compared("profile of a pane", found.profiles, twin.profiles),
        *_compared("window", found.windows, _hours(plan)),
        *_compared("measurement", found.measurements, twin.measurements),
        *_dead(poison, found),
    ]


def _counting(plan: Plan, found: Outcome) -> list[str]:
    copies = found.sent.total() - len(found.sent)
    return _unequal(
        {
            "predictions in the log": (len(found.sent), plan.rows),
            "predictions in panes": (found.rows, len(found.sent)),
            "predictions in the index": (found.indexed, len(found.sent)),
            "labels in the log": (found.truths, plan.labels),
            "labels joined": (found.labelled, plan.labels),
            "duplicates counted": (found.duplicates, copies),
        }
    )


def _dead(poison: int, found: Outcome) -> list[str]:
    once = Counter(found.buried)
    return [
        *_unequal({"poison in the log, at least": (min(len(found.unreadable), poison), poison)}),
        *_compared("dead letter", once, Counter(found.unreadable)),
        *_compared("record of the dead letter topics", found.letters, once),
    ]


def _breaches(found: Outcome, twin: Outcome) -> list[str]:
    """Compare the breaches that stand: as many of the same series, of the same windows.

    Ids may differ: a breach is named by the window that it was raised for, and whose labels came
    first may differ. Where it began and ended is then moved to what the windows say.
    """
    mine, theirs = Counter(found.episodes.values()), Counter(twin.episodes.values())
    return _compared("breach", mine, theirs)


def _told(found: Outcome) -> list[str]:
    """One alert, one ticket, one opening act and one notification for each breach."""
    state = {"open": "firing", "cleared": "resolved"}
    alerts = {breach: state[row[-1]] for breach, row in found.episodes.items()}
    standing = {key: value for key, value in found.alerts.items() if key in found.episodes}
    acts = Counter(breach for breach, act in found.acts.elements() if act == "alert.open")
    openings = Counter(breach for breach, event in found.notified.elements() if event == "firing")
    one_each = dict.fromkeys(found.alerts, 1)
    return [
        *_unequal({"alerts": (len(found.alerts), len(found.episodes) + found.withdrawn)}),
        *_compared("alert", standing, alerts),
        *_compared("ticket", Counter(found.tickets), one_each),
        *_compared("act that opened an alert", acts, one_each),
        *_compared("notification of an opening", openings, one_each),
    ]


def _hours(plan: Plan) -> dict[Row, int]:
    return {
        ("loans", VERSION, BEGIN + hour * HOUR): plan.rows_per_hour for hour in range(plan.hours)
    }


def _unequal(pairs: Mapping[str, tuple[int, int]]) -> list[str]:
    return [f"{what}: {got} instead of {due}" for what, (got, due) in pairs.items() if got != due]


def _compared(what: str, found: Mapping[Any, Any], due: Mapping[Any, Any]) -> list[str]:
    wrong = [key for key in due if key not in found or found[key] != due[key]]
    more = [key for key in found if key not in due]
    keys = [*wrong, *more]
    told = [f"{what} {_short(key, found.get(key), due.get(key))}" for key in keys[:_SHOWN]]
    return told + [f"{what}: {len(keys) - _SHOWN} more"] * (len(keys) > _SHOWN)


def _short(key: Any, got: Any, due: Any) -> str:
    if isinstance(got, bytes) or isinstance(due, bytes):
        return f"{key}: other bytes" if got and due else f"{key}: {'too many' if got else 'lost'}"
    return f"{key}: {got} instead of {due}"
