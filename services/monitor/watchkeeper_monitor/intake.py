"""One record of the log: read it, check it, or say why it goes to the dead letters."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

import pyarrow.compute as pc

from watchkeeper_monitor.pending import DeadLetter, Reading
from watchkeeper_shared.db.registry import Registry
from watchkeeper_shared.errors import MalformedRecord, StoreUnavailable
from watchkeeper_shared.eventlog.port import Message, Record
from watchkeeper_shared.events.codec import Decoded, decode_items
from watchkeeper_shared.events.headers import parse
from watchkeeper_shared.events.rejects import RejectCode
from watchkeeper_shared.events.rows import Kind
from watchkeeper_shared.events.validation import Checked, check_labels, check_predictions
from watchkeeper_shared.topics import LABELS

ERRORS = "__watchkeeper.errors."
"""The prefix of the headers that say why a record is a dead letter."""

_LONGEST_DETAIL = 2000


def read(record: Record, registry: Registry, now: datetime) -> Reading | DeadLetter:
    """Return what a record holds; a bad row is counted, a bad record is a dead letter.

    Raises
    ------
    StoreUnavailable
        The system is not known, and what is known may be old: ask again later.
    """
    kind = Kind.LABELS if record.at.topic == LABELS.name else Kind.PREDICTIONS
    try:
        decoded = decode_items(record.value, parse(record.headers).content_type, kind)
        system = _system_of(record, decoded)
        checked = _check(system, decoded, kind, registry, now)
    except MalformedRecord as error:
        return DeadLetter(record, error.code, error.detail[:_LONGEST_DETAIL])
    refused = Counter(reject.code.value for reject in (*decoded.rejects, *checked.rejects))
    return Reading(system, kind, checked.batch, refused)


def _system_of(record: Record, decoded: Decoded) -> str:
    """Return the system from the record's key, or from the rows when it has none."""
    if record.key:
        return record.key.partition("|")[0]
    names = decoded.batch.column("system") if decoded.batch.num_rows else []
    if not len(names):
        raise MalformedRecord(
            RejectCode.UNKNOWN_SYSTEM, "the record has no key and no readable row names a system"
        )
    return str(pc.min(names).as_py())


def _check(system: str, decoded: Decoded, kind: Kind, registry: Registry, now: datetime) -> Checked:
    spec = registry.system(system)
    if spec is None:
        if registry.is_stale:
            raise StoreUnavailable(f"whether there is a system {system!r} cannot be asked now")
        raise MalformedRecord(
            RejectCode.UNKNOWN_SYSTEM, f"no system {system[:128]!r} was applied; apply it first"
        )
    if kind is Kind.LABELS:
        return check_labels(decoded.batch, system, spec, registry.versions(system), now)
    return check_predictions(decoded.batch, system, spec, registry.versions(system), now)


def letter(dead: DeadLetter, consumer: str) -> tuple[str, Message]:
    """Return the message for the dead letter topic, and an id that is the same every time.

    Key, value and headers are the original ones; what went wrong is added beside them.
    """
    record = dead.record
    at = record.at
    added = {
        "code": dead.code,
        "detail": dead.detail,
        "topic": at.topic,
        "partition": str(at.partition),
        "offset": str(record.offset),
        "consumer": consumer,
    }
    headers = dict(record.headers) | {ERRORS + name: text for name, text in added.items()}
    message = Message(f"{at.topic}.dlq", record.key or "", record.value, headers)
    return f"dlq:{consumer}:{at.topic}:{at.partition}:{record.offset}", message
