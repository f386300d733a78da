"""Taking partitions over, from where their state ends; and saying so when the log broke.

A break is a place where the log does not hold what comes next: retention was quicker, the
log was cut short, or the topic was made again. Reading goes on at what the log does hold,
and how much was never read is counted, logged and audited. Never a crash: a restart would
find the same.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import sqlalchemy as sa

from watchkeeper_shared.clock import Clock
from watchkeeper_shared.db import audit, positions
from watchkeeper_shared.db.positions import Claim
from watchkeeper_shared.db.unit_of_work import Database
from watchkeeper_shared.errors import LogUnavailable, NotFound, OffsetGone, StoreUnavailable
from watchkeeper_shared.eventlog.port import LogReader, TopicPartition

logger = logging.getLogger(__name__)

BREAKS = {
    "retention": "the log forgot records before they were read",
    "truncated": "the log ends before the stored position: it lost records",
    "recreated": "the topic was deleted and made again",
}
"""The kinds of breaks."""

Told = Callable[[str, str, int], None]
"""Takes the topic, the kind, and how many records were never read, as far as that is known."""


@dataclass(frozen=True, slots=True)
class Claimant:
    """Who claims: the consumer group, and one process of it."""

    consumer: str
    owner: str


class Claims:
    """Claims partitions for one reader.

    Parameters
    ----------
    reader
        A member of the group.
    database, clock, claimant
        Where positions are, and who claims them.
    told
        Told of breaks, to count them.
    """

    def __init__(
        self,
        reader: LogReader,
        database: Database,
        clock: Clock,
        claimant: Claimant,
        told: Told,
    ) -> None:
        self._reader = reader
        self._database = database
        self._clock = clock
        self._claimant = claimant
        self._told = told
        self._topic_ids: dict[str, str] = {}

    def take(self, at: TopicPartition) -> Claim | None:
        """Claim a partition and start it where its state ends.

        Returns
        -------
        Claim or None
            None if it was taken away again meanwhile; the next poll says so.

        Raises
        ------
        StoreUnavailable, LogUnavailable
            Nothing is read of it, or retention was quicker once more; call again later.
        """
        claim = self._claimed(at)
        try:
            try:
                self._reader.start(at, claim.next_offset)
            except OffsetGone as gone:
                claim = self._past(claim, gone)
                self._reader.start(at, claim.next_offset)
        except OffsetGone as again:
            raise LogUnavailable(f"{at} moves on while it is begun: {again}") from again
        except NotFound:
            return None
        return claim

    def _claimed(self, at: TopicPartition) -> Claim:
        topic_id, beginning = self._reader.topic_id(at.topic), self._reader.beginning(at)
        who, now = self._claimant, self._clock.now()
        with self._database.transaction() as c:
            claim = positions.claim(c, who.consumer, at, topic_id, who.owner, beginning, now)
            before = claim.before
            if before is not None and before.topic_id != topic_id:
                self._note(c, at, "recreated", before.next_offset, beginning)
        self._topic_ids[at.topic] = topic_id
        if claim.before is None:
            logger.info("partition_first_read", extra={"at": str(at), "offset": beginning})
        if claim.tries:
            logger.warning("owner_ended", extra={"at": str(at), "times": claim.tries})
        return claim

    def _past(self, claim: Claim, gone: OffsetGone) -> Claim:
        """Move to what the log holds.

        Behind the stored position the log was cut short. What is there now may be new, so it
        is read from the beginning: what was read before is known by its id.
        """
        kind = "retention" if gone.beginning > claim.next_offset else "truncated"
        with self._database.transaction() as c:
            moved = positions.restart(c, claim, gone.beginning, self._clock.now())
            self._note(c, claim.at, kind, claim.next_offset, gone.beginning)
        return moved

    def _note(self, c: sa.Connection, at: TopicPartition, kind: str, old: int, new: int) -> None:
        missed = new - old if kind == "retention" else None
        told = {"at": str(at), "kind": kind, "from": old, "to": new, "records": missed}
        logger.error("log_break", extra=told)
        self._told(at.topic, kind, missed or 0)
        audit.record(
            c,
            at=self._clock.now(),
            actor=f"watchkeeper-{self._claimant.consumer}",
            act="log.break",
            subject=f"Partition/{at}",
            reason=BREAKS[kind],
            body=told,
        )

    def renewed(self) -> set[str]:
        """Return the topics that were made again since they were claimed."""
        known = self._topic_ids.items()
        return {topic for topic, known_id in known if self._reader.topic_id(topic) != known_id}

    def suspect(self, claim: Claim, offset: int) -> None:
        """Note what is processed next, alone, so that the next owner knows if we die over it."""
        with self._database.transaction() as c:
            positions.suspect(c, claim, offset, self._clock.now())

    def release(self, claims: Iterable[Claim]) -> None:
        """Say that we end in good order; if it cannot be said, the next owner is more careful."""
        try:
            with self._database.transaction() as c:
                for claim in sorted(claims, key=lambda one: one.at):
                    positions.release(c, claim, self._clock.now())
        except StoreUnavailable as error:
            logger.info("partitions_not_released", extra={"reason": str(error)})
