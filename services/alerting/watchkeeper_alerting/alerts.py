"""The life of an alert: what a turn of its breach or a person's act means for it. Pure.

        opened                    acknowledge
(none) ───────► firing ──────────────────────► acknowledged
                  │  any ending of the breach       │ the same
                  └───────────► resolved ◄──────────┘
                                   │ opened again (an amendment raised the breach anew)
                                   └──────► firing
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from watchkeeper_alerting.tickets import LONGEST_REASON, is_readable
from watchkeeper_shared.errors import Conflict, InvalidObject


class AlertState(StrEnum):
    """Where an alert is in its life."""

    FIRING = "firing"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


class Turn(StrEnum):
    """What a breach event says about its episode."""

    OPENED = "opened"
    UPDATED = "updated"
    CLEARED = "cleared"
    WITHDRAWN = "withdrawn"
    RETIRED = "retired"
    SYSTEM_WITHDRAWN = "system_withdrawn"


class Action(StrEnum):
    """What to do with the alert."""

    OPEN = "open"
    REOPEN = "reopen"
    UPDATE = "update"
    RESOLVE = "resolve"
    NOTHING = "nothing"


class Reason(StrEnum):
    """Why; shown to people, kept in the audit log, asserted in tests."""

    BREACH_OPENED = "breach_opened"
    OPENING_MISSED = "opening_missed"  # the log no longer holds the opening; this is the first news
    RAISED_AGAIN = "raised_again"
    NEWER_NUMBERS = "newer_numbers"
    RECOVERED = "recovered"
    WITHDRAWN_BY_AMENDMENT = "withdrawn_by_amendment"
    RULE_REMOVED = "rule_removed"
    SYSTEM_WITHDRAWN = "system_withdrawn"
    ALREADY_RESOLVED = "already_resolved"
    NEVER_OPENED = "never_opened"


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do, why, and the state after it (None: there still is no alert)."""

    action: Action
    reason: Reason
    after: AlertState | None

    @property
    def notify(self) -> str | None:
        """What channels are told: `firing`, `resolved`, or nothing.

        An update tells nobody: the one who was paged knows, and the numbers are a click away.
        """
        if self.action in (Action.OPEN, Action.REOPEN):
            return "firing"
        return "resolved" if self.action is Action.RESOLVE else None


_ENDINGS = {
    Turn.CLEARED: Reason.RECOVERED,
    Turn.WITHDRAWN: Reason.WITHDRAWN_BY_AMENDMENT,
    Turn.RETIRED: Reason.RULE_REMOVED,
    Turn.SYSTEM_WITHDRAWN: Reason.SYSTEM_WITHDRAWN,
}


def decide(state: AlertState | None, turn: Turn) -> Decision:
    """Decide what a turn of the breach means for its alert.

    Parameters
    ----------
    state
        Where the alert is now; None when there is none for this breach.
    turn
        What the event says.

    Examples
    --------
    >>> decide(None, Turn.OPENED).action.value
    'open'
    >>> decide(AlertState.RESOLVED, Turn.CLEARED).reason.value
    'already_resolved'
    """
    if turn in _ENDINGS:
        return _ending(state, turn)
    if state is None:
        reason = Reason.BREACH_OPENED if turn is Turn.OPENED else Reason.OPENING_MISSED
        return Decision(Action.OPEN, reason, AlertState.FIRING)
    if state is not AlertState.RESOLVED:
        return Decision(Action.UPDATE, Reason.NEWER_NUMBERS, state)
    if turn is Turn.OPENED:
        return Decision(Action.REOPEN, Reason.RAISED_AGAIN, AlertState.FIRING)
    return Decision(Action.UPDATE, Reason.ALREADY_RESOLVED, state)


def _ending(state: AlertState | None, turn: Turn) -> Decision:
    if state is None:
        return Decision(Action.NOTHING, Reason.NEVER_OPENED, None)
    if state is AlertState.RESOLVED and turn is Turn.WITHDRAWN:
        # Told as recovered; who reads it later must know that there was nothing to recover from.
        return Decision(Action.UPDATE, Reason.WITHDRAWN_BY_AMENDMENT, state)
    if state is AlertState.RESOLVED:
        return Decision(Action.NOTHING, Reason.ALREADY_RESOLVED, state)
    return Decision(Action.RESOLVE, _ENDINGS[turn], AlertState.RESOLVED)


def acknowledge(state: AlertState, reason: str) -> AlertState:
    """Return the state after a person said that they look into it.

    Raises
    ------
    Conflict
        The alert is not firing.
    InvalidObject
        No reason was given, or one that is too long.
    """
    if state is not AlertState.FIRING:
        raise Conflict(f"this alert is {state}; only a firing one can be acknowledged")
    if not is_readable(reason):
        raise InvalidObject("acknowledging needs a reason: what you are going to do")
    if len(reason) > LONGEST_REASON:
        raise InvalidObject(f"a reason has at most {LONGEST_REASON} characters")
    return AlertState.ACKNOWLEDGED
