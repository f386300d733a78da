"""Records as confluent-kafka gives them, as records of ours."""

from __future__ import annotations

from operator import methodcaller
from typing import Any

from watchkeeper_shared.eventlog.instants import nearest
from watchkeeper_shared.eventlog.port import Record, TopicPartition

_CHECKED = methodcaller("headers")
"""Calls it with a check of what it returns.

For a name that is no text the client returns a list with a hole and an error set. A call that
the interpreter has specialised, since it ran often, takes that list, and the process ends by
a segmentation fault (confluent-kafka 2.16.1, Python 3.11).
"""


def record_of(raw: Any) -> Record:
    """Return a record, whatever its sender put into it."""
    key = raw.key()
    return Record(
        TopicPartition(raw.topic(), raw.partition()),
        raw.offset(),
        None if key is None else key.decode(errors="replace"),
        raw.value() or b"",
        _headers(raw),
        nearest(raw.timestamp()[1]),
    )


def _headers(raw: Any) -> dict[str, str]:
    """Return the headers; none of them if the name of one is no text, which the client cannot do.

    Who reads then refuses the record by what it lacks, and goes on.
    """
    try:
        found = _CHECKED(raw) or ()
    except (SystemError, UnicodeDecodeError):
        return {}
    return {name: (value or b"").decode(errors="replace") for name, value in found}
