"""A file that grows past 300 lines holds two ideas."""

from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PRODUCTION = ("shared", "services", "cli")

MOST_LINES = 300


def production_files() -> Iterator[Path]:
    for folder in PRODUCTION:
        for path in sorted((ROOT / folder).rglob("*.py")):
            if "versions" not in path.parts:
                yield path


def test_the_search_finds_the_code() -> None:
    assert len(list(production_files())) > 60


@pytest.mark.parametrize(
    "path", list(production_files()), ids=lambda path: str(path.relative_to(ROOT))
)
def test_a_file_holds_one_idea(path: Path) -> None:
    name = str(path.relative_to(ROOT))
    lines = len(path.read_text(encoding="utf-8").splitlines())

    assert lines <= MOST_LINES, f"{name} has {lines} lines; split it by nouns"
