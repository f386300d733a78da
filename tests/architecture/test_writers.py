"""One writer per table: whoever else needs the rows reads them."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from watchkeeper_shared.db.tables import metadata

ROOT = Path(__file__).parents[2]
FOLDERS = {
    "shared": ROOT / "shared/watchkeeper_shared/db",
    "ingest": ROOT / "services/ingest",
    "monitor": ROOT / "services/monitor",
    "alerting": ROOT / "services/alerting",
}
_STATEMENT = re.compile(r"(?i:insert into|update|delete from) \"?(\w+)")
WRITES = {"insert", "update", "delete", "upsert"}


def _name(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _written_tables(source: str) -> Iterator[str]:
    """Yield table names that a file inserts into, updates or deletes from."""
    yield from (name.lower() for name in _STATEMENT.findall(source) if name in metadata.tables)
    if "tables" not in source:
        return  # its `positions.update(…)` is a dictionary's
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call) or _name(node.func) not in WRITES:
            continue
        candidates = [_name(one) for one in node.args[:2]]
        if isinstance(node.func, ast.Attribute):
            candidates.append(_name(node.func.value))
        yield from (one for one in candidates if one in metadata.tables)


def _writes() -> dict[tuple[str, str], str]:
    found: dict[tuple[str, str], str] = {}
    for folder in ("shared", "services", "cli"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            if {"migrations", "testing"} & set(path.parts):
                continue
            for table in _written_tables(path.read_text(encoding="utf-8")):
                found[(table, str(path.relative_to(ROOT)))] = table
    return found


def test_every_table_is_written_only_by_its_owner() -> None:
    strangers = [
        f"{path} writes {table}, which belongs to {metadata.tables[table].info['owner']}"
        for (table, path) in _writes()
        if not (ROOT / path).is_relative_to(FOLDERS[metadata.tables[table].info["owner"]])
    ]

    assert not strangers


def test_every_table_has_a_writer() -> None:
    written = set(_writes().values())

    assert written == set(metadata.tables), sorted(set(metadata.tables) - written)


def test_a_stranger_would_be_noticed() -> None:
    assert list(_written_tables("c.execute(sa.insert(tables.alerts).values(x))")) == ["alerts"]
    assert list(_written_tables("import tables; alerts.update()")) == ["alerts"]
    assert list(_written_tables("write(c, 'INSERT INTO predictions VALUES (?)')")) == [
        "predictions"
    ]
