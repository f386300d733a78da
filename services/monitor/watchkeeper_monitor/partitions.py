"""The partitions that are ours now: claimed in the database, read, and pending.

assigned ─► claim (epoch + 1, stored offset) ─► start ─► records ─► pending ─► (flush)
lost or fenced ─► drop what is pending: the next owner reads it again
database away  ─► drop what is pending and claim again: whether the last flush happened,
                  the stored offset says
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from datetime import timedelta

from watchkeeper_monitor.meters import Meters
from watchkeeper_monitor.pending import DeadLetter, Pending, Reading
from watchkeeper_monitor.store import counting
from watchkeeper_shared.clock import Clock
from watchkeeper_shared.db import positions
from watchkeeper_shared.db.positions import Claim
from watchkeeper_shared.db.unit_of_work import Database
from watchkeeper_shared.errors import Conflict, NotFound, OffsetGone
from watchkeeper_shared.eventlog.port import LogReader, Poll, Record, TopicPartition

logger = logging.getLogger(__name__)

CONSUMER = "monitor"
"""The consumer group, and the name under which positions are stored."""


class Partitions:
    """What this worker reads. One thread.

    Parameters
    ----------
    reader
        A member of the group.
    database, clock, owner
        Where positions are, and who claims them.
    """

    def __init__(
        self, reader: LogReader, database: Database, clock: Clock, owner: str, meters: Meters
    ) -> None:
        self._reader = reader
        self._database = database
        self._clock = clock
        self._owner = owner
        self._meters = meters
        self._waiting: set[TopicPartition] = set()
        self._pending: dict[TopicPartition, Pending] = {}

    @property
    def ready(self) -> list[Pending]:
        """What there is to flush."""
        return [one for one in self._pending.values() if not one.is_empty]

    @property
    def rows(self) -> int:
        """How many rows are pending."""
        return sum(one.rows for one in self._pending.values())

    @property
    def size(self) -> int:
        """How many bytes of records are pending."""
        return sum(one.size for one in self._pending.values())

    def poll(self, timeout: timedelta) -> Poll:
        """Poll, and note what came and went; `records` are for `take`."""
        try:
            polled = self._reader.poll(timeout)
        except OffsetGone as error:
            logger.warning("offset_gone", extra={"reason": str(error)})
            self._waiting.add(TopicPartition(error.topic, error.partition))
            return Poll()
        for at in polled.lost:
            self._forget(at)
            self._waiting.discard(at)
            self._meters.rebalances.labels("lost").inc()
        for at in polled.assigned:
            self._waiting.add(at)
            self._meters.rebalances.labels("assigned").inc()
        return polled

    def claim(self) -> None:
        """Claim what was assigned and start it where its state ends.

        Raises
        ------
        StoreUnavailable
            The database is away: call again later.
        """
        for at in sorted(self._waiting):
            pending = self._pending.get(at)
            if pending is not None and not pending.is_empty:
                continue  # the log forgot what comes next; what was read is flushed first
            if self._start(self._claimed(at)):
                self._waiting.discard(at)
        self._meters.partitions.set(len(self._pending))

    def _claimed(self, at: TopicPartition) -> Claim:
        topic_id, beginning = self._reader.topic_id(at.topic), self._reader.beginning(at)
        with self._database.transaction() as c:
            return positions.claim(
                c, CONSUMER, at, topic_id, self._owner, beginning, self._clock.now()
            )

    def _start(self, claim: Claim) -> bool:
        """Start a partition; False if it must be claimed again."""
        try:
            self._reader.start(claim.at, claim.next_offset)
        except NotFound:
            return True  # it was taken away again; the next poll says so
        except OffsetGone as error:
            self._skip(claim, error)
            return False
        self._pending[claim.at] = Pending(claim, claim.next_offset)
        return True

    def _skip(self, claim: Claim, error: OffsetGone) -> None:
        """Go on where the log begins now, and say how much was never read."""
        if error.beginning < claim.next_offset:
            raise Conflict(
                f"{error}; {claim.next_offset} records were stored already. The log lost records: "
                "restore it, or create the topic again, which gives it a new identity"
            )
        missed = error.beginning - claim.next_offset
        logger.error("offset_gap", extra={"at": str(claim.at), "records": missed})
        self._meters.offset_gap.inc(missed)
        with self._database.transaction() as c:
            positions.advance(c, claim, error.beginning, self._clock.now())

    def take(self, record: Record, read: Callable[[Record], Reading | DeadLetter]) -> None:
        """Add what a record holds to what is pending, unless its partition is no longer ours."""
        pending = self._pending.get(record.at)
        if pending is None or record.offset < pending.next_offset:
            return
        content = read(record)
        pending.take(record, content)
        self._count(content)

    def _count(self, content: Reading | DeadLetter) -> None:
        self._meters.batches.inc()
        if isinstance(content, DeadLetter):
            self._meters.decode_errors.labels(content.code).inc()
            self._meters.dead_letters.labels(content.code).inc()
            logger.warning("dead_letter", extra={"code": content.code, "reason": content.detail})
            return
        for code, count in content.refused.items():
            self._meters.decode_errors.labels(code).inc(count)

    def flushed(self, claims: Iterable[Claim]) -> None:
        """Note what was committed, and tell lag tools."""
        for claim in claims:
            self._pending[claim.at] = self._pending[claim.at].flushed(claim)
        self._reader.report({at: one.claim.next_offset for at, one in self._pending.items()})

    def claim_again(self) -> None:
        """Drop what is pending; `claim` starts every partition where its state ends."""
        self._waiting.update(self._pending)
        self._pending.clear()
        self._meters.partitions.set(0)

    def fenced(self, at: TopicPartition) -> None:
        """Give a partition up that somebody else claimed."""
        logger.warning("fenced", extra={"at": str(at)})
        self._meters.fenced.inc()
        self._forget(at)

    def _forget(self, at: TopicPartition) -> None:
        self._pending.pop(at, None)
        self._meters.forget(at.topic, at.partition)
        self._meters.partitions.set(len(self._pending))

    def lag(self, at: TopicPartition) -> int:
        """Return how many records of a partition, ours or not, are in the log and not stored."""
        with self._database.read() as c:
            stored = counting.stored_offset(c, CONSUMER, at)
        return self._reader.end(at) - (self._reader.beginning(at) if stored is None else stored)

    def is_caught_up(self) -> bool:
        """Return whether we have partitions, and all that is in them was read and stored."""
        if not self._pending or self._waiting:
            return False
        return all(
            one.is_empty and self._reader.end(at) <= one.next_offset
            for at, one in self._pending.items()
        )

    def show_lag(self) -> None:
        """Tell how many records each of our partitions is behind."""
        for at, one in self._pending.items():
            behind = self._reader.end(at) - one.claim.next_offset
            self._meters.lag.labels(at.topic, str(at.partition)).set(behind)

    def close(self) -> None:
        """Leave the group; what is pending is dropped and read again."""
        self._pending.clear()
        self._waiting.clear()
        self._reader.close()
