"""The page of metrics and the default policies are what the code says, and can be applied."""

from __future__ import annotations

from pathlib import Path

import pytest

from watchkeeper_alerting.applying.agreement import World, disagreements
from watchkeeper_alerting.applying.documents import SourceFile, read
from watchkeeper_monitor.metrics import CATALOGUE
from watchkeeper_monitor.metrics.limits import LIMITS
from watchkeeper_monitor.metrics.page import POLICIES, files, page
from watchkeeper_shared.metric_names import Worse, worse
from watchkeeper_shared.specs import OversightPolicy, Tier
from watchkeeper_shared.testing.builders import a_system

ROOT = next(one for one in Path(__file__).parents if (one / "pyproject.toml").exists())


@pytest.mark.parametrize("place", files(), ids=str)
def test_the_committed_file_is_current(place: Path) -> None:
    assert (ROOT / place).read_text(encoding="utf-8") == files()[place], "run `make docs`"


def test_every_metric_is_on_the_page_and_every_limit_is_of_a_metric() -> None:
    for name in CATALOGUE:
        assert f"| `{name}` |" in page()
    assert LIMITS.keys() <= CATALOGUE.keys()
    assert all(limit.source for limit in LIMITS.values())


@pytest.mark.parametrize("tier", Tier)
def test_the_default_policies_of_a_tier_can_be_applied_as_they_are(tier: Tier) -> None:
    text = (ROOT / POLICIES / f"{tier}.yaml").read_text(encoding="utf-8")
    documents, mistakes = read([SourceFile(f"{tier}.yaml", text)])

    assert not mistakes
    assert not disagreements(documents, World({"employment-ma": a_system()}))
    assert [one.name for one in documents] == [
        f"default-{tier}-{task}" for task in ("binary", "multiclass", "regression")
    ]
    for one in documents:
        assert isinstance(one.spec, OversightPolicy)
        assert one.spec.rules
        assert not one.spec.systems, "a default watches nothing until somebody names a system"


def test_a_default_limit_stands_on_the_bad_side_of_its_metric() -> None:
    sides = {name: Worse.LOWER if limit.below else Worse.HIGHER for name, limit in LIMITS.items()}

    assert {name: worse(name) for name in LIMITS} == sides


def test_a_higher_tier_never_allows_more() -> None:
    for name, limit in LIMITS.items():
        breaches = [
            limit.by_tier[tier][1] for tier in Tier if limit.by_tier.get(tier, (0, None))[1]
        ]
        ordered = sorted(breaches, key=lambda one: float(one or 0), reverse=not limit.below)
        assert breaches == ordered, name
