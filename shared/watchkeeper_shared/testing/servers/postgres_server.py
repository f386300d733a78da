"""A PostgreSQL for a test session: the one that the environment names, or one of our own."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import uuid
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from watchkeeper_shared.testing.servers import ServerUnavailable

_NAMED = "WATCHKEEPER_TEST_DATABASE_URL"
_DEBIAN = Path("/usr/lib/postgresql")


@contextmanager
def postgres_server(env: Mapping[str, str]) -> Iterator[str]:
    """Yield the URL of a real PostgreSQL, which may make databases.

    Parameters
    ----------
    env
        The environment; `WATCHKEEPER_TEST_DATABASE_URL` names a server that runs already.
        Otherwise the wheel `pgserver` is started, or else Debian's programs.

    Raises
    ------
    ServerUnavailable
        None is named, and none can be started here.
    """
    named = env.get(_NAMED)
    with contextlib.ExitStack() as stack:
        if named:
            yield named
            return
        try:
            url = stack.enter_context(_from_wheel())
        except ServerUnavailable as no_wheel:
            try:
                url = stack.enter_context(_from_debian(env))
            except ServerUnavailable as no_debian:
                raise ServerUnavailable(f"{no_wheel}; {no_debian}; or set {_NAMED}") from None
        yield url


@contextmanager
def fresh_database(server: str, template: str | None = None) -> Iterator[str]:
    """Yield the URL of a new database on `server`, and drop it afterwards.

    Parameters
    ----------
    template
        The URL of a database to copy, which nobody uses now; left out: an empty one.
    """
    name = f"wk_{uuid.uuid4().hex}"
    url = sa.make_url(server).set(drivername="postgresql+psycopg")
    admin = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    copied = "template1" if template is None else sa.make_url(template).database
    with admin.connect() as connection:
        connection.execute(sa.text(f'CREATE DATABASE "{name}" TEMPLATE "{copied}"'))
    try:
        made = url.set(drivername="postgresql", database=name)
        yield made.render_as_string(hide_password=False)
    finally:
        with admin.connect() as connection:
            connection.execute(sa.text(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'))


@contextmanager
def _folder() -> Iterator[Path]:
    # Short and in the open: a socket's path has at most 107 bytes, and the server runs as
    # another user when the tests run as root.
    folder = Path(tempfile.mkdtemp(prefix="wkpg-", dir="/tmp"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _from_wheel() -> Iterator[str]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns where XDG_RUNTIME_DIR is not set
            import pgserver  # noqa: PLC0415 - an option, and its import is slow
    except ImportError as error:
        raise ServerUnavailable(f"the wheel pgserver is not installed ({error})") from error
    with _folder() as folder:
        try:
            server: Any = pgserver.get_server(  # type: ignore[attr-defined]
                folder / "data", cleanup_mode="stop"
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise ServerUnavailable(f"pgserver does not start: {error}") from error
        try:
            yield str(server.get_uri())
        finally:
            server.cleanup()


@contextmanager
def _from_debian(env: Mapping[str, str]) -> Iterator[str]:
    programs = _programs(env)
    with _folder() as folder:
        data, log = folder / "data", folder / "log"
        if os.geteuid() == 0:
            shutil.chown(folder, "postgres")
        _run(programs / "initdb", "-D", data, "-U", "postgres", "--auth=trust", "-E", "UTF8")
        options = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off"
        _run(programs / "pg_ctl", "-D", data, "-l", log, "-w", "-o", options, "start")
        try:
            yield f"postgresql://postgres@/postgres?host={folder}"
        finally:
            _run(programs / "pg_ctl", "-D", data, "-m", "fast", "-w", "stop")


def _programs(env: Mapping[str, str]) -> Path:
    versions = sorted(_DEBIAN.glob("*/bin/pg_ctl"), key=lambda path: int(path.parts[-3]))
    if versions:
        return versions[-1].parent
    found = shutil.which("pg_ctl", path=env.get("PATH"))
    if found is None:
        raise ServerUnavailable("there is no pg_ctl; Debian has it in the package postgresql")
    return Path(found).resolve().parent


def _run(program: Path, *arguments: str | Path) -> None:
    command = [str(program), *map(str, arguments)]
    if os.geteuid() == 0:
        # The server refuses to run as root.
        command = ["runuser", "-u", "postgres", "--", *command]
    try:
        subprocess.run(
            command, check=True, timeout=60, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode(errors="replace").strip()
        raise ServerUnavailable(f"{program.name} fails: {said}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ServerUnavailable(f"{program.name} fails: {error}") from error
