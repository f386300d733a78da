"""What was read from one partition and is not yet in the database."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

import pyarrow as pa

from watchkeeper_monitor.records.repeats import Repeated, Repeats
from watchkeeper_monitor.records.singles import TOGETHER, Pool, Single
from watchkeeper_shared.db.positions import Claim
from watchkeeper_shared.errors import MalformedRecord
from watchkeeper_shared.eventlog.port import Record
from watchkeeper_shared.events.codec import decode_items
from watchkeeper_shared.events.headers import parse
from watchkeeper_shared.events.letters import CRASHED
from watchkeeper_shared.events.rows import Kind

_REFUSED = "rejected_"
_BURIED = "dead_letters_"

Sender = Callable[[Record], str]
"""Says which applied system a record names, if any."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A record that could be read: its readable rows, not yet checked, and the others by code."""

    system: str
    kind: Kind
    batch: pa.RecordBatch
    refused: Counter[str]


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record that could not be read, and why; for people, with its original bytes.

    `system` is the applied system that it says it is of; empty where it names none.
    """

    record: Record
    code: str
    detail: str
    system: str = ""


def crashed(record: Record, claim: Claim, sender: Sender) -> DeadLetter | None:
    """Return a verdict without looking, if looking killed the last owners."""
    if not claim.blames(record.offset):
        return None
    detail = (
        f"{claim.tries} processes in a row ended over this record, the last three with nothing "
        "else in hand: out of memory, or a crash in a library; see what the platform says of them"
    )
    return DeadLetter(record, CRASHED, detail, sender(record))


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
    pools
        Rows of small records, by system and kind; few at a time.
    unchecked, batches
        Rows as they were read, by system, kind and schema; and rows that hold.
    """

    claim: Claim
    next_offset: int
    careful_until: int = 0
    repeats: Repeats | None = None
    pools: defaultdict[tuple[str, Kind], list[Pool]] = field(
        default_factory=lambda: defaultdict(list)
    )
    unchecked: defaultdict[tuple[str, Kind, bytes], list[pa.RecordBatch]] = field(
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

    def take(self, record: Record, content: Reading | Single | DeadLetter | Repeated) -> None:
        """Add what one record held."""
        self.next_offset = record.offset + 1
        self.size += len(record.value)
        self.newest = record.timestamp
        if isinstance(content, DeadLetter):
            self._bury(content)
            return
        if isinstance(content, Repeated):
            self.tallies[content.system, "duplicate_batches"] += 1
            self.tallies[content.system, "duplicates"] += content.rows
            return
        if isinstance(content, Single):
            self.rows += len(content.rows)
            self._pool(content)
            return
        self.rows += content.batch.num_rows
        self._add(content.system, content.kind, content.batch)
        self.refuse(content.system, content.refused)

    def _bury(self, dead: DeadLetter) -> None:
        self.dead.append(dead)
        self.tallies[dead.system, _BURIED + dead.code] += 1

    def _add(self, system: str, kind: Kind, batch: pa.RecordBatch) -> None:
        if batch.num_rows:
            # The bytes of a schema are made and hashed faster than it is.
            self.unchecked[system, kind, batch.schema.serialize().to_pybytes()].append(batch)

    def _pool(self, single: Single) -> None:
        pools = self.pools[single.system, single.kind]
        pool = next((one for one in pools if one.take(single)), None)
        if pool is None:
            pool = Pool()
            if not pool.take(single):  # its own rows differ from each other
                self._reread(single)
                return
            pools.append(pool)
        if len(pool.rows) >= TOGETHER:
            pools.remove(pool)
            self._spread(pool)

    def _spread(self, pool: Pool) -> None:
        batch = pool.batch()
        if batch is not None:
            self._add(pool.singles[0].system, pool.singles[0].kind, batch)
            return
        for single in pool.singles:
            self._reread(single)

    def _reread(self, single: Single) -> None:
        """Take a record by itself: its rows, or those of others beside it, make no one table."""
        content_type = parse(single.record.headers).content_type
        try:
            decoded = decode_items(single.record.value, content_type, single.kind)
        except MalformedRecord as error:
            self._bury(DeadLetter(single.record, error.code, error.detail, single.system))
            return
        self._add(single.system, single.kind, decoded.batch)
        self.refuse(single.system, Counter(reject.code.value for reject in decoded.rejects))

    def unpool(self) -> None:
        """Make columns of what is still rows."""
        for pools in self.pools.values():
            for pool in pools:
                self._spread(pool)
        self.pools.clear()

    def refuse(self, system: str, codes: Counter[str]) -> None:
        """Count rows that were refused."""
        for code, count in codes.items():
            self.tallies[system, _REFUSED + code] += count

    def flushed(self, claim: Claim) -> Pending:
        """Return what is pending after a flush: nothing."""
        known = None if self.repeats is None else self.repeats.kept(whole=self.is_whole)
        return Pending(claim, claim.next_offset, self.careful_until, known)
