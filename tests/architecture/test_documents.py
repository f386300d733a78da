"""What pages claim of tests, decisions, defaults and conformity is held to the code."""

import re
from dataclasses import fields
from datetime import timedelta
from pathlib import Path

from watchkeeper_alerting.settings import AlertingSettings
from watchkeeper_monitor.settings import MonitorSettings
from watchkeeper_shared.settings import read, variable
from watchkeeper_shared.specs import parse_duration

ROOT = Path(__file__).parents[2]
_SETTING = re.compile(r"^\| `([A-Z_]+)` \| (\S+) \|", re.MULTILINE)
_SHORT = re.compile(r"Where all labels\ncome within a week, set (.+) to `(\w+)`")
_TEST = re.compile(r"`(test_\w+)`")


def test_every_line_on_bad_input_names_a_test_that_exists() -> None:
    lines = (ROOT / "docs/bad-input.md").read_text(encoding="utf-8").splitlines()
    named = [_TEST.findall(line) for line in lines if line.startswith("| ")]
    code = "".join(one.read_text(encoding="utf-8") for one in ROOT.glob("tests/**/test_*.py"))

    assert [line for line in named if not line] == [[]] * 5  # the heads of the five tables
    assert [one for tests in named for one in tests if f"def {one}(" not in code] == []


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


def test_the_defaults_of_what_is_kept_and_of_the_log_are_those_of_the_settings() -> None:
    told = dict(_SETTING.findall((ROOT / "docs/deploy.md").read_text(encoding="utf-8")))
    log = {"LOG_PATH", "LOG_RETENTION", "LOG_RETENTION_BYTES", "TOPIC_PARTITIONS"}
    every = (*fields(MonitorSettings), *fields(AlertingSettings))
    kept = {one.name.upper() for one in every if "retention" in one.name}
    defaults = {one.name.upper(): one.default for one in every}

    assert {*log, *kept, "LABEL_HORIZON", "KAFKA_SESSION_TIMEOUT"} <= set(told)
    assert {name: _shown(defaults[name], text) for name, text in told.items()} == told


def _shown(default: object, text: str) -> str:
    """Return a default as the page writes it; a duration may be written in any unit."""
    if isinstance(default, timedelta):
        return text if parse_duration(text) == default else str(default)
    return "–" if default is None else str(default)


def test_the_short_retentions_that_the_page_recommends_may_be_set_together() -> None:
    (recommended,) = _SHORT.findall((ROOT / "docs/deploy.md").read_text(encoding="utf-8"))
    names = re.findall(r"`(\w+)`", recommended[0])
    env = {"WATCHKEEPER_DATABASE_URL": "sqlite:///w.db", "WATCHKEEPER_LOG_PATH": "log.db"}

    settings = read(MonitorSettings, env | {variable(name): recommended[1] for name in names})

    assert {name for name in names if getattr(settings, name.lower()).days == 7} == {
        *("LABEL_HORIZON", "LABEL_PATIENCE", "PANE_RETENTION", "SAMPLE_RETENTION")
    }
