"""What an upgrade makes of the rows that an older release wrote."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from watchkeeper_shared.db.engine import open_engine
from watchkeeper_shared.db.migrations import upgrade
from watchkeeper_shared.testing.servers.postgres_server import fresh_database

EVERYTHING = 2**63 - 1
FULL = 100


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def older(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[sa.Engine]:
    """A database of the release before samples said up to where they are whole."""
    if request.param == "sqlite":
        yield from engine_at(f"sqlite:///{tmp_path / 'older.db'}", "0007")
        return
    with fresh_database(request.getfixturevalue("postgres_url")) as url:
        yield from engine_at(url, "0007")


def engine_at(url: str, revision: str) -> Iterator[sa.Engine]:
    engine = open_engine(url)
    upgrade(engine, revision)
    yield engine
    engine.dispose()


@pytest.mark.parametrize(
    ("counted", "parts", "bounds"),
    [
        # Together they have every row: none was left out.
        (10, [(3, 30), (5, 50), (2, 20)], [EVERYTHING] * 3),
        (FULL, [(FULL, 70)], [EVERYTHING]),
        # The first is full, and what came later and belongs to it is whole.
        (900, [(FULL, 70), (1, 5), (2, 40)], [70, EVERYTHING, EVERYTHING]),
        (900, [(FULL, 70)], [70]),
        # A few rows, then many at once: only these were cut.
        (900, [(3, 90), (FULL, 70), (4, 60)], [90, 70, EVERYTHING]),
        # More rows are kept than when the first was full.
        (900, [(40, 30), (FULL, 70), (FULL, 60)], [30, 70, 60]),
    ],
)
def test_a_sample_of_before_is_whole_up_to_where_its_rows_were_cut(
    older: sa.Engine, counted: int, parts: list[tuple[int, int]], bounds: list[int]
) -> None:
    put(older, "mine", counted, parts)
    put(older, "other", 5_000, [(FULL, 1)])

    upgrade(older)

    assert largest_of(older, "mine") == bounds
    assert largest_of(older, "other") == [1]


def put(engine: sa.Engine, system: str, counted: int, parts: list[tuple[int, int]]) -> None:
    key = "system, version, reference, pane_start, pane_end, source"
    spot = f"'{system}', '1', 'r', 0, 60, 'predictions/0'"
    one = sa.text(
        f"INSERT INTO samples ({key}, part, rows, largest, sample) "
        f"VALUES ({spot}, :part, :rows, :largest, :sample)"
    )
    rows = [
        # As where parts were made one: numbers do not begin anew when the first is dropped.
        {"part": 3 + at, "rows": rows, "largest": largest, "sample": b"rows"}
        for at, (rows, largest) in enumerate(parts)
    ]
    with engine.begin() as c:
        c.execute(
            sa.text(f"INSERT INTO profiles ({key}, rows, profile) VALUES ({spot}, :rows, :it)"),
            {"rows": counted, "it": b"counts"},
        )
        c.execute(one, rows)


def largest_of(engine: sa.Engine, system: str) -> list[int]:
    query = sa.text("SELECT largest FROM samples WHERE system = :system ORDER BY part")
    with engine.connect() as c:
        return list(c.execute(query, {"system": system}).scalars())
