"""Which of the events in a request are taken, and why the others are not. Pure.

The steps are: split by system, may the caller publish for it, is it registered, do the
events hold against what was declared, are they young enough, was the same id sent twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from watchkeeper_ingest.ages import recent
from watchkeeper_ingest.duplicates import distinct
from watchkeeper_shared.db.withdrawals import Withdrawal
from watchkeeper_shared.events.codec import Decoded
from watchkeeper_shared.events.rejects import Reject, RejectCode
from watchkeeper_shared.events.rows import Kind
from watchkeeper_shared.events.validation import check_labels, check_predictions
from watchkeeper_shared.specs import AISystem

Places = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Known:
    """What was declared at the moment of the request.

    Parameters
    ----------
    systems, versions
        The systems by name, and the versions of each; empty means any.
    may_publish
        Whether the caller's key covers a system.
    now, oldest
        The present instant, and the oldest event time that is taken.
    withdrawn
        The systems that nobody watches any more, by name.
    """

    systems: Mapping[str, AISystem]
    versions: Callable[[str], frozenset[str]]
    may_publish: Callable[[str], bool]
    now: datetime
    oldest: datetime
    withdrawn: Mapping[str, Withdrawal] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Part:
    """Accepted events that may share records with others: one system, one set of columns."""

    system: str
    version: str
    batch: pa.RecordBatch


@dataclass(frozen=True, slots=True)
class Accepted:
    """The answer to a request, once its parts are in the log.

    Parameters
    ----------
    parts
        What goes to the log.
    duplicates
        How many events said again what another one in the request says.
    rejects
        By the place of the event in the request.
    """

    parts: tuple[Part, ...]
    duplicates: int
    rejects: tuple[Reject, ...]

    @property
    def rows(self) -> int:
        """How many events go to the log."""
        return sum(part.batch.num_rows for part in self.parts)


def accept(decoded: Decoded, kind: Kind, known: Known) -> Accepted:
    """Decide on every event of a request."""
    parts: list[Part] = []
    rejects = list(decoded.rejects)
    duplicates = 0
    for system, batch, places in _by_system(decoded):
        refusal = _refusal(system, known)
        if refusal is not None:
            code, detail = refusal
            named = str(system) if code is RejectCode.WITHDRAWN_SYSTEM else ""
            rejects.extend(Reject(int(place), code, detail, named) for place in places)
            continue
        taken = _accept_system(batch, system, kind, known)
        parts.extend(taken.parts)
        duplicates += taken.duplicates
        named = str(system)
        rejects.extend(
            replace(one, index=int(places[one.index]), system=named) for one in taken.rejects
        )
    rejects.sort(key=lambda one: one.index)
    return Accepted(tuple(parts), duplicates, tuple(rejects))


def _by_system(decoded: Decoded) -> Iterator[tuple[str | None, pa.RecordBatch, Places]]:
    """Yield the rows of each system with their places in the request."""
    batch = decoded.batch
    if not batch.num_rows:
        return
    if "system" not in batch.schema.names:
        yield None, batch, decoded.positions
        return
    coded = batch.column("system").dictionary_encode()
    names = coded.dictionary.to_pylist()
    if len(names) == 1 and not coded.null_count:
        yield names[0], batch, decoded.positions
        return
    codes = coded.indices.fill_null(-1).to_numpy()
    order = np.argsort(codes, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(codes[order])) + 1):
        code = int(codes[rows[0]])
        name = names[code] if code >= 0 else None
        yield name, batch.take(pa.array(rows)), decoded.positions[rows]


def _refusal(system: str | None, known: Known) -> tuple[RejectCode, str] | None:
    """Return why nothing is taken for a system. Whose key is too narrow learns no names."""
    if not system:
        return RejectCode.MISSING_FIELD, "system is missing"
    if not known.may_publish(system):
        detail = f"this key may not publish for system {system[:128]!r}; ask for one that may"
        return RejectCode.FORBIDDEN_SYSTEM, detail
    if system in known.withdrawn:
        detail = f"system {system!r} was {known.withdrawn[system]}; nothing of it is taken any more"
        return RejectCode.WITHDRAWN_SYSTEM, detail
    if system not in known.systems:
        detail = f"system {system[:128]!r} is not registered; apply an AISystem of this name first"
        return RejectCode.UNKNOWN_SYSTEM, detail
    return None


def _accept_system(batch: pa.RecordBatch, system: str | None, kind: Kind, known: Known) -> Accepted:
    name = str(system)
    spec = known.systems[name]
    check = check_predictions if kind is Kind.PREDICTIONS else check_labels
    parts: list[Part] = []
    rejects: list[Reject] = []
    duplicates = 0
    for version, rows in _by_columns(batch, spec, kind):
        piece = batch if rows is None else batch.take(pa.array(rows))
        checked = check(piece, name, spec, known.versions(name), known.now)
        rejects.extend(_moved(checked.rejects, rows))
        remaining = _remaining(piece.num_rows, checked.rejects, rows)
        young = recent(checked.batch, known.oldest)
        rejects.extend(_moved(young.rejects, remaining))
        remaining = _remaining(checked.batch.num_rows, young.rejects, remaining)
        unique = distinct(young.batch, kind) if young.batch.num_rows else None
        if unique is not None:
            parts.append(Part(name, version, unique.batch))
            duplicates += unique.duplicates
            rejects.extend(_moved(unique.rejects, remaining))
    return Accepted(tuple(parts), duplicates, tuple(rejects))


def _by_columns(
    batch: pa.RecordBatch, spec: AISystem, kind: Kind
) -> Iterator[tuple[str, Places | None]]:
    """Yield the rows that have one set of columns: all, unless versions declare their own."""
    if kind is Kind.LABELS or not spec.versions or "version" not in batch.schema.names:
        yield "", None
        return
    coded = batch.column("version").dictionary_encode()
    names = coded.dictionary.to_pylist()
    codes = coded.indices.fill_null(-1).to_numpy()
    for code in np.unique(codes):
        version = names[code] if code >= 0 else ""
        rows = np.flatnonzero(codes == code).astype(np.int64)
        yield (version if version in spec.versions else ""), rows


def _moved(rejects: tuple[Reject, ...], places: Places | None) -> Iterator[Reject]:
    for one in rejects:
        yield one if places is None else replace(one, index=int(places[one.index]))


def _remaining(rows: int, rejects: tuple[Reject, ...], places: Places | None) -> Places:
    """Return the places of the rows that passed the check."""
    kept = np.ones(rows, dtype=np.bool_)
    kept[[one.index for one in rejects]] = False
    found = np.flatnonzero(kept).astype(np.int64)
    return found if places is None else places[found]
