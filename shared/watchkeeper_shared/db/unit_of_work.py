"""Transactions: one per act, all or nothing, with our errors and nobody else's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from watchkeeper_shared.db.engine import BEGIN_READ
from watchkeeper_shared.errors import Conflict, InvalidObject, StoreUnavailable

# Primary result codes of SQLite (https://www.sqlite.org/rescode.html) after which the same
# statement can succeed later. The others, such as "no such table", are mistakes of ours.
_SQLITE_AWAY = {
    5: "SQLITE_BUSY",
    6: "SQLITE_LOCKED",
    10: "SQLITE_IOERR",
    13: "SQLITE_FULL",
    14: "SQLITE_CANTOPEN",
    15: "SQLITE_PROTOCOL",
}


class Database:
    """The process's one way to the database. Safe to use from several threads.

    Parameters
    ----------
    engine
        From `db.engine.open_engine`.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine
        self._reader = engine.execution_options(**_read_options(engine))

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """Open a snapshot: every query inside sees the same moment; writing is refused.

        Raises
        ------
        StoreUnavailable
            The database does not answer.
        InvalidObject
            A value that was asked for is none that the database can hold.
        """
        with translated(), self._reader.begin() as connection:
            yield connection

    @contextmanager
    def transaction(self) -> Iterator[sa.Connection]:
        """Open a transaction that commits at the end and rolls back on any error.

        On SQLite it takes the write lock at once and waits up to 30 seconds for it, so
        keep the work inside short and never wait for a network in it.

        Raises
        ------
        StoreUnavailable
            The database does not answer. If that happened at the commit, the outcome is
            unknown: read again what was to be written.
        Conflict
            A key or a rule of the database refuses what was written.
        InvalidObject
            The database has no room for a value, such as a text with the character NUL.
        """
        with translated(), self.engine.begin() as connection:
            yield connection

    def ping(self) -> None:
        """Return if the database answers; raise `StoreUnavailable` if not."""
        with self.read() as connection:
            connection.execute(sa.text("SELECT 1"))

    def close(self) -> None:
        """Let go of all connections. Idempotent."""
        self.engine.dispose()


@contextmanager
def translated() -> Iterator[None]:
    """Raise our errors for the database's, and let mistakes of ours through untouched."""
    try:
        yield
    except sa.exc.IntegrityError as error:
        raise Conflict(f"the database refuses the change: {error.orig}") from error
    except sa.exc.DataError as error:
        # What came from outside, such as a text with NUL, which PostgreSQL holds nowhere.
        raise InvalidObject(f"the database cannot hold a value of this: {error.orig}") from error
    except sa.exc.TimeoutError as error:
        raise StoreUnavailable(f"no free connection to the database: {error}") from error
    except sa.exc.DBAPIError as error:
        if not _is_away(error):
            raise
        raise StoreUnavailable(f"the database does not answer: {error.orig}") from error


def _is_away(error: sa.exc.DBAPIError) -> bool:
    if error.connection_invalidated:
        return True
    code = getattr(error.orig, "sqlite_errorcode", None)
    if code is not None:
        return code & 0xFF in _SQLITE_AWAY
    return isinstance(error, sa.exc.OperationalError)


def _read_options(engine: sa.Engine) -> dict[str, object]:
    if engine.dialect.name == "postgresql":
        return {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    return {BEGIN_READ: True}
