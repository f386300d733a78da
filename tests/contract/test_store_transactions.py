"""What a transaction promises, on SQLite and on PostgreSQL."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from watchkeeper_shared.db import tables
from watchkeeper_shared.db.engine import open_engine
from watchkeeper_shared.db.unit_of_work import Database
from watchkeeper_shared.errors import Conflict, InvalidObject, StoreUnavailable

NOW = datetime(2026, 11, 23, 6, tzinfo=UTC)


def note(c: sa.Connection, name: str) -> None:
    c.execute(sa.insert(tables.leases).values(name=name, holder="me", expires_at=NOW))


def names(database: Database) -> set[str]:
    with database.read() as c:
        return set(c.execute(sa.select(tables.leases.c.name)).scalars())


def test_what_was_committed_is_there_for_another_process(
    database: Database, database_url: str
) -> None:
    with database.transaction() as c:
        note(c, "one")

    other = Database(open_engine(database_url))
    assert names(other) == {"one"}
    other.close()


def test_an_error_of_any_kind_undoes_the_whole_transaction(database: Database) -> None:
    with pytest.raises(ZeroDivisionError), database.transaction() as c:  # noqa: PT012
        note(c, "one")
        _ = 1 / 0

    assert names(database) == set()


def test_a_refused_key_is_a_conflict_and_undoes_the_rest(database: Database) -> None:
    with database.transaction() as c:
        note(c, "one")

    with pytest.raises(Conflict, match="refuses the change"), database.transaction() as c:  # noqa: PT012
        note(c, "two")
        note(c, "one")

    assert names(database) == {"one"}


def test_a_text_that_the_database_cannot_hold_is_the_senders_mistake_and_no_bug(
    database: Database,
) -> None:
    holds_it = database.engine.dialect.name == "sqlite"
    told = nullcontext() if holds_it else pytest.raises(InvalidObject, match="NUL")

    with told, database.transaction() as c:
        note(c, "a\0b")

    assert names(database) == ({"a\0b"} if holds_it else set())


def test_a_mistake_in_a_statement_is_not_called_an_outage(database: Database) -> None:
    with pytest.raises(sa.exc.DBAPIError), database.read() as c:
        c.execute(sa.text("SELECT nothing FROM nowhere"))


def test_a_reader_cannot_write(database: Database) -> None:
    with pytest.raises(sa.exc.DBAPIError), database.read() as c:
        note(c, "one")

    assert names(database) == set()


def test_a_reader_sees_one_moment_while_others_write(database: Database) -> None:
    with database.read() as c:
        before = c.execute(sa.select(sa.func.count()).select_from(tables.leases)).scalar_one()
        with database.transaction() as writer:
            note(writer, "one")
        after = c.execute(sa.select(sa.func.count()).select_from(tables.leases)).scalar_one()

    assert (before, after) == (0, 0)
    assert names(database) == {"one"}


def test_writers_that_come_together_wait_for_each_other_and_lose_nothing(
    database: Database,
) -> None:
    together = threading.Barrier(4)
    with database.transaction() as c:
        c.execute(sa.insert(tables.tallies).values(system="s", name="n", value=0))

    def count_up() -> None:
        together.wait(timeout=30)
        for _ in range(25):
            with database.transaction() as c:
                row = sa.select(tables.tallies.c.value).where(tables.tallies.c.system == "s")
                value = c.execute(row.with_for_update()).scalar_one()
                c.execute(sa.update(tables.tallies).values(value=value + 1))

    with ThreadPoolExecutor(4) as threads:
        for done in [threads.submit(count_up) for _ in range(4)]:
            done.result(timeout=60)

    with database.read() as c:
        assert c.execute(sa.select(tables.tallies.c.value)).scalar_one() == 100


def test_instants_come_back_to_the_microsecond_and_in_utc(database: Database) -> None:
    instant = datetime(2026, 11, 23, 6, 0, 0, 123457, tzinfo=UTC)
    with database.transaction() as c:
        c.execute(sa.insert(tables.leases).values(name="n", holder="h", expires_at=instant))

    with database.read() as c:
        assert c.execute(sa.select(tables.leases.c.expires_at)).scalar_one() == instant


def test_a_database_that_answers_is_ready(database: Database) -> None:
    database.ping()


@pytest.mark.postgres
def test_a_server_that_is_not_there_is_an_outage_that_may_end() -> None:
    database = Database(open_engine("postgresql://nobody@127.0.0.1:1/none"))

    with pytest.raises(StoreUnavailable, match="does not answer"):
        database.ping()


@pytest.mark.postgres
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_server_that_takes_no_writes_any_more_is_left(
    database: Database, postgres_url: str
) -> None:
    def demote(is_standby: str) -> None:
        server = open_engine(postgres_url).execution_options(isolation_level="AUTOCOMMIT")
        with server.connect() as c:
            name = database.engine.url.database
            said = f'ALTER DATABASE "{name}" SET default_transaction_read_only = {is_standby}'
            c.execute(sa.text(said))
        server.dispose()

    def write(name: str) -> None:
        with database.transaction() as c:
            note(c, name)

    demote("on")
    with pytest.raises(StoreUnavailable, match="read-only"):
        write("one")
    demote("off")
    write("two")  # not on the connection from before

    assert names(database) == {"two"}


@pytest.mark.postgres
def test_connections_that_the_server_closed_are_replaced(
    postgres_url: str, migrated_postgres: str
) -> None:
    database = Database(open_engine(migrated_postgres))
    database.ping()

    admin = open_engine(postgres_url)
    with admin.connect() as c:
        mine = sa.make_url(migrated_postgres).database
        c.execute(
            sa.text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name"),
            {"name": mine},
        )
    admin.dispose()

    database.ping()
    database.close()
