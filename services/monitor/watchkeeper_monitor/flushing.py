"""One flush: positions and everything made of the records up to them, in one transaction.

positions ─► which ids are new? ─► per pane: profile, sample, index
          ─► labels ─► progress, tallies, dead letters
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from watchkeeper_monitor import columns, samples
from watchkeeper_monitor.baselines import Baselines
from watchkeeper_monitor.identity import hash_ids
from watchkeeper_monitor.pending import Pending
from watchkeeper_monitor.profiles import Profile
from watchkeeper_monitor.segments import slices_of
from watchkeeper_monitor.store import counting, index, labels, panes
from watchkeeper_monitor.store.panes import PaneKey
from watchkeeper_monitor.windows import MICROSECOND, pane_at, pane_length, panes_of
from watchkeeper_shared.db import outbox, positions
from watchkeeper_shared.db.positions import Claim
from watchkeeper_shared.db.registry import Registry
from watchkeeper_shared.eventlog.port import TopicPartition
from watchkeeper_shared.events.batches import as_classes, concatenate
from watchkeeper_shared.events.letters import letter
from watchkeeper_shared.events.rows import Kind

OWNER = "monitor"


@dataclass(slots=True)
class Flushed:
    """What one flush did.

    Parameters
    ----------
    claims
        The claims with their new positions.
    rows
        New predictions and labels, by kind.
    tallies
        Counts by system and name; among them `duplicates`, and `late`: predictions behind the
        watermark by more than their lateness, which are counted in their window all the same.
    watermarks
        The newest event time of each partition's predictions.
    touched
        The panes that changed.
    """

    claims: list[Claim] = field(default_factory=list)
    rows: Counter[str] = field(default_factory=Counter)
    tallies: Counter[tuple[str, str]] = field(default_factory=Counter)
    watermarks: dict[TopicPartition, datetime] = field(default_factory=dict)
    touched: set[PaneKey] = field(default_factory=set)

    def add(self, system: str, name: str, count: int) -> None:
        """Add to a named count."""
        if count:
            self.tallies[system, name] += count

    def total(self, name: str) -> int:
        """Return a named count over all systems."""
        return sum(count for (_, which), count in self.tallies.items() if which == name)


@dataclass(frozen=True, slots=True)
class Rows:
    """New predictions of one system, from one partition."""

    batch: pa.RecordBatch
    hashes: np.ndarray
    times: np.ndarray  # int64 microseconds since 1970


class Flusher:
    """Writes what is pending.

    Parameters
    ----------
    registry, baselines
        What is applied, and the grids it is counted on.
    sample_rows
        How many rows stand for a pane.
    """

    def __init__(self, registry: Registry, baselines: Baselines, sample_rows: int) -> None:
        self._registry = registry
        self._baselines = baselines
        self._sample_rows = sample_rows

    def flush(self, c: sa.Connection, ready: Sequence[Pending], now: datetime) -> Flushed:
        """Write everything, in the caller's transaction.

        Raises
        ------
        Fenced
            One of the partitions has another owner; nothing of this may be committed.
        Conflict
            Another worker just stored one of the same predictions: roll back and repeat.
        """
        done = Flushed()
        for pending in sorted(ready, key=lambda one: one.claim.at):
            done.claims.append(positions.advance(c, pending.claim, pending.next_offset, now))
            done.tallies.update(pending.tallies)
            for (system, kind), batches in sorted(pending.batches.items()):
                batch = concatenate(batches)
                if kind is Kind.LABELS:
                    self._labels(c, system, pending.claim.at, batch, now)
                    done.rows[kind.value] += batch.num_rows
                else:
                    self._predictions(c, system, pending.claim.at, batch, now, done)
            _bury(c, pending, now)
        # What workers share is written once and in one order, so that they never deadlock.
        panes.touch(c, done.touched)
        counting.count(c, done.tallies)
        return done

    def _labels(
        self,
        c: sa.Connection,
        system: str,
        at: TopicPartition,
        batch: pa.RecordBatch,
        now: datetime,
    ) -> None:
        order = pc.sort_indices(batch.column("time"))  # stable: the later arrival wins a tie
        batch = batch.take(order)
        hashes = hash_ids(batch.column("id"))
        _, from_end = np.unique(hashes[::-1], return_index=True)
        newest = batch.take(pa.array(len(hashes) - 1 - from_end))
        labels.add(
            c,
            system,
            hash_ids(newest.column("id")).tolist(),
            as_classes(newest.column("label")).to_pylist(),
            newest.column("time").cast(pa.int64()).to_pylist(),
            now,
        )
        counting.move(c, system, at, pc.max(batch.column("time")).as_py(), now, batch.num_rows)

    def _predictions(
        self,
        c: sa.Connection,
        system: str,
        at: TopicPartition,
        batch: pa.RecordBatch,
        now: datetime,
        done: Flushed,
    ) -> None:
        rows = _new(c, system, batch)
        newest = pc.max(batch.column("time")).as_py()
        before = counting.move(c, system, at, newest, now, rows.batch.num_rows)
        done.watermarks[at] = newest
        done.rows[Kind.PREDICTIONS.value] += rows.batch.num_rows
        done.add(system, "duplicates", batch.num_rows - rows.batch.num_rows)
        done.add(system, "late", self._late(system, rows, before))
        for key, part in self._by_pane(system, rows):
            self._store(c, key, part, f"predictions/{at.partition}")
            done.touched.add(key)

    def _late(self, system: str, rows: Rows, before: datetime | None) -> int:
        specs = [one.spec.window for one in self._registry.policies_for(system)]
        if before is None:
            return 0
        lateness = max((spec.lateness_delta for spec in specs), default=0 * MICROSECOND)
        limit = np.datetime64((before - lateness).replace(tzinfo=None), "us").astype(np.int64)
        return int(np.count_nonzero(rows.times < limit))

    def _by_pane(self, system: str, rows: Rows) -> list[tuple[PaneKey, Rows]]:
        spec = self._registry.systems()[system]
        policies = self._registry.policies_for(system)
        length = pane_length(one.spec.window for one in policies)
        starts = panes_of(rows.times, length)
        versions = rows.batch.column("version").dictionary_encode()
        codes = versions.indices.to_numpy(zero_copy_only=False)
        found = []
        for code, version in enumerate(versions.dictionary.to_pylist()):
            baseline = self._baselines.current(system, spec, version)
            mine = codes == code
            for start in np.unique(starts[mine]).tolist():
                key = PaneKey(system, version, baseline.key, pane_at(start, length))
                mask = np.flatnonzero(mine & (starts == start))
                # In order of the key: the index fills neighbouring pages, and the sample's
                # rows come first.
                found.append((key, _take(rows, mask[np.argsort(rows.hashes[mask])])))
        return found

    def _store(self, c: sa.Connection, key: PaneKey, rows: Rows, source: str) -> None:
        spec = self._registry.systems()[key.system]
        baseline = self._baselines.current(key.system, spec, key.version)
        encoded = columns.encode(rows.batch, baseline.grid)
        policies = self._registry.policies_for(key.system)
        slices = slices_of(rule for one in policies for rule in one.spec.rules)
        delta = Profile.empty(baseline.grid, slices)
        delta.add_predictions(encoded)
        panes.merge_profile(c, key, source, delta, baseline.grid, encoded.n)
        first = rows.batch.slice(0, self._sample_rows)
        sample = samples.keyed(first, rows.hashes[: self._sample_rows])
        panes.merge_sample(c, key, source, sample, self._sample_rows)
        predicted = as_classes(rows.batch.column("prediction")).to_pylist()
        index.insert(c, key, rows.hashes, predicted, encoded.score, encoded.groups)


def _new(c: sa.Connection, system: str, batch: pa.RecordBatch) -> Rows:
    """Return the rows whose id was never seen, the first of each id in the batch."""
    hashes = hash_ids(batch.column("id"))
    distinct, first = np.unique(hashes, return_index=True)
    is_new = ~np.isin(distinct, index.known(c, system, distinct))
    times = batch.column("time").cast(pa.int64()).to_numpy()
    whole = Rows(batch, hashes, times)
    return (
        whole
        if is_new.all() and len(first) == len(hashes)
        else _take(whole, np.sort(first[is_new]))
    )


def _take(rows: Rows, at: np.ndarray) -> Rows:
    return Rows(rows.batch.take(pa.array(at)), rows.hashes[at], rows.times[at])


def _bury(c: sa.Connection, pending: Pending, now: datetime) -> None:
    consumer = pending.claim.consumer
    counting.bury(c, consumer, pending.dead, now)
    for dead in pending.dead:
        event_id, message = letter(dead.record, consumer, dead.code, dead.detail)
        outbox.enqueue(c, OWNER, message, event_id, now)
