"""What one flush adds to the index: predictions that were never seen, and labels.

The same prediction comes again when a sender repeats a request, a producer a record, or a
person a file. It is recognised by its id among the newest predictions of its system, those of
other partitions included. Two workers may meet the same id at the same moment: whoever commits
second finds the other's block when it takes its own number, and the flush is repeated.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa
from numpy.typing import NDArray

from watchkeeper_monitor.sampling.identity import ascending, hash_ids
from watchkeeper_monitor.store import heads, index, labels
from watchkeeper_monitor.store.hashes import Asked, Hashes, Sorted
from watchkeeper_monitor.store.index import Entries, Told
from watchkeeper_monitor.store.labels import Labels, State
from watchkeeper_monitor.store.shelf import Shelf
from watchkeeper_shared.db.tables import predictions
from watchkeeper_shared.db.types import to_micros
from watchkeeper_shared.errors import Conflict

_ECHOED = ("id", "prediction", "score", "version")


@dataclass(frozen=True, slots=True)
class Rows:
    """Predictions of one system, from one partition."""

    batch: pa.RecordBatch
    hashes: Hashes
    times: NDArray[np.int64]  # microseconds since 1970

    @classmethod
    def of(cls, batch: pa.RecordBatch) -> Rows:
        """Return all rows of a batch."""
        times = batch.column("time").cast(pa.int64()).to_numpy()
        return cls(batch, hash_ids(batch.column("id")), times)

    def where(self, mask: NDArray[np.bool_]) -> Rows:
        """Return some rows in their order; itself if that is all of them."""
        return self if mask.all() else self.take(np.flatnonzero(mask))

    def take(self, at: NDArray[np.int64]) -> Rows:
        """Return some rows, in the order asked for."""
        return Rows(self.batch.take(pa.array(at)), self.hashes[at], self.times[at])

    def parted(self, by: NDArray[np.int64]) -> Iterator[tuple[int, Rows]]:
        """Yield each value of `by`, ascending, and the rows that have it, in their order.

        Sorted once, and where they come in order not at all: a replayed year may be ten thousand
        panes in one flush.
        """
        rows = self
        if (by[1:] < by[:-1]).any():
            order = np.argsort(by, kind="stable")
            rows, by = self.take(order), by[order]
        firsts = np.flatnonzero(np.diff(by, prepend=~by[:1])).tolist()
        for first, after in pairwise([*firsts, len(by)]):
            batch = rows.batch.slice(first, after - first)
            yield int(by[first]), Rows(batch, rows.hashes[first:after], rows.times[first:after])


def echoes(batch: pa.RecordBatch, versions: Collection[str]) -> pa.RecordBatch:
    """Return the predictions that labels tell of, as far as they tell enough.

    That is: what was predicted, when, and by which version, which need not be said where
    there is only one.
    """
    names = set(batch.schema.names)
    if not {"prediction", "prediction_time"} <= names:
        return batch.slice(0, 0)
    told = {name: batch.column(name) for name in batch.schema.names if _is_echoed(name)}
    told["time"] = batch.column("prediction_time")
    version = told.get("version", pa.nulls(batch.num_rows, pa.string()))
    told["version"] = version.fill_null(next(iter(versions))) if len(versions) == 1 else version
    whole = [told[name].is_valid() for name in ("prediction", "time", "version")]
    mask = pc.and_(pc.and_(whole[0], whole[1]), whole[2])
    return pa.RecordBatch.from_pydict(told).filter(mask)


def _is_echoed(name: str) -> bool:
    return name in _ECHOED or name.startswith(("groups.", "scores."))


@dataclass(slots=True)
class _OfSystem:
    looked: set[int] = field(default_factory=set)
    seen: list[Entries] = field(default_factory=list)
    echoed: list[Entries] = field(default_factory=list)
    labels: list[Labels] = field(default_factory=list)
    runs: list[Hashes] = field(default_factory=list)


class Newcomers:
    """Collects what is new, and writes it at the end.

    Parameters
    ----------
    c, now
        The transaction of the flush, and its instant.
    shelf
        Blocks in memory.
    horizon
        Among how many of a system's newest predictions an id is recognised.
    """

    def __init__(self, c: sa.Connection, shelf: Shelf, horizon: int, now: datetime) -> None:
        self._c = c
        self._shelf = shelf
        self._horizon = horizon
        self.now = now
        self.micros = to_micros(now)
        self._systems: defaultdict[str, _OfSystem] = defaultdict(_OfSystem)

    def sift(self, system: str, rows: Rows) -> tuple[Rows, Rows]:
        """Return the rows whose id was not seen, the first of each id among them, and the others.

        The others come by the hashes of their ids.
        """
        own = self._systems[system]
        order = ascending(rows.hashes)
        ordered = rows.hashes[order]
        again = np.zeros(len(ordered), dtype=np.bool_)
        again[1:] = ordered[1:] == ordered[:-1]
        blocks = index.blocks(self._c, system, Told.SEEN)
        own.looked.update(block.id for block in blocks)
        again |= index.known(self._c, self._shelf, index.within(blocks, self._horizon), ordered)
        for run in own.runs:
            at = np.minimum(run.searchsorted(ordered), len(run) - 1)
            again |= run[at] == ordered
        if not again.all():
            own.runs.append(ordered[~again])
        if not again.any():
            return rows, rows.take(order[:0])
        fresh = np.ones(len(ordered), dtype=np.bool_)
        fresh[order[again]] = False
        return rows.where(fresh), rows.take(order[again])

    def add(self, system: str, entries: Entries) -> None:
        """Add predictions that `sift` found to be new."""
        self._systems[system].seen.append(entries)

    def held(self, system: str, hashes: Hashes) -> tuple[NDArray[np.bool_], Entries | None]:
        """Return which predictions are stored or in this flush, and what is held of those, if any.

        Parameters
        ----------
        hashes
            Ascending. What `sift` called new is held once it was added.
        """
        asked, taken = Asked(hashes), np.zeros(len(hashes), dtype=np.bool_)
        parts = []
        for block in index.blocks(self._c, system, Told.SEEN):
            if taken.all():
                break
            here, at = self._shelf.run(self._c, block).find(asked)
            here, at = here[~taken[here]], at[~taken[here]]
            if here.size:
                taken[here] = True
                parts.append(Entries(hashes[here], self._shelf.content(self._c, block).take(at)))
        seen = self._systems[system].seen
        if seen and not taken.all():
            mine = index.together(seen)
            here, at = Sorted(mine.hashes).find(asked)
            here, at = here[~taken[here]], at[~taken[here]]
            taken[here] = True
            parts.append(Entries(hashes[here], mine.content.take(at)))
        return taken, index.together(parts) if parts else None

    def add_echoes(self, system: str, entries: Entries) -> None:
        """Add what labels told of their predictions."""
        self._systems[system].echoed.append(entries)

    def add_labels(self, system: str, added: Labels) -> None:
        """Add labels, which wait until they are joined."""
        self._systems[system].labels.append(added)

    def write(self) -> None:
        """Write everything, system by system in one order, so that writers never deadlock.

        Raises
        ------
        Conflict
            Another worker stored one of the same predictions since `sift` looked: repeat.
        """
        for system, own in sorted(self._systems.items()):
            for told, parts in ((Told.SEEN, own.seen), (Told.ECHOED, own.echoed)):
                if parts:
                    self._write(system, told, index.together(parts), own)
            if own.labels:
                together = labels.together(own.labels)
                labels.add(self._c, self._shelf, system, State.WAITING, together)

    def _write(self, system: str, told: Told, entries: Entries, own: _OfSystem) -> None:
        block = heads.take(self._c, predictions, system, len(entries.hashes))
        if told is Told.SEEN:
            self._refuse_rivals(system, entries.hashes, own.looked)
        index.add(self._c, self._shelf, block, told, entries, self.now)

    def _refuse_rivals(self, system: str, hashes: Hashes, looked: set[int]) -> None:
        """Look in what was committed since; nothing more is, now that we have a number."""
        since = [
            block for block in index.blocks(self._c, system, Told.SEEN) if block.id not in looked
        ]
        if since and index.known(self._c, self._shelf, since, hashes).any():
            raise Conflict(f"another worker stored predictions of {system} that are stored here")
