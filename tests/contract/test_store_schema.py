"""The schema that revisions make is the one that the code believes in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from watchkeeper_shared.db.engine import open_engine
from watchkeeper_shared.db.migrations import check, upgrade
from watchkeeper_shared.db.tables import metadata
from watchkeeper_shared.errors import ConfigError
from watchkeeper_shared.testing.servers.postgres_server import fresh_database


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database with nothing in it."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.db'}"
        return
    with fresh_database(request.getfixturevalue("postgres_url")) as url:
        yield url


@pytest.fixture
def engine(empty_url: str) -> Iterator[sa.Engine]:
    found = open_engine(empty_url)
    yield found
    found.dispose()


def test_the_migrated_schema_is_the_one_in_the_tables_file(engine: sa.Engine) -> None:
    upgrade(engine)

    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
        assert len(metadata.tables) >= 20


def test_an_upgrade_of_a_new_schema_does_nothing(engine: sa.Engine) -> None:
    upgrade(engine)
    with engine.begin() as connection:
        connection.execute(
            sa.text("INSERT INTO leases (name, holder, expires_at) VALUES ('n', 'h', 1)")
        )

    upgrade(engine)

    check(engine)
    with engine.connect() as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM leases")).scalar_one() == 1


def test_an_empty_database_is_refused_with_what_to_do(engine: sa.Engine) -> None:
    with pytest.raises(ConfigError, match="run `watchkeeper db upgrade`"):
        check(engine)


@pytest.mark.parametrize("act", [check, upgrade])
def test_a_database_of_a_newer_release_is_left_alone(
    engine: sa.Engine, act: Callable[[sa.Engine], None]
) -> None:
    upgrade(engine)
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))

    with pytest.raises(ConfigError, match=r"9999.*newer release"):
        act(engine)


def test_upgrades_that_come_together_do_not_race(empty_url: str) -> None:
    def one_of_many() -> None:
        engine = open_engine(empty_url)
        upgrade(engine)
        check(engine)
        engine.dispose()

    with ThreadPoolExecutor(3) as threads:
        for done in [threads.submit(one_of_many) for _ in range(3)]:
            done.result(timeout=120)


def test_an_upgrade_that_fails_leaves_nothing_behind(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE evidence (id INTEGER)"))

    with pytest.raises(sa.exc.DBAPIError):
        upgrade(engine)

    assert sa.inspect(engine).get_table_names() == ["evidence"]
