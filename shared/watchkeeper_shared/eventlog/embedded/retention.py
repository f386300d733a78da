"""What the embedded log forgets: the oldest records of a topic, by age and by size."""

from __future__ import annotations

import sqlite3
from datetime import timedelta

from watchkeeper_shared.clock import Clock
from watchkeeper_shared.eventlog.embedded.file import MAX_OFFSET, offset_of, place, writing
from watchkeeper_shared.eventlog.instants import microseconds

# Few enough that writers wait for the lock no longer than for another group commit.
STEP = 500


def retain(
    connection: sqlite3.Connection,
    topic: str,
    clock: Clock,
    age: timedelta | None,
    size: int | None,
) -> int:
    """Remove from the front of each partition what is older than `age` or over `size` bytes.

    Returns
    -------
    int
        How many records went.
    """
    oldest = microseconds(clock.now() - age) if age is not None else None
    partitions = connection.execute("select id from partitions where topic = ?", (topic,))
    removed = 0
    for (partition,) in partitions.fetchall():
        while step := _step(connection, partition, oldest, size):
            removed += step
    return removed


def _step(
    connection: sqlite3.Connection, partition: int, oldest: int | None, size: int | None
) -> int:
    """Remove at most `STEP` records of one partition, in one transaction."""
    with writing(connection):
        row = connection.execute(
            "select bytes from partitions where id = ?", (partition,)
        ).fetchone()
        surplus = row[0] - size if row and size is not None else 0
        count, freed, last = 0, 0, 0
        for at, written, weight in connection.execute(
            "select place, written_us, size from records where place between ? and ?"
            " order by place limit ?",
            (place(partition, 0), place(partition, MAX_OFFSET), STEP),
        ):
            too_old = oldest is not None and written < oldest
            if not too_old and freed >= surplus:
                break
            count, freed, last = count + 1, freed + weight, at
        if count:
            _cut(connection, partition, last, freed)
        return count


def _cut(connection: sqlite3.Connection, partition: int, last: int, freed: int) -> None:
    connection.execute(
        "delete from records where place between ? and ?", (place(partition, 0), last)
    )
    connection.execute(
        "update partitions set first_offset = ?, bytes = bytes - ? where id = ?",
        (offset_of(last) + 1, freed, partition),
    )
