"""Database URLs: what is taken, and what is refused with a word on what to write."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from watchkeeper_shared.db.engine import open_engine
from watchkeeper_shared.errors import ConfigError


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("mysql://host/db", "mysql://"),
        ("no url", "cannot be read"),
        ("sqlite://", "must be a file"),
        ("sqlite:///:memory:", "must be a file"),
        ("sqlite://data/x.db", "four slashes"),
        ("sqlite:////nowhere/at/all/x.db", "/nowhere/at/all"),
        ("postgresql://host", "no database"),
    ],
)
def test_a_url_that_cannot_work_is_refused(url: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        open_engine(url)


def test_a_password_never_stands_in_the_message() -> None:
    with pytest.raises(ConfigError) as told:
        open_engine("postgresql://user:s3cret@host:port/db")

    assert "s3cret" not in str(told.value)


@pytest.mark.parametrize(
    ("url", "host", "user"),
    [
        ("postgresql://u:p@db.example.org:5433/wk", "db.example.org", "u"),
        ("postgresql:///wk?host=/run/postgresql", "/run/postgresql", None),
        ("postgresql://u@/wk?host=/run/postgresql", "/run/postgresql", "u"),
        ("postgres://u@h/wk", "h", "u"),
    ],
)
def test_postgresql_is_reached_over_tcp_or_a_socket_folder(
    url: str, host: str, user: str | None
) -> None:
    engine = open_engine(url)
    arguments = engine.dialect.create_connect_args(engine.url)[1]

    assert engine.dialect.driver == "psycopg"
    assert (arguments["host"], arguments.get("user")) == (host, user)
    assert arguments["dbname"] == "wk"


def test_sqlite_is_durable_and_lets_readers_work_beside_a_writer(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'x.db'}")
    wanted = {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "busy_timeout": 30_000,
        "recursive_triggers": 1,
    }

    with engine.connect() as c:
        found = {one: c.execute(sa.text(f"PRAGMA {one}")).scalar_one() for one in wanted}
    engine.dispose()

    assert found == wanted
