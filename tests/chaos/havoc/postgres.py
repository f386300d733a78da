"""A PostgreSQL that can be stopped, killed and started again at the same address."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any

import sqlalchemy as sa

from watchkeeper_shared.testing.servers import ServerUnavailable

_SECONDS = 30


class PostgresNode:
    """One server of the wheel `pgserver`.

    Parameters
    ----------
    server
        From `pgserver.get_server`; running.
    """

    def __init__(self, server: Any) -> None:
        self._server = server

    @property
    def url(self) -> str:
        """Where it is; may make databases."""
        return str(self._server.get_uri())

    def end(self, how: signal.Signals) -> None:
        """Let it end: SIGINT breaks connections off in order, SIGQUIT as a crash would."""
        pid = self._server.get_pid()
        os.kill(pid, how)
        for _ in range(_SECONDS * 20):
            if not (self._server.pgdata / "postmaster.pid").exists() or not _lives(pid):
                return
            Event().wait(0.05)
        raise ServerUnavailable(f"PostgreSQL {pid} did not end within {_SECONDS} seconds")

    def start(self) -> None:
        """Run it again, and return when it takes clients."""
        self._server.ensure_postgres_running()

    def cut_connections(self) -> None:
        """Break every connection off, as a failover or a firewall would."""
        url = sa.make_url(self.url).set(drivername="postgresql+psycopg")
        engine = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
        with engine.connect() as connection:
            connection.execute(
                sa.text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
                )
            )


def _lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


@contextmanager
def postgres_node() -> Iterator[PostgresNode]:
    """Run a server of one's own.

    Raises
    ------
    ServerUnavailable
        The wheel is not installed, or does not start.
    """
    folder = Path(tempfile.mkdtemp(prefix="wkpg-", dir="/tmp"))  # a socket's path is short
    folder.chmod(0o755)  # the server runs as another user when we are root
    try:
        server = _server(folder / "data")
        try:
            yield PostgresNode(server)
        finally:
            server.cleanup()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _server(data: Path) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns where XDG_RUNTIME_DIR is not set
            import pgserver  # noqa: PLC0415 - an option, and its import is slow

            return pgserver.get_server(data, cleanup_mode="stop")  # type: ignore[attr-defined]
    except (ImportError, OSError) as error:
        raise ServerUnavailable(f"pgserver cannot be had: {error}") from error
