"""What every test may ask for: real servers, a migrated database, a clean environment.

A real server that cannot be had skips its tests *and* is named in the last lines of the
run; with WATCHKEEPER_REQUIRE_REAL=1, which guards main, that is a failure.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, settings

from watchkeeper_shared.db.engine import open_engine
from watchkeeper_shared.db.migrations import upgrade
from watchkeeper_shared.db.unit_of_work import Database
from watchkeeper_shared.testing.clocks import ManualClock
from watchkeeper_shared.testing.servers import ServerUnavailable
from watchkeeper_shared.testing.servers.postgres_server import fresh_database, postgres_server
from watchkeeper_shared.testing.servers.unavailable import skip

# What steers the run itself; the product reads none of these.
_OF_THE_RUN = ("WATCHKEEPER_TEST_", "WATCHKEEPER_REQUIRE_REAL")
_ENVIRONMENT: Mapping[str, str] = dict(os.environ)  # noqa: TID251 - the edge of the test run
_TAKE_TURNS = {"e2e", "chaos"}
_SERVERS = pytest.StashKey[dict[str, str]]()

TakeAway = Callable[[], None]

# No test is timed, generated examples least of all: a busy machine is no failure.
settings.register_profile(
    "watchkeeper", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("watchkeeper")


class _SharedNotes:
    """Collects the notes about servers from the processes that share the tests."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    def pytest_testnodedown(self, node: Any) -> None:
        """Take over what a process knew; a server missing in one is missing."""
        servers = self._config.stash[_SERVERS]
        for name, state in getattr(node, "workeroutput", {}).get("servers", {}).items():
            if not servers.get(name, "").startswith("MISSING"):
                servers[name] = state


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_SERVERS] = {}
    if config.pluginmanager.hasplugin("dsession"):
        config.pluginmanager.register(_SharedNotes(config))


@pytest.hookimpl(tryfirst=True)  # xdist reads the groups in this hook too
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Share the tests out by file, but let those take turns that would be in each other's way."""
    for item in items:
        item.add_marker(pytest.mark.xdist_group(_group(item)))


def _group(item: pytest.Item) -> str:
    if _TAKE_TURNS & set(item.path.parts) or item.get_closest_marker("kafka"):
        return "they wait for servers and processes of their own"
    if "helm" in getattr(item, "fixturenames", ()):
        return "they share an environment that is made once"
    return str(item.path)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["servers"] = session.config.stash[_SERVERS]
    required = _ENVIRONMENT.get("WATCHKEEPER_REQUIRE_REAL") == "1"
    if required and exitstatus == pytest.ExitCode.OK and _missing(session.config):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(wrapper=True, tryfirst=True)  # outermost: its line comes after the others'
def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> Iterator[None]:
    yield
    servers = config.stash[_SERVERS]
    if servers:
        line = "; ".join(f"{name} {state}" for name, state in sorted(servers.items()))
        colour = {"red": True} if _missing(config) else {"green": True}
        terminalreporter.write_line(f"real servers: {line}", **colour)


def _missing(config: pytest.Config) -> list[str]:
    return [name for name, state in config.stash[_SERVERS].items() if state.startswith("MISSING")]


@contextmanager
def _real(
    config: pytest.Config,
    name: str,
    server: AbstractContextManager[str],
    describe: Callable[[str], str],
) -> Iterator[str]:
    """Run a server for the session and note for the last lines whether there was one."""
    try:
        address = server.__enter__()
    except ServerUnavailable as error:
        missing = error
    else:
        try:
            config.stash[_SERVERS][name] = describe(address)
            yield address
        finally:
            server.__exit__(None, None, None)
        return
    config.stash[_SERVERS][name] = f"MISSING: {missing}"
    skip(missing)


@pytest.fixture(scope="session")
def kafka_bootstrap(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a real Apache Kafka, shared by the session: use topics of your own."""
    from watchkeeper_shared.testing.servers.kafka.jars import POM  # noqa: PLC0415
    from watchkeeper_shared.testing.servers.kafka_server import kafka_server  # noqa: PLC0415

    def describe(address: str) -> str:
        if "WATCHKEEPER_TEST_KAFKA" in _ENVIRONMENT:
            return f"found at {address}"
        version = re.search(r"kafka_[\d.]+</artifactId>\s*<version>(.+?)<", POM.read_text())
        return f"{version[1] if version else ''} started"

    with _real(request.config, "kafka", kafka_server(_ENVIRONMENT), describe) as address:
        yield address


@pytest.fixture(scope="session")
def postgres_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a real PostgreSQL, shared by the session: use `fresh_database` on it."""

    def describe(url: str) -> str:
        engine = open_engine(url)
        with engine.connect() as connection:
            version = connection.execute(sa.text("SHOW server_version")).scalar_one()
        engine.dispose()
        found = "WATCHKEEPER_TEST_DATABASE_URL" in _ENVIRONMENT
        return f"{version} {'found' if found else 'started'}"

    with _real(request.config, "postgresql", postgres_server(_ENVIRONMENT), describe) as url:
        yield url


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated file, to copy: faster than to migrate for each test."""
    path = tmp_path_factory.mktemp("template") / "watchkeeper.db"
    _migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def migrated_postgres(postgres_url: str) -> Iterator[str]:
    """A migrated database, to copy."""
    with fresh_database(postgres_url) as url:
        _migrate(url)
        yield url


def _migrate(url: str) -> None:
    engine = open_engine(url)
    upgrade(engine)
    engine.dispose()  # also brings SQLite's journal into the one file


@pytest.fixture
def sqlite_url(migrated_sqlite: Path, tmp_path: Path) -> str:
    """A fresh, migrated SQLite database."""
    shutil.copy(migrated_sqlite, tmp_path / "watchkeeper.db")
    return f"sqlite:///{tmp_path / 'watchkeeper.db'}"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """A fresh, migrated database: the test runs once on each kind."""
    if request.param == "sqlite":
        yield request.getfixturevalue("sqlite_url")
        return
    template = request.getfixturevalue("migrated_postgres")
    with fresh_database(request.getfixturevalue("postgres_url"), template) as url:
        yield url


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """The way to a fresh, migrated database of each kind."""
    found = Database(open_engine(database_url))
    yield found
    found.close()


@pytest.fixture
def take_away(database: Database, database_url: str, request: pytest.FixtureRequest) -> TakeAway:
    """What makes the database of `database` go away for good, for real."""

    def from_disk() -> None:
        database.close()
        path = Path(sa.make_url(database_url).database or "")
        path.unlink()
        path.mkdir()

    def from_server() -> None:
        server = open_engine(request.getfixturevalue("postgres_url"))
        name = sa.make_url(database_url).database
        with server.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
            connection.execute(sa.text(f'DROP DATABASE "{name}" WITH (FORCE)'))
        server.dispose()

    return from_disk if database_url.startswith("sqlite") else from_server


@pytest.fixture
def clock() -> ManualClock:
    """A clock that stands still until told."""
    return ManualClock()


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no setting of the developer's shell reach the code under test."""
    for name in _ENVIRONMENT:
        if name.startswith("WATCHKEEPER_") and not name.startswith(_OF_THE_RUN):
            monkeypatch.delenv(name, raising=False)
