"""The heartbeats of one reader, so that long work between two polls does not look like death."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from threading import Event, Lock, Thread

from watchkeeper_shared.clock import Clock
from watchkeeper_shared.errors import LogUnavailable
from watchkeeper_shared.eventlog.embedded.file import connect, translated, writing
from watchkeeper_shared.eventlog.embedded.membership import Membership
from watchkeeper_shared.eventlog.port import TopicPartition

STALL = timedelta(minutes=2)


class Pulse:
    """Beats for a member until it is stopped or its owner stops polling.

    Parameters
    ----------
    path, membership
        Whose heart beats, and where.
    clock
        For `STALL`: an owner that did not poll for so long is stuck, and others take over.
    interval
        Between two beats.
    """

    def __init__(
        self, path: Path, membership: Membership, clock: Clock, interval: timedelta
    ) -> None:
        self._path = path
        self._membership = membership
        self._clock = clock
        self._interval = interval.total_seconds()
        self._polled = clock.monotonic()
        self._reports: dict[TopicPartition, int] = {}
        self._lock = Lock()
        self._stop = Event()
        self._failure: LogUnavailable | None = None
        self._beat()
        self._thread = Thread(target=self._run, name="eventlog-heartbeat", daemon=True)
        self._thread.start()

    def polled(self) -> None:
        """Note that the owner is at work.

        Raises
        ------
        LogUnavailable
            The last beat could not be written, so others will take us for dead.
        """
        self._polled = self._clock.monotonic()
        if self._failure is not None:
            raise self._failure

    def report(self, positions: Mapping[TopicPartition, int]) -> None:
        """Write these positions with the next beat."""
        with self._lock:
            self._reports.update(positions)

    def stop(self) -> None:
        """Leave the group."""
        self._stop.set()
        self._thread.join()
        with translated(self._path, "leave a group of"), closing(connect(self._path)) as connection:
            self._write_reports(connection)
            self._membership.leave(connection)

    def _run(self) -> None:
        while not self._stop.wait(self._interval):
            if self._clock.monotonic() - self._polled > STALL.total_seconds():
                continue
            try:
                self._beat()
                self._failure = None
            except LogUnavailable as failure:
                self._failure = failure

    def _beat(self) -> None:
        with translated(self._path, "join a group of"), closing(connect(self._path)) as connection:
            self._membership.beat(connection)
            self._write_reports(connection)

    def _write_reports(self, connection: sqlite3.Connection) -> None:
        with self._lock:
            reports, self._reports = self._reports, {}
        if not reports:
            return
        with writing(connection):
            connection.executemany(
                'insert into reports ("group", partition, next_offset)'
                " select ?, id, ? from partitions where topic = ? and number = ?"
                ' on conflict ("group", partition)'
                " do update set next_offset = excluded.next_offset",
                (
                    (self._membership.group, offset, at.topic, at.partition)
                    for at, offset in reports.items()
                ),
            )
