"""Where connections come from: SQLite for one machine, PostgreSQL for more.

Both are opened so that a committed transaction survives the machine: what is acknowledged
is durable. Who uses an engine goes through `db.unit_of_work.Database`.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

import sqlalchemy as sa

from watchkeeper_shared.errors import ConfigError
from watchkeeper_shared.sqlite_files import write_ahead

BEGIN_READ = "watchkeeper_read"
"""Execution option: the transaction only reads. SQLite then begins it deferred."""

_READ_ONLY = "25006"
"""PostgreSQL's read_only_sql_transaction."""

_WAIT_SECONDS = 30
_CONNECT_SECONDS = 10
_SQLITE_PRAGMAS = (
    f"PRAGMA busy_timeout={_WAIT_SECONDS * 1000}",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    # Without this a REPLACE deletes rows past the triggers that guard the audit table.
    "PRAGMA recursive_triggers=ON",
)
# A worker that was frozen inside a transaction must not hold its row locks for ever.
_POSTGRES_OPTIONS = (
    f"-c lock_timeout={_WAIT_SECONDS}s -c idle_in_transaction_session_timeout=60s -c timezone=UTC"
)


def open_engine(url: str) -> sa.Engine:
    """Return an engine for a database URL; nothing is connected yet.

    Parameters
    ----------
    url
        `sqlite:////absolute/path.db`, `postgresql://user@host/db`, or a socket folder:
        `postgresql:///db?host=/run/postgresql`.

    Raises
    ------
    ConfigError
        The URL cannot be read, names another kind of database, or names no file.
    """
    parsed = _parsed(url)
    if parsed.drivername in ("sqlite", "sqlite+pysqlite"):
        return _sqlite(parsed)
    if parsed.drivername in ("postgresql", "postgres", "postgresql+psycopg"):
        return _postgresql(parsed)
    msg = (
        f"database URL starts with {parsed.drivername}://, and only sqlite:///… "
        "and postgresql://… are known"
    )
    raise ConfigError(msg)


def _parsed(url: str) -> sa.URL:
    try:
        return sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError):
        # The text and its cause are left out of the message: they may hold a password.
        raise ConfigError(
            "the database URL cannot be read; write sqlite:////data/watchkeeper.db or "
            "postgresql://user:password@host/name"
        ) from None


def _sqlite(url: sa.URL) -> sa.Engine:
    if url.host:
        raise ConfigError(
            f"sqlite://{url.host}/… names a host; an absolute path has four slashes: sqlite:////…"
        )
    if not url.database or url.database == ":memory:":
        raise ConfigError("a SQLite database must be a file: state in memory is not durable")
    folder = Path(url.database).parent
    if not folder.is_dir():
        raise ConfigError(f"the folder {folder} of the SQLite database does not exist; create it")
    engine = sa.create_engine(
        url.set(drivername="sqlite+pysqlite"),
        pool_timeout=_WAIT_SECONDS,
        hide_parameters=True,
        connect_args={"timeout": _WAIT_SECONDS},
    )
    sa.event.listen(engine, "connect", _prepare_sqlite)
    sa.event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves, in `_begin_sqlite`
    for pragma in _SQLITE_PRAGMAS:
        connection.execute(pragma)
    write_ahead(connection, _WAIT_SECONDS)


def _begin_sqlite(connection: sa.Connection) -> None:
    """Begin so that writers queue for the lock up front.

    A deferred transaction that starts with a read and then writes dies at once when
    another writer came between, whatever the busy timeout; an immediate one waits.
    """
    reads = connection.get_execution_options().get(BEGIN_READ, False)
    connection.exec_driver_sql(f"PRAGMA query_only={'ON' if reads else 'OFF'}")
    connection.exec_driver_sql("BEGIN DEFERRED" if reads else "BEGIN IMMEDIATE")


def _postgresql(url: sa.URL) -> sa.Engine:
    if not url.database:
        raise ConfigError("the PostgreSQL URL names no database: postgresql://user@host/NAME")
    defaults = {
        "application_name": "watchkeeper",
        "connect_timeout": str(_CONNECT_SECONDS),
        "keepalives_idle": "10",
        "tcp_user_timeout": "20000",
        "options": _POSTGRES_OPTIONS,
    }
    engine = sa.create_engine(
        url.set(drivername="postgresql+psycopg"),
        pool_pre_ping=True,
        pool_timeout=_WAIT_SECONDS,
        hide_parameters=True,
        isolation_level="READ COMMITTED",
        connect_args={name: value for name, value in defaults.items() if name not in url.query},
    )
    sa.event.listen(engine, "handle_error", _leave_standby)
    return engine


def _leave_standby(failed: sa.engine.ExceptionContext) -> None:
    """Take a server that takes no writes for one that is gone, and connect anew.

    One that was demoted keeps its connections and answers every ping; the pool would hold on to it.
    """
    options = {} if failed.connection is None else failed.connection.get_execution_options()
    if options.get("postgresql_readonly"):
        return  # a reader of ours that writes is a mistake
    if getattr(failed.original_exception, "sqlstate", None) == _READ_ONLY:
        failed.is_disconnect = True
