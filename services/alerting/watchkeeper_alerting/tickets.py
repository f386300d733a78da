"""The life of a ticket as a table: acts, guards, states. Pure.

People decide. A breach opens a ticket and may comment on it; nothing but a person's act
moves it on, and a recovered metric never closes it. New states and guards are rows and
functions here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from watchkeeper_shared.errors import Conflict, Forbidden, InvalidObject, PermanentError
from watchkeeper_shared.metric_names import Family, family_of

LONGEST_REASON = 4000


class TicketState(StrEnum):
    """Where the human work is."""

    NEW = "new"
    ACKNOWLEDGED = "acknowledged"
    CLOSED = "closed"


class Act(StrEnum):
    """What a person does to a ticket."""

    ACKNOWLEDGE = "acknowledge"
    COMMENT = "comment"
    CLOSE = "close"
    REOPEN = "reopen"


OPENING = "open"
"""The act of the machine that stands first in every ticket's history."""

NOTE = "note"
"""What the machine adds when the breach moves on; it changes no state."""


class TicketKind(StrEnum):
    """What the work is about."""

    METRIC_BREACH = "metric_breach"
    DATA = "data"
    FAIRNESS = "fairness"


@dataclass(frozen=True, slots=True)
class Attempt:
    """What somebody wants to do.

    Parameters
    ----------
    act, reason
        What, and why or with which words.
    actor, role, key
        Who, with which role, by which key: two keys may have one name.
    """

    act: Act
    reason: str
    actor: str
    role: str
    key: str = ""


Guard = Callable[[Attempt], PermanentError | None]
"""Returns why an attempt may not be, or None."""


def is_readable(reason: str) -> bool:
    """Return whether a reason shows anything: spaces that have no width are none."""
    return any(one.isprintable() and not one.isspace() for one in reason)


def _has_words(attempt: Attempt) -> PermanentError | None:
    if is_readable(attempt.reason):
        return None
    return InvalidObject(
        f"to {attempt.act} a ticket, give a reason that a later reader understands"
    )


def _is_short_enough(attempt: Attempt) -> PermanentError | None:
    if len(attempt.reason) <= LONGEST_REASON:
        return None
    return InvalidObject(f"a reason has at most {LONGEST_REASON} characters")


def _by(*roles: str) -> Guard:
    def guard(attempt: Attempt) -> PermanentError | None:
        if attempt.role in (*roles, "admin"):
            return None
        return Forbidden(f"role {attempt.role} may not {attempt.act} tickets: {', '.join(roles)}")

    return guard


@dataclass(frozen=True, slots=True)
class Transition:
    """One row of the table. `after` None: the ticket stays where it is."""

    act: Act
    before: tuple[TicketState, ...]
    after: TicketState | None
    guards: tuple[Guard, ...]


_PEOPLE = _by("oncall", "reviewer", "approver")
_OPEN = (TicketState.NEW, TicketState.ACKNOWLEDGED)
_WORDS = (_has_words, _is_short_enough)

TRANSITIONS: tuple[Transition, ...] = (
    Transition(
        Act.ACKNOWLEDGE,
        (TicketState.NEW,),
        TicketState.ACKNOWLEDGED,
        (_PEOPLE, _is_short_enough),
    ),
    Transition(Act.COMMENT, tuple(TicketState), None, (_PEOPLE, *_WORDS)),
    Transition(Act.CLOSE, _OPEN, TicketState.CLOSED, (_PEOPLE, *_WORDS)),
    Transition(Act.REOPEN, (TicketState.CLOSED,), TicketState.ACKNOWLEDGED, (_PEOPLE, *_WORDS)),
)


def move(state: TicketState, attempt: Attempt) -> TicketState:
    """Return the state after an act.

    Raises
    ------
    Conflict
        The table has no such act from this state.
    InvalidObject, Forbidden
        A guard does not hold.

    Examples
    --------
    >>> move(TicketState.NEW, Attempt(Act.ACKNOWLEDGE, "", "kim", "oncall")).value
    'acknowledged'
    """
    for row in TRANSITIONS:
        if row.act is attempt.act and state in row.before:
            for guard in row.guards:
                refusal = guard(attempt)
                if refusal is not None:
                    raise refusal
            return row.after or state
    possible = ", ".join(acts_from(state))
    raise Conflict(f"a {state} ticket cannot be given the act {attempt.act}; possible: {possible}")


def acts_from(state: TicketState) -> tuple[Act, ...]:
    """Return what can be done to a ticket in `state`, for forms and messages."""
    return tuple(row.act for row in TRANSITIONS if state in row.before)


def kind_of(metric: str) -> TicketKind:
    """Return what a ticket about this metric is about."""
    kinds = {Family.DATA_QUALITY: TicketKind.DATA, Family.FAIRNESS: TicketKind.FAIRNESS}
    family = family_of(metric)
    return (
        TicketKind.METRIC_BREACH if family is None else kinds.get(family, TicketKind.METRIC_BREACH)
    )
