"""The appending side of the embedded log: one thread, one disk sync for many messages."""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from datetime import timedelta
from pathlib import Path
from queue import SimpleQueue
from threading import Thread

from watchkeeper_shared.clock import Clock
from watchkeeper_shared.errors import LogUnavailable
from watchkeeper_shared.eventlog.embedded.bell import Bell
from watchkeeper_shared.eventlog.embedded.file import connect, place, translated, writing
from watchkeeper_shared.eventlog.instants import microseconds
from watchkeeper_shared.eventlog.port import Message, Position, TopicPartition
from watchkeeper_shared.eventlog.promises import Promise, Promises

# One transaction takes at most so much, so that its size in memory and the time that other
# processes wait for the write lock stay bounded.
BATCH_MESSAGES = 2000
BATCH_BYTES = 8 << 20

Entry = tuple[Message, Promise]


def partition_of(key: str, partitions: int) -> int:
    """Return the partition of a key: the same in every process and every release.

    Examples
    --------
    >>> partition_of("employment-ma", 4), partition_of("", 4)
    (2, 0)
    """
    return zlib.crc32(key.encode()) % partitions


class EmbeddedWriter:
    """A `LogWriter` on an SQLite file.

    Parameters
    ----------
    path
        The file; it has its tables already.
    clock
        For deadlines and for the time of each record.
    bell
        Rung after each commit.
    patience, budget
        How long a message may take, and how many bytes may wait.

    Attributes
    ----------
    unwritten
        How many bytes could not be written the last time; 0 while writing works.
    """

    def __init__(
        self, path: Path, clock: Clock, bell: Bell, *, patience: timedelta, budget: int
    ) -> None:
        self._path = path
        self._clock = clock
        self._bell = bell
        self._queue: SimpleQueue[Entry | None] = SimpleQueue()
        self._promises = Promises(clock, patience, budget, on_expiry=lambda: None)
        self._connection: sqlite3.Connection | None = None
        self.closed = False
        self.unwritten = 0
        self._thread = Thread(target=self._run, name="eventlog-writer", daemon=True)
        self._thread.start()

    def append(self, message: Message) -> Future[Position]:
        """Queue one message; the writing thread takes it with its neighbours."""
        promise = self._promises.make(len(message.value) + len(message.key.encode()))
        if not promise.settled:
            self._queue.put((message, promise))
        return promise.future

    def close(self) -> None:
        """Write what is queued and stop."""
        if self.closed:
            return
        self.closed = True
        self._promises.close()
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        batch = self._take()
        while batch:
            try:
                self._write(batch)
            except LogUnavailable as error:
                self._reset()
                self.unwritten = sum(promise.size for _, promise in batch)
                for _, promise in batch:
                    self._promises.fail(promise, error)
            batch = self._take()
        self._reset()

    def _take(self) -> list[Entry]:
        """Wait for a message, then take what else is there; empty at the end."""
        batch: list[Entry] = []
        size = 0
        while not batch or (
            not self._queue.empty() and len(batch) < BATCH_MESSAGES and size < BATCH_BYTES
        ):
            entry = self._queue.get()
            if entry is None:
                return batch
            # What waited past its deadline was reported as failed; writing it now would help
            # nobody.
            if not entry[1].settled:
                batch.append(entry)
                size += entry[1].size
        return batch

    def _reset(self) -> None:
        """Let go of the connection: after a failed write nothing of it is trusted."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _write(self, batch: Sequence[Entry]) -> None:
        with translated(self._path, "append to"):
            if self._connection is None:
                self._connection = connect(self._path)
            with writing(self._connection) as connection:
                placed = self._insert(connection, batch)
        self.unwritten = 0
        self._bell.ring()
        for promise, position in placed:
            self._promises.keep(promise, position)

    def _insert(
        self, connection: sqlite3.Connection, batch: Sequence[Entry]
    ) -> list[tuple[Promise, Position]]:
        placed = []
        written = microseconds(self._clock.now())
        for at, entries in self._by_partition(connection, batch).items():
            partition, first = _reserve(connection, at, [promise for _, promise in entries])
            connection.executemany(
                "insert into records values (?, ?, ?, ?, ?, ?)",
                (
                    (place(partition, first + i), written, promise.size, *_columns(message))
                    for i, (message, promise) in enumerate(entries)
                ),
            )
            placed += [(promise, Position(at, first + i)) for i, (_, promise) in enumerate(entries)]
        return placed

    def _by_partition(
        self, connection: sqlite3.Connection, batch: Sequence[Entry]
    ) -> Mapping[TopicPartition, list[Entry]]:
        """Group a batch; fail what goes to a topic that does not exist."""
        counts = dict(connection.execute("select name, partitions from topics"))
        grouped = defaultdict(list)
        for message, promise in batch:
            partitions = counts.get(message.topic)
            if partitions is None:
                self._promises.fail(promise, _no_topic(message.topic, self._path))
                continue
            at = TopicPartition(message.topic, partition_of(message.key, partitions))
            grouped[at].append((message, promise))
        return grouped


def _columns(message: Message) -> tuple[str, str, bytes]:
    return message.key, json.dumps(dict(message.headers)), message.value


def _no_topic(topic: str, path: Path) -> LogUnavailable:
    return LogUnavailable(f"no topic {topic} in the event log {path}: create the topics first")


def _reserve(
    connection: sqlite3.Connection, at: TopicPartition, promises: Sequence[Promise]
) -> tuple[int, int]:
    """Advance the partition; return its id and the first offset that is ours."""
    count = len(promises)
    size = sum(promise.size for promise in promises)
    ((partition, end),) = connection.execute(
        "update partitions set next_offset = next_offset + ?, bytes = bytes + ?"
        " where topic = ? and number = ? returning id, next_offset",
        (count, size, at.topic, at.partition),
    ).fetchall()
    return partition, end - count
