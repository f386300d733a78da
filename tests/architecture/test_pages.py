"""Whatever a page names is there: paths, links, files, commands, settings, topics, rooms."""

import re
from dataclasses import fields
from pathlib import Path

from watchkeeper.main import COMMANDS
from watchkeeper_alerting.settings import AlertingSettings
from watchkeeper_ingest.settings import IngestSettings
from watchkeeper_monitor.settings import MonitorSettings
from watchkeeper_shared.settings import variable
from watchkeeper_shared.topics import TOPICS

ROOT = Path(__file__).parents[2]
FRONT = tuple(ROOT / name for name in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"))
FOLDERS = ("shared", "services", "cli", "tests", "docs", "deploy", "helm", "benchmarks")
FILES = [*ROOT.glob("*.*"), *(path for one in FOLDERS for path in (ROOT / one).rglob("*.*"))]
PAGES = {path: path.read_text("utf-8") for path in FILES if path.suffix == ".md"}
CODE = "".join(path.read_text("utf-8") for path in FILES if path.suffix == ".py")
SETTINGS = (AlertingSettings, IngestSettings, MonitorSettings)

_PATH = re.compile(rf"`((?:{'|'.join(FOLDERS)})/[\w./-]+)`")
_LINK = re.compile(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)")
_FILE = re.compile(r"`(?:[\w.-]+/)*([\w.-]+\.(?:py|md))`")
_COMMAND = re.compile(r"(?:^\.venv/bin/|`)watchkeeper ([a-z]+)", re.MULTILINE)
_TARGET = re.compile(r"`make ([a-z]+)`")
_VARIABLE = re.compile(r"WATCHKEEPER_[A-Z_]*[A-Z]")
_TOPIC = re.compile(r"`(watchkeeper\.[a-z]+\.v\d+)`")
_ROOM = re.compile(r"^\| … (.+?) \|", re.MULTILINE)


def named(what: re.Pattern[str]) -> set[tuple[Path, str]]:
    """Return what pages name, with the page."""
    found = {(page, name) for page, text in PAGES.items() for name in what.findall(text)}
    assert found, f"no page names {what.pattern}"
    return found


def test_the_search_finds_the_pages() -> None:
    assert len(PAGES) > 30
    assert all(_PATH.findall(PAGES[page]) and _TARGET.findall(PAGES[page]) for page in FRONT)


def test_paths_exist() -> None:
    assert [one for one in named(_PATH) if not (ROOT / one[1]).exists()] == []


def test_links_lead_somewhere() -> None:
    assert [one for one in named(_LINK) if not (one[0].parent / one[1]).exists()] == []


def test_files_exist_that_are_named_without_their_folder() -> None:
    names = {path.name for path in FILES}

    assert [one for one in named(_FILE) if one[1] not in names] == []


def test_commands_exist() -> None:
    assert [one for one in named(_COMMAND) if one[1] not in COMMANDS] == []


def test_make_targets_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))

    assert [one for one in named(_TARGET) if one[1] not in targets] == []


def test_variables_are_read() -> None:
    known = {variable(one.name) for settings in SETTINGS for one in fields(settings)}
    known |= {f"{name}_FILE" for name in known} | set(_VARIABLE.findall(CODE))

    assert [one for one in named(_VARIABLE) if one[1] not in known] == []


def test_the_map_names_every_topic_and_no_other() -> None:
    told = set(_TOPIC.findall(PAGES[ROOT / "ARCHITECTURE.md"]))

    assert told == {topic.name for topic in TOPICS}


def test_the_map_names_every_room_of_the_monitor_and_no_other() -> None:
    monitor = ROOT / "services/monitor/watchkeeper_monitor"
    lines = " ".join(_ROOM.findall(PAGES[ROOT / "ARCHITECTURE.md"]))

    told = re.findall(r"`(\w+)/`", lines)

    assert sorted(told) == sorted(path.parent.name for path in monitor.glob("*/__init__.py"))
