"""One flush: positions and everything made of the records up to them, in one transaction.

positions ─► which ids are new? ─► per pane: profile, sample ─┐
          ─► progress, dead letters                           ├─► index ─► labels ─► tallies
             labels ──────────────────────────────────────────┘
                                         (from here on no other writes to the system)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from watchkeeper_monitor.flush.contradictions import contradicting, tell
from watchkeeper_monitor.flush.newcomers import Newcomers, Rows, echoes
from watchkeeper_monitor.grids import Grid, columns
from watchkeeper_monitor.grids.axes import Floats
from watchkeeper_monitor.profiles import Profile
from watchkeeper_monitor.profiles.segments import slices_of
from watchkeeper_monitor.records.pending import Pending
from watchkeeper_monitor.references.baselines import Baselines
from watchkeeper_monitor.sampling.identity import hash_ids
from watchkeeper_monitor.store import labels, letters, panes, progress, repeats, tallies
from watchkeeper_monitor.store.index import Entries
from watchkeeper_monitor.store.panes import PaneKey
from watchkeeper_monitor.store.shelf import Shelf
from watchkeeper_monitor.windows.spans import MICROSECOND, pane_at, pane_length, panes_of
from watchkeeper_shared.db import outbox, positions
from watchkeeper_shared.db.positions import Claim
from watchkeeper_shared.db.registry import Registry
from watchkeeper_shared.eventlog.port import TopicPartition
from watchkeeper_shared.events.batches import concatenate, distinct
from watchkeeper_shared.events.letters import letter
from watchkeeper_shared.events.rejects import RejectCode
from watchkeeper_shared.events.rows import Kind

OWNER = "monitor"
REUSED = f"rejected_{RejectCode.CONFLICTING_ID}"
"""The tally of predictions under an id that stands for another one."""


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
        Counts by system and name; among them `duplicates`: copies of what was stored before;
        `rejected_conflicting_id`: other predictions under an id that was stored before; and
        `late`: predictions behind the watermark by more than their lateness, which are counted
        in their window all the same.
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

    @property
    def refused(self) -> Counter[str]:
        """Rows that were refused, by code."""
        return Counter({RejectCode.CONFLICTING_ID.value: self.total(REUSED)})

    def add(self, system: str, name: str, count: int) -> None:
        """Add to a named count."""
        if count:
            self.tallies[system, name] += count

    def total(self, name: str) -> int:
        """Return a named count over all systems."""
        return sum(count for (_, which), count in self.tallies.items() if which == name)


class Flusher:
    """Writes what is pending.

    Parameters
    ----------
    registry, baselines
        What is applied, and the grids it is counted on.
    shelf
        Blocks of the prediction index in memory.
    sample_rows
        How many rows stand for a pane.
    duplicate_rows
        Among how many of a system's newest predictions an id that comes again is recognised.
    progressed
        Told of each pane: a year's rows, each in a minute of its own, are many minutes of work.
    """

    def __init__(
        self,
        registry: Registry,
        baselines: Baselines,
        shelf: Shelf,
        sample_rows: int,
        duplicate_rows: int,
        progressed: Callable[[], None],
    ) -> None:
        self._registry = registry
        self._baselines = baselines
        self._shelf = shelf
        self._sample_rows = sample_rows
        self._duplicate_rows = duplicate_rows
        self._progressed = progressed

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
        news = Newcomers(c, self._shelf, self._duplicate_rows, now)
        for pending in sorted(ready, key=lambda one: one.claim.at):
            done.claims.append(positions.advance(c, pending.claim, pending.next_offset, now))
            done.tallies.update(pending.tallies)
            for (system, kind), batches in sorted(pending.batches.items()):
                batch = concatenate(batches)
                if kind is Kind.LABELS:
                    self._labels(c, system, pending.claim.at, batch, news)
                    done.rows[kind.value] += batch.num_rows
                else:
                    self._predictions(c, system, pending.claim.at, batch, news, done)
            _bury(c, pending, now)
            if pending.repeats is not None and pending.repeats.fresh:
                known = pending.repeats.kept(whole=pending.is_whole)
                repeats.save(c, pending.claim.consumer, pending.claim.at, known)
        # What workers share is written once and in one order, so that they never deadlock.
        news.write()
        panes.touch(c, done.touched)
        tallies.count(c, done.tallies)
        buried = {dead.system for pending in ready for dead in pending.dead}
        for system in sorted(buried):
            tallies.put(c, system, "dead_letter_at", int(now.timestamp()))
        return done

    def _labels(
        self,
        c: sa.Connection,
        system: str,
        at: TopicPartition,
        batch: pa.RecordBatch,
        news: Newcomers,
    ) -> None:
        news.add_labels(system, labels.read(batch, hash_ids(batch.column("id")), news.micros))
        told = echoes(batch, self._registry.versions(system))
        if told.num_rows:
            for key, part in self._by_pane(system, Rows.of(told)):
                grid = self._grid(key)
                encoded = columns.encode(part.batch, grid)
                scores = _class_scores(part, grid)
                news.add_echoes(system, Entries.of(key, part.hashes, encoded, scores))
        progress.move(c, system, at, pc.max(batch.column("time")).as_py(), news.now, batch.num_rows)

    def _predictions(
        self,
        c: sa.Connection,
        system: str,
        at: TopicPartition,
        batch: pa.RecordBatch,
        news: Newcomers,
        done: Flushed,
    ) -> None:
        rows, again = news.sift(system, Rows.of(batch))
        newest = pc.max(batch.column("time")).as_py()
        before = progress.move(c, system, at, newest, news.now, len(rows.hashes))
        done.watermarks[at] = newest
        done.rows[Kind.PREDICTIONS.value] += len(rows.hashes)
        done.add(system, "late", self._late(system, rows, before))
        for key, part in self._by_pane(system, rows):
            self._store(c, key, part, f"predictions/{at.partition}", news)
            done.touched.add(key)
            self._progressed()
        if len(again.hashes):
            others = self._others(system, again, news)
            done.add(system, "duplicates", len(again.hashes) - others)
            done.add(system, REUSED, others)

    def _others(self, system: str, again: Rows, news: Newcomers) -> int:
        """Return how many rows are no copies of what came under their id, and tell of them."""
        known, held = news.held(system, again.hashes)
        if held is None:
            return 0  # forgotten since `sift` looked
        again, spec = again.where(known), self._registry.systems()[system]

        def grid_of(version: str, key: str) -> Grid | None:
            under = self._baselines.under(key, system, spec, version)
            return None if under is None else under.grid

        others = again.where(contradicting(again, held, grid_of))
        if len(others.hashes):
            tell(system, others)
        return len(others.hashes)

    def _late(self, system: str, rows: Rows, before: datetime | None) -> int:
        specs = [one.spec.window for one in self._registry.policies_for(system)]
        if before is None:
            return 0
        lateness = max((spec.lateness_delta for spec in specs), default=0 * MICROSECOND)
        limit = np.datetime64((before - lateness).replace(tzinfo=None), "us").astype(np.int64)
        return int(np.count_nonzero(rows.times < limit))

    def _by_pane(self, system: str, rows: Rows) -> Iterator[tuple[PaneKey, Rows]]:
        length = pane_length(one.spec.window for one in self._registry.policies_for(system))
        spec = self._registry.systems()[system]
        for version, own in _by_version(rows):
            baseline = self._baselines.current(system, spec, version)
            for start, part in own.parted(panes_of(own.times, length)):
                yield PaneKey(system, version, baseline.key, pane_at(start, length)), part

    def _grid(self, key: PaneKey) -> Grid:
        spec = self._registry.systems()[key.system]
        return self._baselines.current(key.system, spec, key.version).grid

    def _store(
        self, c: sa.Connection, key: PaneKey, rows: Rows, source: str, news: Newcomers
    ) -> None:
        grid = self._grid(key)
        encoded = columns.encode(rows.batch, grid)
        policies = self._registry.policies_for(key.system)
        slices = slices_of(rule for one in policies for rule in one.spec.rules)
        delta = Profile.empty(grid, slices)
        delta.add_predictions(encoded)
        panes.merge_profile(c, key, source, delta, grid, encoded.n)
        panes.merge_sample(c, key, source, rows.batch, rows.hashes, self._sample_rows)
        news.add(key.system, Entries.of(key, rows.hashes, encoded, _class_scores(rows, grid)))


def _by_version(rows: Rows) -> Iterator[tuple[str, Rows]]:
    """Yield each version and its rows, in the order in which they come."""
    column = rows.batch.column("version")
    versions = distinct(column)
    for version in versions:
        is_all = len(versions) == 1
        yield version, rows if is_all else rows.where(np.asarray(pc.equal(column, version)))


def _class_scores(rows: Rows, grid: Grid) -> Floats | None:
    """Return what a label must know of a prediction among several classes."""
    if grid.regression or grid.positive >= 0:
        return None
    return columns.class_scores_of(rows.batch, grid)


def _bury(c: sa.Connection, pending: Pending, now: datetime) -> None:
    consumer = pending.claim.consumer
    letters.bury(c, consumer, pending.dead, now)
    for dead in pending.dead:
        event_id, message = letter(dead.record, consumer, dead.code, dead.detail, dead.system)
        outbox.enqueue(c, OWNER, message, event_id, now)
