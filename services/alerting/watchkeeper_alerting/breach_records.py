"""A record of `watchkeeper.breaches.v1` as an event: a structured CloudEvent, checked."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from watchkeeper_alerting.alerts import Turn
from watchkeeper_shared.errors import MalformedRecord
from watchkeeper_shared.events.breaches import (
    BREACH_CLEARED,
    BREACH_OPENED,
    BREACH_UPDATED,
    BreachEvent,
)
from watchkeeper_shared.events.rejects import RejectCode

_LONGEST_ID = 64  # what the inbox column holds
_LONGEST = {"breach": 64, "fingerprint": 64, "system": 128, "severity": 16, "evidence": 64}
_LONGEST_CHANNEL = 128
_TURNS = {
    BREACH_OPENED: Turn.OPENED,
    BREACH_UPDATED: Turn.UPDATED,
    BREACH_CLEARED: Turn.CLEARED,
}


class _Envelope(msgspec.Struct, frozen=True):
    """The attributes that matter; others may come and are ignored, as CloudEvents wants."""

    specversion: Literal["1.0"]
    id: str
    source: str
    type: str
    data: msgspec.Raw


@dataclass(frozen=True, slots=True)
class BreachTurn:
    """One event about a breach.

    Parameters
    ----------
    event_id
        Identity of the event; a redelivery has the same.
    turn
        What it says about the episode.
    breach, content
        The event's data, as a value and as plain JSON values.
    """

    event_id: str
    turn: Turn
    breach: BreachEvent
    content: dict[str, Any]


def decode(value: bytes) -> BreachTurn:
    """Read the value of a record.

    Raises
    ------
    MalformedRecord
        It is no CloudEvent of a type that is known here, or its data does not hold.
    """
    try:
        envelope = msgspec.json.decode(value, type=_Envelope)
        breach = msgspec.json.decode(envelope.data, type=BreachEvent)
        content = msgspec.json.decode(envelope.data)
    except msgspec.ValidationError as error:
        raise MalformedRecord(RejectCode.WRONG_TYPE, f"breach event: {error}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MalformedRecord(RejectCode.MALFORMED, f"breach event is not JSON: {error}") from error
    _check_lengths(breach)
    turn = _TURNS.get(envelope.type)
    if turn is None:
        known = ", ".join(_TURNS)
        raise MalformedRecord(
            RejectCode.UNSUPPORTED, f"event type {envelope.type!r} is not one of {known}"
        )
    if turn is Turn.CLEARED and breach.withdrawn:
        turn = Turn.WITHDRAWN
    if turn is Turn.CLEARED and breach.retired:
        turn = Turn.SYSTEM_WITHDRAWN if breach.system_withdrawn else Turn.RETIRED
    return BreachTurn(_short(f"{envelope.source}\x1f{envelope.id}"), turn, breach, content)


def _check_lengths(breach: BreachEvent) -> None:
    """Refuse what a column cannot hold, here, where it is one dead letter and no outage."""
    for name, most in _LONGEST.items():
        text = getattr(breach, name) or ""
        _check_length(name, text, most)
    for channel in breach.channels or ():
        _check_length("a channel", channel, _LONGEST_CHANNEL)
    if b"\\u0000" in msgspec.json.encode(breach):
        raise MalformedRecord(RejectCode.MALFORMED, "breach event: a text holds the character NUL")


def _check_length(name: str, text: str, most: int) -> None:
    if len(text) > most:
        detail = f"breach event: {name} has {len(text)} characters, at most {most} fit"
        raise MalformedRecord(RejectCode.TOO_LONG, detail)


def _short(identity: str) -> str:
    """Return `identity` in a form that fits the inbox; CloudEvents sets no limit."""
    return hashlib.sha256(identity.encode()).hexdigest()[:_LONGEST_ID]


def breach_of(content: dict[str, Any]) -> BreachEvent:
    """Return the breach event of stored plain values."""
    return msgspec.convert(content, BreachEvent)
