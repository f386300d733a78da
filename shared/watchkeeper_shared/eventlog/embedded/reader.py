"""The reading side of the embedded log: one member of one group."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from watchkeeper_shared.clock import Clock
from watchkeeper_shared.errors import LogUnavailable, NotFound, OffsetGone
from watchkeeper_shared.eventlog.embedded.bell import Bell
from watchkeeper_shared.eventlog.embedded.file import (
    MAX_OFFSET,
    connect,
    offset_of,
    place,
    translated,
)
from watchkeeper_shared.eventlog.embedded.membership import Membership
from watchkeeper_shared.eventlog.embedded.pulse import Pulse
from watchkeeper_shared.eventlog.instants import instant
from watchkeeper_shared.eventlog.port import Poll, Record, TopicPartition

# How long an append of another process may stay unseen; each look costs microseconds.
GLANCE_SECONDS = 0.05

FETCH_RECORDS = 500
FETCH_BYTES = 8 << 20


@dataclass(slots=True)
class Flow:
    """A partition that is ours: its id in the file, and where we are (None: not started)."""

    partition: int
    position: int | None = None


class EmbeddedReader:
    """A `LogReader` on an SQLite file.

    Parameters
    ----------
    path
        The file; it has its tables already.
    membership
        Which group and topics.
    clock
        For the deadline of a poll.
    bell
        Rung when this process appended something.
    expiry
        After how long without heartbeats others take our partitions.
    """

    def __init__(
        self, path: Path, membership: Membership, clock: Clock, bell: Bell, expiry: timedelta
    ) -> None:
        self._path = path
        self._clock = clock
        self._bell = bell
        self._membership = membership
        self._pulse = Pulse(path, membership, clock, expiry / 3)
        with translated(path, "read"):
            self._connection = connect(path)
        self._flows: dict[TopicPartition, Flow] = {}
        self._member = membership.id
        self._version = -1
        self._gone: list[OffsetGone] = []
        self.closed = False

    def poll(self, timeout: timedelta) -> Poll:
        """Look, and look again when the bell rings or another process wrote."""
        started = self._clock.monotonic()
        slept = 0.0
        while True:
            rings = self._bell.rings
            found = self._look()
            passed = max(slept, self._clock.monotonic() - started)
            left = timeout.total_seconds() - passed
            if found.records or found.assigned or found.lost or left <= 0:
                return found
            pause = min(left, GLANCE_SECONDS)
            if not self._bell.wait(rings, pause):
                slept += pause

    def start(self, at: TopicPartition, offset: int) -> None:
        """Move our position; the next poll reads from there."""
        flow = self._flows.get(at)
        if flow is None:
            raise NotFound(f"{at} is not assigned to this reader: start what a poll has assigned")
        beginning, end = self._bounds(at)
        if not beginning <= offset <= end:
            flow.position = None
            raise OffsetGone(at.topic, at.partition, offset, beginning=beginning, end=end)
        flow.position = offset
        self._version = -1

    def halt(self, at: TopicPartition) -> None:
        """Forget our position."""
        flow = self._flows.get(at)
        if flow is not None:
            flow.position = None

    def beginning(self, at: TopicPartition) -> int:
        """Return the oldest offset in the file."""
        return self._bounds(at)[0]

    def end(self, at: TopicPartition) -> int:
        """Return the offset of the next append."""
        return self._bounds(at)[1]

    def topic_id(self, topic: str) -> str:
        """Return the id that was drawn when the topic was made."""
        row = self._one("select id from topics where name = ?", (topic,))
        if row is None:
            raise LogUnavailable(f"no topic {topic} in {self._path}: create the topics first")
        return str(row[0])

    def report(self, positions: Mapping[TopicPartition, int]) -> None:
        """Write the positions down with the next heartbeat."""
        self._pulse.report(positions)

    def close(self) -> None:
        """Leave the group and close the file."""
        if self.closed:
            return
        self.closed = True
        self._connection.close()
        # If we cannot say goodbye, the others find out when our heartbeats stay away.
        with suppress(LogUnavailable):
            self._pulse.stop()

    def _one(self, query: str, values: Sequence[object]) -> Sequence[object] | None:
        with translated(self._path, "read"):
            row: Sequence[object] | None = self._connection.execute(query, values).fetchone()
        return row

    def _bounds(self, at: TopicPartition) -> tuple[int, int]:
        row = self._one(
            "select first_offset, next_offset from partitions where topic = ? and number = ?",
            (at.topic, at.partition),
        )
        if row is None:
            raise LogUnavailable(f"no {at} in {self._path}: create the topics first")
        first, end = row
        return int(str(first)), int(str(end))

    def _look(self) -> Poll:
        """Look once; cheap when nobody wrote since the last look that found nothing."""
        self._pulse.polled()
        if self._gone:
            raise self._gone.pop()
        with translated(self._path, "read"):
            (version,) = self._connection.execute("pragma data_version").fetchone()
            expired = self._member != self._membership.id
            if version == self._version and not expired:
                return Poll()
            lost, assigned = self._reassign()
            records = self._fetch()
        # A full fetch has more behind it, so only an empty look may let the next ones rest.
        self._version = -1 if records else version
        return Poll(tuple(records), frozenset(assigned), frozenset(lost))

    def _reassign(self) -> tuple[set[TopicPartition], set[TopicPartition]]:
        ours = self._membership.assignment(self._connection)
        if self._member != self._membership.id:
            # Others took us for dead and may have read meanwhile: nothing is ours any more.
            lost = set(self._flows)
            self._member = self._membership.id
        else:
            lost = {at for at, flow in self._flows.items() if ours.get(at) != flow.partition}
        for at in lost:
            del self._flows[at]
        assigned = {at for at in ours if at not in self._flows}
        for at in assigned:
            self._flows[at] = Flow(ours[at])
        return lost, assigned

    def _fetch(self) -> list[Record]:
        records: list[Record] = []
        room = FETCH_BYTES
        for at, flow in list(self._flows.items()):
            if flow.position is None or room <= 0 or len(records) >= FETCH_RECORDS:
                continue
            fetched = self._read(at, flow, FETCH_RECORDS - len(records), room)
            if not fetched:
                continue
            flow.position = fetched[-1].offset + 1
            room -= sum(len(record.value) for record in fetched)
            records += fetched
            # Whoever was read goes to the end of the queue, so a busy partition starves none.
            self._flows[at] = self._flows.pop(at)
        return records

    def _read(self, at: TopicPartition, flow: Flow, count: int, room: int) -> list[Record]:
        position = flow.position or 0
        rows = self._connection.execute(
            "select place, written_us, size, key, headers, value from records"
            " where place between ? and ? order by place limit ?",
            (place(flow.partition, position), place(flow.partition, MAX_OFFSET), count),
        )
        records: list[Record] = []
        for row, written, size, key, headers, value in rows:
            records.append(
                Record(at, offset_of(row), key, value, json.loads(headers), instant(written))
            )
            room -= size
            if room <= 0:
                break
        rows.close()
        if records and records[0].offset == position:
            return records
        # Either we are at the end, or retention was quicker.
        if position < self._bounds(at)[0]:
            self._overtaken(at, flow)
        return []

    def _overtaken(self, at: TopicPartition, flow: Flow) -> None:
        """Stop a partition whose next record was removed; the next look says so.

        This look still has to deliver what it found out about the others.
        """
        position, flow.position = flow.position or 0, None
        beginning, end = self._bounds(at)
        self._gone.append(
            OffsetGone(at.topic, at.partition, position, beginning=beginning, end=end)
        )
