"""The embedded log: where its writers and readers come from, and what keeps it in bounds."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

from watchkeeper_shared.clock import Clock
from watchkeeper_shared.errors import LogUnavailable
from watchkeeper_shared.eventlog.embedded import retention
from watchkeeper_shared.eventlog.embedded.bell import Bell
from watchkeeper_shared.eventlog.embedded.file import (
    connect,
    place,
    prepare,
    rehearse,
    translated,
    writing,
)
from watchkeeper_shared.eventlog.embedded.membership import Membership
from watchkeeper_shared.eventlog.embedded.reader import EmbeddedReader
from watchkeeper_shared.eventlog.embedded.writer import EmbeddedWriter


class EmbeddedLog:
    """An `EventLog` in one SQLite file, shared by the processes of one machine.

    Parameters
    ----------
    path
        The file, on a local disk (not on a network share: its readers share memory).
    clock
        For deadlines, record times, heartbeats and retention.
    patience
        How long a message may take to become durable.
    budget
        How many bytes may wait in one writer.
    expiry
        How long a reader may miss its heartbeats before others take its partitions.
    """

    def __init__(
        self,
        path: Path,
        clock: Clock,
        *,
        patience: timedelta = timedelta(seconds=30),
        budget: int = 256 << 20,
        expiry: timedelta = timedelta(seconds=6),
    ) -> None:
        self._path = path
        self._clock = clock
        self._patience = patience
        self._budget = budget
        self._expiry = expiry
        self._bell = Bell()
        self._opened: list[EmbeddedWriter | EmbeddedReader] = []
        prepare(path)

    def writer(self, topics: Sequence[str] = ()) -> EmbeddedWriter:
        """Open a writer; there is nothing to ask for."""
        del topics
        writer = EmbeddedWriter(
            self._path, self._clock, self._bell, patience=self._patience, budget=self._budget
        )
        self._remember(writer)
        return writer

    def reader(self, group: str, topics: Sequence[str]) -> EmbeddedReader:
        """Join `group` and read `topics`."""
        membership = Membership(group, topics, self._clock, self._expiry)
        reader = EmbeddedReader(self._path, membership, self._clock, self._bell, self._expiry)
        self._remember(reader)
        self._bell.ring()
        return reader

    def create_topics(self, partitions: Mapping[str, int], compacted: Collection[str] = ()) -> None:
        """Create the topics that are missing; leave the others as they are.

        Nothing is compacted here: of a topic in `compacted` everything stays, if nobody calls
        `retain` for it.
        """
        del compacted
        with self._transaction("create topics in") as connection:
            for topic, count in partitions.items():
                made = connection.execute(
                    "insert into topics values (?, ?, ?) on conflict do nothing",
                    (topic, secrets.token_hex(16), count),
                )
                connection.executemany(
                    "insert into partitions (topic, number) values (?, ?)",
                    ((topic, number) for number in range(count if made.rowcount else 0)),
                )
        self._bell.ring()

    def delete_topic(self, topic: str) -> None:
        """Remove a topic with its records; made again, it has another id."""
        with self._transaction("delete a topic of") as connection:
            for (partition,) in connection.execute(
                "select id from partitions where topic = ?", (topic,)
            ).fetchall():
                connection.execute(
                    "delete from records where place >= ? and place < ?",
                    (place(partition, 0), place(partition + 1, 0)),
                )
            connection.execute("delete from topics where name = ?", (topic,))
        self._bell.ring()

    @contextmanager
    def _transaction(self, what: str) -> Iterator[sqlite3.Connection]:
        with (
            translated(self._path, what),
            closing(connect(self._path)) as connection,
            writing(connection),
        ):
            yield connection

    def retain(self, topic: str, *, age: timedelta | None = None, size: int | None = None) -> int:
        """Forget the oldest records of a topic.

        Parameters
        ----------
        topic
            Whose records; a topic of which the newest record per key must stay is no topic
            for this.
        age
            Records older than this go.
        size
            Bytes that each partition may keep; the oldest records above that go.

        Returns
        -------
        int
            How many records went. A reader that had not read them gets `OffsetGone`.
        """
        with translated(self._path, "shorten"), closing(connect(self._path)) as connection:
            return retention.retain(connection, topic, self._clock, age, size)

    def reported(self, group: str) -> Mapping[tuple[str, int], int]:
        """Return what the readers of a group reported: topic and partition to next offset."""
        with translated(self._path, "read"), closing(connect(self._path)) as connection:
            rows = connection.execute(
                "select topic, number, reports.next_offset from reports"
                ' join partitions on partitions.id = reports.partition where "group" = ?',
                (group,),
            )
            return {(topic, number): offset for topic, number, offset in rows}

    def _remember(self, one: EmbeddedWriter | EmbeddedReader) -> None:
        """Close it with the log; what its caller closed is forgotten."""
        self._opened = [other for other in self._opened if not other.closed] + [one]

    def ping(self) -> None:
        """Read one row and, after a write that failed, write as much.

        A full disk can be read. Who is not ready gets no records to write, and would never learn
        that there is room again.
        """
        if not self._path.exists():
            raise LogUnavailable(f"the event log {self._path} is gone: restore it or restart")
        with translated(self._path, "read"), closing(connect(self._path)) as connection:
            connection.execute("select count(*) from topics").fetchone()
        for writer in self._opened:
            if isinstance(writer, EmbeddedWriter) and writer.unwritten and not writer.closed:
                self._rehearse(writer)

    def _rehearse(self, writer: EmbeddedWriter) -> None:
        with translated(self._path, "write to"), closing(connect(self._path)) as connection:
            rehearse(connection, writer.unwritten)
        writer.unwritten = 0

    def close(self) -> None:
        """Close what was opened here, writers first."""
        opened, self._opened = self._opened, []
        for one in sorted(opened, key=lambda one: isinstance(one, EmbeddedReader)):
            one.close()
