"""What was read from one partition and is not yet in the database."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime

import pyarrow as pa

from watchkeeper_monitor.repeats import Repeated, Repeats
from watchkeeper_shared.db.positions import Claim
from watchkeeper_shared.eventlog.port import Record
from watchkeeper_shared.events.rows import Kind

_REFUSED = "rejected_"


@dataclass(frozen=True, slots=True)
class Reading:
    """A record that could be read: its readable rows, not yet checked, and the others by code."""

    system: str
    kind: Kind
    batch: pa.RecordBatch
    refused: Counter[str]


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record that could not be read, and why; for people, with its original bytes."""

    record: Record
    code: str
    detail: str


@dataclass(slots=True)
class Pending:
    """Everything between the stored position of a partition and where reading is.

    Dropping it loses nothing: the next owner reads the same records again.

    Parameters
    ----------
    claim
        The right to write this partition's state, and the stored position.
    next_offset
        Where reading is.
    careful_until
        Records before this offset are processed alone, because owners died among them.
    repeats
        Which batches of the partition were read before; None until the first record.
    unchecked, batches
        Rows as they were read, by system, kind and schema; and rows that hold.
    """

    claim: Claim
    next_offset: int
    careful_until: int = 0
    repeats: Repeats | None = None
    unchecked: defaultdict[tuple[str, Kind, pa.Schema], list[pa.RecordBatch]] = field(
        default_factory=lambda: defaultdict(list)
    )
    batches: defaultdict[tuple[str, Kind], list[pa.RecordBatch]] = field(
        default_factory=lambda: defaultdict(list)
    )
    tallies: Counter[tuple[str, str]] = field(default_factory=Counter)
    dead: list[DeadLetter] = field(default_factory=list)
    rows: int = 0
    size: int = 0
    newest: datetime | None = None

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to flush."""
        return self.next_offset == self.claim.next_offset

    @property
    def is_whole(self) -> bool:
        """Whether no row was refused."""
        return not any(name.startswith(_REFUSED) for _, name in self.tallies)

    def take(self, record: Record, content: Reading | DeadLetter | Repeated) -> None:
        """Add what one record held."""
        self.next_offset = record.offset + 1
        self.size += len(record.value)
        self.newest = record.timestamp
        if isinstance(content, DeadLetter):
            self.dead.append(content)
            return
        if isinstance(content, Repeated):
            self.tallies[content.system, "duplicate_batches"] += 1
            self.tallies[content.system, "duplicates"] += content.rows
            return
        if content.batch.num_rows:
            key = content.system, content.kind, content.batch.schema
            self.unchecked[key].append(content.batch)
            self.rows += content.batch.num_rows
        self.refuse(content.system, content.refused)

    def refuse(self, system: str, codes: Counter[str]) -> None:
        """Count rows that were refused."""
        for code, count in codes.items():
            self.tallies[system, _REFUSED + code] += count

    def flushed(self, claim: Claim) -> Pending:
        """Return what is pending after a flush: nothing."""
        known = None if self.repeats is None else self.repeats.kept(whole=self.is_whole)
        return Pending(claim, claim.next_offset, self.careful_until, known)
