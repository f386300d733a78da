"""Who reads what: members of a group share the partitions of their topics by heartbeats."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from datetime import timedelta

from watchkeeper_shared.clock import Clock
from watchkeeper_shared.eventlog.embedded.file import writing
from watchkeeper_shared.eventlog.instants import microseconds
from watchkeeper_shared.eventlog.port import TopicPartition


def share(
    partitions: Sequence[TopicPartition], members: Sequence[int], me: int
) -> set[TopicPartition]:
    """Return the partitions of one member: a contiguous run, sizes differ by at most one.

    Every member computes this from the same rows, so no leader is needed.

    Examples
    --------
    >>> four = [TopicPartition("t", n) for n in range(4)]
    >>> sorted(at.partition for at in share(four, [7, 9], 9))
    [2, 3]
    >>> share(four, [7, 9], 8)
    set()
    """
    if me not in members:
        return set()
    order = sorted(members)
    i, n = order.index(me), len(order)
    ours = sorted(partitions)
    return set(ours[len(ours) * i // n : len(ours) * (i + 1) // n])


class Membership:
    """One member of one group, in the file.

    Parameters
    ----------
    group, topics
        What is read, and as whom.
    clock, expiry
        A member that did not beat for `expiry` is dead to the others.

    Attributes
    ----------
    id
        Our number in the group; another one after we were taken for dead.
    """

    def __init__(self, group: str, topics: Sequence[str], clock: Clock, expiry: timedelta) -> None:
        self.group = group
        self.topics = tuple(topics)
        self._clock = clock
        self._expiry = expiry
        self.id = 0

    def beat(self, connection: sqlite3.Connection) -> None:
        """Say that we live, bury the dead; join under a new id if the group forgot us."""
        with writing(connection):
            now = self._clock.now()
            connection.execute("delete from members where expires_us <= ?", (microseconds(now),))
            until = microseconds(now + self._expiry)
            renewed = connection.execute(
                "update members set expires_us = ? where id = ?", (until, self.id)
            )
            if not renewed.rowcount:
                joined = connection.execute(
                    'insert into members ("group", topics, expires_us) values (?, ?, ?)',
                    (self.group, json.dumps(self.topics), until),
                )
                self.id = int(joined.lastrowid or 0)

    def leave(self, connection: sqlite3.Connection) -> None:
        """Hand our partitions to the others at once."""
        with writing(connection):
            connection.execute("delete from members where id = ?", (self.id,))

    def assignment(self, connection: sqlite3.Connection) -> Mapping[TopicPartition, int]:
        """Return our partitions now, with the id that each has in the file."""
        now = microseconds(self._clock.now())
        readers: dict[str, list[int]] = {topic: [] for topic in self.topics}
        for member, topics in connection.execute(
            'select id, topics from members where "group" = ? and expires_us > ?', (self.group, now)
        ):
            for topic in json.loads(topics):
                readers.setdefault(topic, []).append(member)
        known: dict[str, dict[TopicPartition, int]] = {}
        for topic, number, partition in connection.execute(
            "select topic, number, id from partitions"
        ):
            known.setdefault(topic, {})[TopicPartition(topic, number)] = partition
        return {
            at: known[topic][at]
            for topic in self.topics
            for at in share(list(known.get(topic, ())), readers[topic], self.id)
        }
