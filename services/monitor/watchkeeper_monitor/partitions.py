"""The partitions that are ours now: claimed in the database, read, and pending.

assigned ─► claim (epoch + 1, stored offset) ─► start ─► records ─► pending ─► (flush)
lost or fenced ─► drop what is pending: the next owner reads it again
database away  ─► drop what is pending and claim again: whether the last flush happened,
                  the stored offset says
too much poison ─► halt the topic; try one record after a pause
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta

from watchkeeper_monitor.meters import UNKNOWN, Meters
from watchkeeper_monitor.records.pending import DeadLetter, Pending, Reading, Sender, crashed
from watchkeeper_monitor.records.repeats import Repeated, fingerprint, repeated
from watchkeeper_monitor.records.singles import Single
from watchkeeper_monitor.store import repeats
from watchkeeper_shared.db import positions
from watchkeeper_shared.db.claims import Claims
from watchkeeper_shared.db.positions import Claim
from watchkeeper_shared.db.unit_of_work import Database
from watchkeeper_shared.errors import Fenced, OffsetGone
from watchkeeper_shared.eventlog.port import LogReader, Poll, Record, TopicPartition
from watchkeeper_shared.events.stops import Stops

logger = logging.getLogger(__name__)

CONSUMER = "monitor"
"""The consumer group, and the name under which positions are stored."""

_MOST_CAREFUL = 20_000
"""A reader that died had at most about this many records in hand."""

Read = Callable[[Record], Reading | Single | DeadLetter]


class Partitions:
    """What this worker reads. One thread.

    Parameters
    ----------
    reader, claims
        A member of the group, and what takes partitions over for it.
    stops
        Which topics are not read for now.
    database
        Where positions are.
    sender
        Says of which system a record is that was never looked at.
    """

    def __init__(
        self,
        reader: LogReader,
        claims: Claims,
        stops: Stops,
        database: Database,
        meters: Meters,
        sender: Sender,
    ) -> None:
        self._reader = reader
        self._claims = claims
        self._stops = stops
        self._database = database
        self._meters = meters
        self._sender = sender
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

    @property
    def stopped(self) -> Mapping[str, str]:
        """Why each topic is not read that is not."""
        return self._stops.reasons

    def poll(self, timeout: timedelta) -> Poll:
        """Poll, and note what came and went; `records` are for `take`."""
        try:
            polled = self._reader.poll(timeout)
        except OffsetGone as error:
            logger.warning("offset_gone", extra={"reason": str(error)})
            self._waiting.add(TopicPartition(error.topic, error.partition))
            return Poll()
        lost = [self._pending[at].claim for at in polled.lost if at in self._pending]
        for at in polled.lost:
            self._forget(at)
            self._waiting.discard(at)
            self._meters.rebalances.labels("lost").inc()
        if lost:
            self._claims.release(lost)
        for at in polled.assigned:
            self._waiting.add(at)
            self._meters.rebalances.labels("assigned").inc()
        self._pass_by(polled.reached)
        return polled

    def claim(self) -> frozenset[TopicPartition]:
        """Start what waits where its state ends, and topics whose pause is over.

        Returns
        -------
        frozenset of TopicPartition
            What was started: records of it that were polled before are not the next ones.

        Raises
        ------
        StoreUnavailable
            The database is away: call again later.
        """
        started = self._tried_again()
        for at in sorted(self._waiting):
            pending = self._pending.get(at)
            if pending is not None and not pending.is_empty:
                continue  # the log broke after it; what was read is flushed first
            claim = self._claims.take(at)
            self._waiting.discard(at)
            started.add(at)
            if claim is not None:
                self._pending[at] = Pending(claim, claim.next_offset, self._careful_until(claim))
            if at.topic in self._stops:
                self._reader.halt(at)
        self._meters.partitions.set(len(self._pending))
        return frozenset(started)

    def _careful_until(self, claim: Claim) -> int:
        """Return up to where records are processed one by one, because owners died here."""
        if not claim.is_suspicious:
            return 0
        return min(self._reader.end(claim.at), claim.next_offset + _MOST_CAREFUL)

    def _tried_again(self) -> set[TopicPartition]:
        topics = self._stops.due()
        again = {at for at in self._pending if at.topic in topics} - self._waiting
        for at in again:
            self._start(at, self._pending[at].next_offset)
        return again

    def _start(self, at: TopicPartition, offset: int) -> None:
        try:
            self._reader.start(at, offset)
        except OffsetGone as error:
            logger.warning("offset_gone", extra={"reason": str(error)})
            self._waiting.add(at)

    def notice_renewed(self) -> None:
        """Claim the partitions of topics that were made again once more, from their beginning."""
        topics = self._claims.renewed()
        renewed = {at for at in self._pending if at.topic in topics}
        for at in renewed:
            self._reader.halt(at)
        self._waiting |= renewed

    def is_suspect(self, record: Record) -> bool:
        """Return whether a record is to be processed alone, because owners died near it."""
        pending = self._pending.get(record.at)
        return pending is not None and pending.next_offset <= record.offset < pending.careful_until

    def suspect(self, record: Record) -> None:
        """Note a record before it is looked at; what came before it must be flushed.

        A partition that somebody else claimed is given up: `take` then passes the record by.
        """
        pending = self._pending.get(record.at)
        if pending is None:
            return  # the flush before has found that out
        try:
            self._claims.suspect(pending.claim, record.offset)
        except Fenced:
            self.fenced(record.at)

    def take(self, record: Record, read: Read) -> None:
        """Add what a record holds to what is pending, unless its partition is not read now."""
        at = record.at
        pending = self._pending.get(at)
        if pending is None or record.offset < pending.next_offset or at.topic in self._stops:
            return
        content = crashed(record, pending.claim, self._sender) or self._read(record, pending, read)
        pending.take(record, content)
        self._meters.batches.inc()
        if isinstance(content, DeadLetter):
            self._meters.dead_letters.labels(content.system or UNKNOWN, content.code).inc()
            logger.warning("dead_letter", extra={"code": content.code, "reason": content.detail})
        for code, count in _refused(content).items():
            self._meters.decode_errors.labels(code).inc(count)
        if self._stops.note(at.topic, content.code if isinstance(content, DeadLetter) else None):
            for each in self._pending:
                if each.topic == at.topic:
                    self._reader.halt(each)

    def _pass_by(self, reached: Mapping[TopicPartition, int]) -> None:
        """Note that nothing is to be read up to an offset: the log counts more than records."""
        for at, offset in reached.items():
            pending = self._pending.get(at)
            if pending is not None and at not in self._waiting and at.topic not in self._stops:
                pending.next_offset = max(pending.next_offset, offset)

    def _read(
        self, record: Record, pending: Pending, read: Read
    ) -> Reading | Single | DeadLetter | Repeated:
        """Read a record unless its whole batch was read before."""
        mark = fingerprint(record)
        if mark is None:
            return read(record)
        if pending.repeats is None:
            with self._database.read() as c:
                pending.repeats = repeats.load(c, CONSUMER, record.at)
        if pending.repeats.knows(mark):
            return repeated(record)
        content = read(record)
        if isinstance(content, Reading):
            pending.repeats.fresh[mark] = None
        return content

    def flushed(self, claims: Iterable[Claim]) -> None:
        """Note what was committed, and tell lag tools."""
        for claim in claims:
            self._pending[claim.at] = self._pending[claim.at].flushed(claim)
        self._reader.report({at: one.claim.next_offset for at, one in self._pending.items()})

    def claim_again(self) -> None:
        """Drop what is pending; `claim` starts every partition where its state ends."""
        for at in self._pending:
            self._reader.halt(at)
        self._waiting.update(self._pending)
        self._pending.clear()
        self._meters.partitions.set(0)

    def fenced(self, at: TopicPartition) -> None:
        """Give a partition up that somebody else claimed."""
        logger.warning("fenced", extra={"at": str(at)})
        self._meters.fenced.inc()
        self._claims.release([self._pending[at].claim])  # we live: the record in hand is innocent
        self._forget(at)

    def _forget(self, at: TopicPartition) -> None:
        self._pending.pop(at, None)
        self._meters.forget(at.topic, at.partition)
        self._meters.partitions.set(len(self._pending))

    def lag(self, at: TopicPartition) -> int:
        """Return how many records of a partition, ours or not, are in the log and not stored."""
        with self._database.read() as c:
            stored = positions.stored(c, CONSUMER, at)
        begin = self._reader.beginning(at) if stored is None else stored.next_offset
        return self._reader.end(at) - begin

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

    def release(self) -> None:
        """Say that we end in good order; what is pending is read again by the next owner."""
        self._claims.release(one.claim for one in self._pending.values())

    def close(self) -> None:
        """Leave the group; what is pending is dropped and read again."""
        self._pending.clear()
        self._waiting.clear()
        self._reader.close()


def _refused(content: Reading | Single | DeadLetter | Repeated) -> Mapping[str, int]:
    if isinstance(content, Repeated | Single):
        return {}
    return {content.code: 1} if isinstance(content, DeadLetter) else content.refused
