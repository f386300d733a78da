"""Pages that name files, topics, modules or commands are data: they are held to the tree."""

import re
from pathlib import Path

import pytest

from watchkeeper_shared.topics import TOPICS

ROOT = Path(__file__).parents[2]
PAGES = ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md")
_PATH = re.compile(r"`((?:shared|services|cli|tests|docs|deploy|helm|benchmarks)/[\w./-]+)`")
_TOPIC = re.compile(r"`(watchkeeper\.[a-z]+\.v\d+)`")
_TARGET = re.compile(r"`make ([a-z]+)`")


@pytest.mark.parametrize("page", PAGES)
def test_a_path_that_a_page_names_exists(page: str) -> None:
    named = _PATH.findall((ROOT / page).read_text(encoding="utf-8"))

    assert named
    assert [path for path in named if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("page", PAGES)
def test_a_make_target_that_a_page_names_exists(page: str) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))

    named = set(_TARGET.findall((ROOT / page).read_text(encoding="utf-8")))

    assert named
    assert named <= targets


def test_the_map_names_every_topic_and_no_other() -> None:
    named = set(_TOPIC.findall((ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")))

    assert named == {topic.name for topic in TOPICS}


def test_every_decision_record_has_its_parts() -> None:
    records = sorted((ROOT / "docs/adr").glob("[0-9]*.md"))

    assert len(records) >= 5
    for record in records:
        text = record.read_text(encoding="utf-8")
        for part in ("Status:", "## Context", "## Decision"):
            assert part in text, f"{record.name} lacks {part}"


def test_no_page_claims_conformity_with_the_standard() -> None:
    claim = re.compile(r"42001[- ](compliant|certified|conformant)", re.IGNORECASE)

    for page in ROOT.glob("**/*.md"):
        if ".venv" not in page.parts and "build" not in page.parts:
            assert not claim.search(page.read_text(encoding="utf-8")), page
