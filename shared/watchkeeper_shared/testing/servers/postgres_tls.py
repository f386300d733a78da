"""A PostgreSQL that takes strangers over TLS only, each with a password."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from watchkeeper_shared.testing.servers import postgres_server as plain
from watchkeeper_shared.testing.servers.certificates import Authority

_WHO_MAY = "local all all trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n"


@dataclass(frozen=True, slots=True)
class GuardedDatabase:
    """Where it listens, and whom to trust.

    Parameters
    ----------
    port
        On 127.0.0.1; the certificate is good for that address and not for `localhost`.
    authority
        The certificate to name as `sslrootcert`.
    """

    port: int
    authority: Path


@contextmanager
def guarded_postgres(
    env: Mapping[str, str], folder: Path, user: str, password: str
) -> Iterator[GuardedDatabase]:
    """Run Debian's PostgreSQL with TLS on, and one user.

    Parameters
    ----------
    env, folder
        The environment, and where certificates may lie.

    Raises
    ------
    ServerUnavailable
        Its programs, or openssl, are not here.
    """
    programs = plain._programs(env)  # noqa: SLF001 - the same server, started otherwise
    authority = Authority(folder, "database-ca")
    identity = authority.sign("database", "IP:127.0.0.1")
    with plain._folder() as home:  # noqa: SLF001
        data, run = home / "data", plain._run  # noqa: SLF001
        if os.geteuid() == 0:
            shutil.chown(home, "postgres")
        run(programs / "initdb", "-D", data, "-U", "postgres", "--auth=trust", "-E", "UTF8")
        for source, name in ((identity.certificate, "server.crt"), (identity.key, "server.key")):
            _give(source, data / name)
        (data / "pg_hba.conf").write_text(_WHO_MAY)
        port = _free_port()
        options = f"-c listen_addresses=127.0.0.1 -c port={port} -c ssl=on -c fsync=off"
        options += f" -c unix_socket_directories={home}"
        run(programs / "pg_ctl", "-D", data, "-l", home / "log", "-w", "-o", options, "start")
        try:
            _add_user(home, port, user, password)
            yield GuardedDatabase(port, authority.certificate)
        finally:
            run(programs / "pg_ctl", "-D", data, "-m", "fast", "-w", "stop")


def _give(source: Path, place: Path) -> None:
    """Copy a file for the server, which takes no key that others can read."""
    shutil.copy(source, place)
    place.chmod(0o600)
    if os.geteuid() == 0:
        shutil.chown(place, "postgres", "postgres")


def _add_user(home: Path, port: int, user: str, password: str) -> None:
    url = f"postgresql+psycopg://postgres@/postgres?host={home}&port={port}"
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.begin() as connection:
        connection.exec_driver_sql(f"CREATE USER \"{user}\" PASSWORD '{password}'")
    engine.dispose()


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port
