"""Dead letters: the original record with what went wrong beside it, and the way back.

A letter keeps key, bytes and headers of the record. Replayed, it goes to the topic it came
from without what was added, marked with the letter it was.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from watchkeeper_shared.errors import MalformedRecord
from watchkeeper_shared.eventlog.port import Message, Record
from watchkeeper_shared.events.rejects import RejectCode

ERRORS = "__watchkeeper.errors."
"""The prefix of the headers that say why a record is a dead letter."""

REPLAYED = "__watchkeeper.replayed"
"""The header of a replayed record: `topic/partition/offset` of the letter it was."""

CRASHED = "crashed"
"""The code of a record whose reader died over it, alone, again and again."""

_LONGEST_DETAIL = 2000
_LONGEST_KEY = 512  # what the outbox holds


def storable(text: str, longest: int = _LONGEST_DETAIL) -> str:
    """Return a stranger's text as every database and log holds it, cut to a length.

    PostgreSQL's texts hold no NUL, and a letter that cannot be kept would block its partition.
    """
    return text[:longest].replace("\0", "\ufffd").encode(errors="replace").decode()


@dataclass(frozen=True, slots=True)
class Verdict:
    """Why a record is a dead letter, and where it stood.

    Parameters
    ----------
    code, detail
        For programs and for people.
    topic, partition, offset
        Where the record was.
    consumer
        Who could not read it.
    system
        The applied system that the record's key names; empty where it names none.
    """

    code: str
    detail: str
    topic: str
    partition: int
    offset: int
    consumer: str
    system: str = ""


def letter(
    record: Record, consumer: str, code: str, detail: str, system: str = ""
) -> tuple[str, Message]:
    """Return the identity of a dead letter, the same every time, and its message.

    The record's time is part of the identity: a topic that was made again has the same
    offsets, and other records there.
    """
    at = record.at
    added = {
        "code": code,
        "detail": storable(detail),
        "topic": at.topic,
        "partition": str(at.partition),
        "offset": str(record.offset),
        "consumer": consumer,
        **({"system": system} if system else {}),
    }
    headers = {**record.headers, **{ERRORS + name: text for name, text in added.items()}}
    place = (consumer, at.topic, str(at.partition), str(record.offset), str(record.timestamp))
    identity = hashlib.sha256("\x1f".join(("dlq", *place)).encode()).hexdigest()
    key = storable(record.key or "", _LONGEST_KEY)
    return identity, Message(f"{at.topic}.dlq", key, record.value, headers)


def verdict(headers: Mapping[str, str]) -> Verdict:
    """Return what the headers of a letter say.

    Raises
    ------
    MalformedRecord
        It is no letter of ours: nobody knows where it came from.
    """
    try:
        return Verdict(
            headers[f"{ERRORS}code"],
            headers[f"{ERRORS}detail"],
            headers[f"{ERRORS}topic"],
            int(headers[f"{ERRORS}partition"]),
            int(headers[f"{ERRORS}offset"]),
            headers[f"{ERRORS}consumer"],
            headers.get(f"{ERRORS}system", ""),
        )
    except (KeyError, ValueError) as error:
        raise MalformedRecord(
            RejectCode.MALFORMED, f"no dead letter of ours: header {error} is missing or wrong"
        ) from error


def replayed(record: Record) -> Message:
    """Return the original of a letter for the topic it came from.

    Raises
    ------
    MalformedRecord
        As `verdict`.
    """
    headers = {name: text for name, text in record.headers.items() if not name.startswith(ERRORS)}
    headers[REPLAYED] = f"{record.at}/{record.offset}"
    return Message(verdict(record.headers).topic, record.key or "", record.value, headers)
