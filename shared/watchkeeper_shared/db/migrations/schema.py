"""Bring a database to the newest schema, or refuse to work on an older one."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Event

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from watchkeeper_shared.db.unit_of_work import translated
from watchkeeper_shared.errors import ConfigError, StoreUnavailable

# Any constant of our own: PostgreSQL's advisory locks are numbers.
_UPGRADE_LOCK = 0x57_4B_55_50


def upgrade(engine: sa.Engine, to: str = "head") -> None:
    """Apply every revision that is missing, in one transaction. Idempotent.

    Two upgrades at the same time do not race: SQLite's write lock or an advisory lock of
    PostgreSQL makes the second wait, and then it finds nothing to do.

    Parameters
    ----------
    to
        The last revision to apply; all of them if none is named.

    Raises
    ------
    StoreUnavailable
        The database does not answer.
    ConfigError
        The database was made by a newer release.
    """
    with translated(), engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            # The lock timeout of ordinary work must not end a wait for a long upgrade.
            connection.execute(sa.text("SET LOCAL lock_timeout = 0"))
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_UPGRADE_LOCK)))
        config = _config()
        _refuse_newer(connection, ScriptDirectory.from_config(config))
        config.attributes["connection"] = connection
        command.upgrade(config, to)


def check(engine: sa.Engine) -> None:
    """Return if the database has exactly the schema of this release.

    Raises
    ------
    ConfigError
        It is older or newer.
    StoreUnavailable
        The database does not answer.
    """
    script = ScriptDirectory.from_config(_config())
    with translated(), engine.connect() as connection:
        _refuse_newer(connection, script)
        stored, wanted = _stored(connection), script.get_current_head()
    if stored != wanted:
        raise ConfigError(
            f"the database has schema {stored or 'none'} and this release needs {wanted}; "
            "run `watchkeeper db upgrade`"
        )


def require(engine: sa.Engine) -> Callable[[], None]:
    """Refuse to start on another schema; return the same question for the readiness probe.

    A database that is away is no reason to refuse: the probe says so, and asks until it is
    answered.

    Raises
    ------
    ConfigError
        As `check`.
    """
    agreed = Event()

    def ask() -> None:
        if not agreed.is_set():
            check(engine)
            agreed.set()

    with suppress(StoreUnavailable):
        ask()
    return ask


def _config() -> Config:
    config = Config()
    folder = str(Path(__file__).parent).replace("%", "%%")  # the file format interpolates
    config.set_main_option("script_location", folder)
    config.set_main_option("path_separator", "os")
    return config


def _stored(connection: sa.Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _refuse_newer(connection: sa.Connection, script: ScriptDirectory) -> None:
    stored = _stored(connection)
    known = {revision.revision for revision in script.walk_revisions()}
    if stored is not None and stored not in known:
        raise ConfigError(
            f"the database has schema {stored}, which this release does not know; "
            "it was upgraded by a newer release, so install that one"
        )
