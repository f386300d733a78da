"""The file of the embedded log: its tables, its connections, its errors."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from watchkeeper_shared.errors import LogUnavailable
from watchkeeper_shared.sqlite_files import write_ahead

# A record's row id holds its partition and its offset, so that one B-tree without a second
# index is ordered the way it is read, and large values live in the overflow pages of a row.
OFFSET_BITS = 40
MAX_OFFSET = (1 << OFFSET_BITS) - 1

# Another process holds the write lock for one group commit at a time.
BUSY_SECONDS = 5.0

# A process that was frozen inside a write must not keep others from starting.
OPENING_SECONDS = 30.0

SCHEMA = """
create table if not exists topics (
    name text primary key,
    id text not null,
    partitions integer not null
) strict;
-- AUTOINCREMENT: a number is never used twice, so a reader of a deleted topic can tell.
create table if not exists partitions (
    id integer primary key autoincrement,
    topic text not null references topics (name) on delete cascade,
    number integer not null,
    first_offset integer not null default 0,
    next_offset integer not null default 0,
    bytes integer not null default 0,
    unique (topic, number)
) strict;
create table if not exists records (
    place integer primary key,
    written_us integer not null,
    size integer not null,
    key text not null,
    headers text not null,
    value blob not null
) strict;
create table if not exists members (
    id integer primary key autoincrement,
    "group" text not null,
    topics text not null,
    expires_us integer not null
) strict;
create table if not exists reports (
    "group" text not null,
    partition integer not null references partitions (id) on delete cascade,
    next_offset integer not null,
    primary key ("group", partition)
) strict;
"""


def place(partition: int, offset: int) -> int:
    """Return the row id of a record.

    Examples
    --------
    >>> place(1, 5) - place(1, 0), place(1, MAX_OFFSET) < place(2, 0)
    (5, True)
    """
    return (partition << OFFSET_BITS) | offset


def offset_of(row: int) -> int:
    """Return the offset in a row id.

    Examples
    --------
    >>> offset_of(place(7, 42))
    42
    """
    return row & MAX_OFFSET


@contextmanager
def translated(path: Path, what: str) -> Iterator[None]:
    """Turn what SQLite raises into `LogUnavailable`, naming the file and the act."""
    try:
        yield
    except sqlite3.Error as error:
        raise LogUnavailable(
            f"cannot {what} the event log {path}: {error}; check the disk's free space and the"
            " file's permissions"
        ) from error


def connect(path: Path, seconds: float = BUSY_SECONDS) -> sqlite3.Connection:
    """Open the file; a commit on the connection returns when it is on the disk.

    Parameters
    ----------
    seconds
        How long to wait for a lock that another process holds.
    """
    connection = sqlite3.connect(
        path, timeout=seconds, isolation_level=None, check_same_thread=False
    )
    try:
        connection.execute("pragma page_size = 8192")
        write_ahead(connection, seconds)
        connection.execute("pragma synchronous = full")
        connection.execute("pragma foreign_keys = on")
        # 32 MiB of log between checkpoints, and a log file that shrinks again after a peak.
        connection.execute("pragma wal_autocheckpoint = 4096")
        connection.execute("pragma journal_size_limit = 67108864")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


@contextmanager
def writing(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """Hold the write lock from the start; commit at the end, roll back on any error."""
    connection.execute("begin immediate")
    try:
        yield connection
        connection.execute("commit")
    except BaseException:
        # A full disk may have rolled back already.
        if connection.in_transaction:
            connection.execute("rollback")
        raise


def rehearse(connection: sqlite3.Connection, size: int) -> None:
    """Write so many bytes where no reader looks, and take them out again.

    Both are committed: what is rolled back may never have been written. The pages stay with
    the file, so what is appended next has room.
    """
    with writing(connection):
        row = "insert or replace into records values (-1, 0, ?, '', '', zeroblob(?))"
        connection.execute(row, (size, size))
    with writing(connection):
        connection.execute("delete from records where place = -1")


def prepare(path: Path) -> None:
    """Make the file and its tables if they are missing."""
    with translated(path, "open"):
        if not path.parent.is_dir():
            raise LogUnavailable(f"no folder {path.parent} for the event log: make it first")
        with closing(connect(path, OPENING_SECONDS)) as connection, writing(connection):
            for statement in SCHEMA.split(";"):
                connection.execute(statement)
