"""Notices a client that went dumb: records wait in the log, and it delivers none of them.

A client that lost a fetch or its place in the group keeps polling without a word, and its
process looks alive. Whoever reads then closes it and builds another one.
"""

from __future__ import annotations

from collections.abc import Collection

from watchkeeper_shared.clock import Clock
from watchkeeper_shared.errors import LogUnavailable
from watchkeeper_shared.eventlog.clients import Consumer
from watchkeeper_shared.eventlog.port import TopicPartition

BETWEEN_LOOKS = 10.0
"""Seconds from one look at the broker to the next."""

ENOUGH_EMPTY_POLLS = 30
"""So often must a client have had the time to deliver something, from one look to the next."""

JOIN_SECONDS = 150.0
"""How long joining a group may take; a member that stalls holds it up for its poll interval."""


class Watch:
    """Looks at one client, now and then.

    Parameters
    ----------
    consumer
        Who is watched.
    clock
        For the time between looks.
    """

    def __init__(self, consumer: Consumer, clock: Clock) -> None:
        self._consumer = consumer
        self._clock = clock
        self._looked_at = self._joined_at = clock.monotonic()
        self._empty_polls = 0
        self._behind: dict[TopicPartition, int] = {}

    def polled(self, flowing: Collection[TopicPartition], delivered: int) -> None:
        """Note one poll, and look if it is time to.

        Parameters
        ----------
        flowing
            What the client should deliver.
        delivered
            How many records it did.

        Raises
        ------
        LogUnavailable
            A partition stood still from the last look to this one while the log held more, or
            the group was not joined for too long.
        """
        self._empty_polls += delivered == 0
        now = self._clock.monotonic()
        if now - self._looked_at < BETWEEN_LOOKS or self._empty_polls < ENOUGH_EMPTY_POLLS:
            return
        self._looked_at, self._empty_polls = now, 0
        self._look_at_group(now)
        self._look_at(flowing)

    def _look_at_group(self, now: float) -> None:
        if self._consumer.joined():
            self._joined_at = now
        elif now - self._joined_at > JOIN_SECONDS:
            raise LogUnavailable(
                f"the client did not get into its group for {now - self._joined_at:.0f} s"
            )

    def _look_at(self, flowing: Collection[TopicPartition]) -> None:
        before, self._behind = self._behind, {}
        for at, (position, end) in self._consumer.standing(flowing).items():
            if position >= end:
                continue
            if before.get(at) == position:
                raise LogUnavailable(
                    f"the client delivers nothing of {at} after offset {position}, and the log"
                    f" holds records up to {end}"
                )
            self._behind[at] = position
