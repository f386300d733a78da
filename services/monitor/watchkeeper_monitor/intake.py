"""Records of the log: read each, or say why it is a dead letter; check the rows of many."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from watchkeeper_monitor.pending import DeadLetter, Pending, Reading
from watchkeeper_shared.db.registry import Registry
from watchkeeper_shared.errors import MalformedRecord, StoreUnavailable
from watchkeeper_shared.eventlog.port import Message, Record
from watchkeeper_shared.events.codec import Decoded, decode_items
from watchkeeper_shared.events.headers import parse
from watchkeeper_shared.events.rejects import RejectCode
from watchkeeper_shared.events.rows import Kind
from watchkeeper_shared.events.validation import check_labels, check_predictions
from watchkeeper_shared.topics import LABELS

ERRORS = "__watchkeeper.errors."
"""The prefix of the headers that say why a record is a dead letter."""

_LONGEST_DETAIL = 2000


def read(record: Record, registry: Registry) -> Reading | DeadLetter:
    """Return what a record holds; what cannot be read as a whole is a dead letter.

    Raises
    ------
    StoreUnavailable
        The system is not known, and what is known may be old: ask again later.
    """
    kind = Kind.LABELS if record.at.topic == LABELS.name else Kind.PREDICTIONS
    try:
        decoded = decode_items(record.value, parse(record.headers).content_type, kind)
        system = _system_of(record, decoded)
        _refuse_unknown(system, registry)
    except MalformedRecord as error:
        return DeadLetter(record, error.code, error.detail[:_LONGEST_DETAIL])
    refused = Counter(reject.code.value for reject in decoded.rejects)
    return Reading(system, kind, decoded.batch, refused)


def check(pending: Pending, registry: Registry, now: datetime) -> Counter[str]:
    """Check the rows that wait, many at once; return how many were refused, by code.

    Rows of many small records are checked together, which costs little more than one record:
    those of one schema, so that what one sender sends cannot change how another's is read.
    """
    refused: Counter[str] = Counter()
    for (system, kind, _), batches in sorted(pending.unchecked.items(), key=_place):
        whole = pa.concat_batches(batches)
        spec = registry.system(system)
        if spec is None:  # withdrawn since these rows were read
            found = Counter({RejectCode.UNKNOWN_SYSTEM.value: whole.num_rows})
        else:
            checker = check_labels if kind is Kind.LABELS else check_predictions
            checked = checker(whole, system, spec, registry.versions(system), now)
            found = Counter(reject.code.value for reject in checked.rejects)
            if checked.batch.num_rows:
                pending.batches[system, kind].append(checked.batch)
        pending.refuse(system, found)
        refused += found
    pending.unchecked.clear()
    return refused


def _place(item: tuple[tuple[str, Kind, pa.Schema], object]) -> tuple[str, str]:
    return item[0][0], item[0][1].value


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


def _refuse_unknown(system: str, registry: Registry) -> None:
    if registry.system(system) is not None:
        return
    if registry.is_stale:
        raise StoreUnavailable(f"whether there is a system {system!r} cannot be asked now")
    raise MalformedRecord(
        RejectCode.UNKNOWN_SYSTEM, f"no system {system[:128]!r} was applied; apply it first"
    )


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
