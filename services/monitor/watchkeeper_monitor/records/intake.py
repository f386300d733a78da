"""Records of the log: read each, or say why it is a dead letter; check the rows of many."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from watchkeeper_monitor.records.pending import DeadLetter, Pending, Reading
from watchkeeper_monitor.records.singles import Single, rows_in
from watchkeeper_shared.db.registry import Registry
from watchkeeper_shared.errors import MalformedRecord, RetryableError, StoreUnavailable
from watchkeeper_shared.eventlog.port import Record
from watchkeeper_shared.events.batches import distinct
from watchkeeper_shared.events.codec import Decoded, decode_items
from watchkeeper_shared.events.headers import parse
from watchkeeper_shared.events.rejects import RejectCode
from watchkeeper_shared.events.rows import Kind
from watchkeeper_shared.events.validation import check_labels, check_predictions
from watchkeeper_shared.topics import LABELS

Admit = Callable[[str, Sequence[str]], Collection[str]]
"""Which versions of a system are watched, given some that are said."""


def read(record: Record, registry: Registry) -> Reading | Single | DeadLetter:
    """Return what a record holds; what cannot be read as a whole is a dead letter.

    Raises
    ------
    StoreUnavailable
        The system is not known, and what is known may be old: ask again later.
    RetryableError
        No system is known at all.
    """
    kind = Kind.LABELS if record.at.topic == LABELS.name else Kind.PREDICTIONS
    try:
        content_type = parse(record.headers).content_type
        rows = rows_in(record, content_type, kind) if record.key else None
        if rows is not None:
            system = (record.key or "").partition("|")[0]
            _refuse_unknown(system, registry)
            return Single(record, system, kind, rows)
        decoded = decode_items(record.value, content_type, kind)
        system = _system_of(record, decoded)
        _refuse_unknown(system, registry)
    except MalformedRecord as error:
        return DeadLetter(record, error.code, error.detail, sender(record, registry))
    refused = Counter(reject.code.value for reject in decoded.rejects)
    return Reading(system, kind, decoded.batch, refused)


def sender(record: Record, registry: Registry) -> str:
    """Return the system that a record's key names, applied or withdrawn; empty for any other.

    Whoever writes to the topic chooses the key: only names that were applied are counted by.
    """
    system = (record.key or "").partition("|")[0]
    return system if system in registry.systems() or system in registry.withdrawn() else ""


def check(pending: Pending, registry: Registry, now: datetime, admit: Admit) -> Counter[str]:
    """Check the rows that wait, many at once; return how many were refused, by code.

    Rows of many small records are checked together, which costs little more than one record:
    those of one schema, so that what one sender sends cannot change how another's is read.

    Parameters
    ----------
    admit
        Asked about the versions of a system that declares none.
    """
    refused: Counter[str] = Counter()
    pending.unpool()
    for (system, kind, _), batches in sorted(pending.unchecked.items(), key=_place):
        whole = pa.concat_batches(batches)
        spec = registry.system(system)
        if spec is None:  # withdrawn since these rows were read
            found = Counter({_why_unknown(system, registry).value: whole.num_rows})
        else:
            checker = check_labels if kind is Kind.LABELS else check_predictions
            versions = registry.versions(system)
            checked = checker(whole, system, spec, versions, now)
            found = Counter(reject.code.value for reject in checked.rejects)
            batch = checked.batch if versions else _admitted(checked.batch, system, admit)
            if batch.num_rows < checked.batch.num_rows:
                beyond = checked.batch.num_rows - batch.num_rows
                found[RejectCode.UNKNOWN_VERSION.value] += beyond
            if batch.num_rows:
                pending.batches[system, kind].append(batch)
        pending.refuse(system, found)
        refused += found
    pending.unchecked.clear()
    return refused


def _admitted(batch: pa.RecordBatch, system: str, admit: Admit) -> pa.RecordBatch:
    """Return the rows of versions that are watched, and those that name none."""
    if "version" not in batch.schema.names:
        return batch
    version = batch.column("version")
    said = distinct(version)
    known = admit(system, said)
    if set(said) <= set(known):
        return batch
    is_known = pc.is_in(version, value_set=pa.array(sorted(known), pa.string()))
    return batch.filter(pc.or_(is_known, version.is_null()))


def _place(item: tuple[tuple[str, Kind, bytes], object]) -> tuple[str, str]:
    return item[0][0], item[0][1].value


def _system_of(record: Record, decoded: Decoded) -> str:
    """Return the system from the record's key, or from the rows when it has none."""
    if record.key:
        return record.key.partition("|")[0]
    batch = decoded.batch
    names = batch.column("system").drop_null() if "system" in batch.schema.names else []
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
    withdrawn = registry.withdrawn()
    if system in withdrawn:
        detail = f"system {system!r} was {withdrawn[system]}; apply it again to watch it"
        raise MalformedRecord(RejectCode.WITHDRAWN_SYSTEM, detail)
    if not registry.systems() and not withdrawn:
        # A wrong or empty database would otherwise turn a whole topic into dead letters.
        raise RetryableError("no system was ever applied; reading waits for the first one")
    raise MalformedRecord(
        RejectCode.UNKNOWN_SYSTEM, f"no system {system[:128]!r} was applied; apply it first"
    )


def _why_unknown(system: str, registry: Registry) -> RejectCode:
    is_withdrawn = system in registry.withdrawn()
    return RejectCode.WITHDRAWN_SYSTEM if is_withdrawn else RejectCode.UNKNOWN_SYSTEM
