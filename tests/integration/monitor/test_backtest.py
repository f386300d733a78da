"""A policy replayed over stored profiles tells what the judge told, and what another would."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from click.testing import CliRunner

from watchkeeper.main import group
from watchkeeper_monitor.backtesting import sharing
from watchkeeper_monitor.backtesting.reporting import Line, Report
from watchkeeper_monitor.backtesting.running import Backtest, Question
from watchkeeper_monitor.profiles import Profile
from watchkeeper_monitor.references.reference import Reference, add_rows
from watchkeeper_monitor.store import panes
from watchkeeper_monitor.store.panes import PaneKey
from watchkeeper_monitor.windows.spans import Span
from watchkeeper_shared.db import tables
from watchkeeper_shared.db.registry import Applied, Registry
from watchkeeper_shared.specs import OversightPolicy, WindowSpec

DAY = timedelta(days=1)
DRIFT = {"id": "drift", "metric": "psi", "columns": ["*"], "breach": 0.25, "min_rows": 100}
ACCURACY = {"id": "accuracy", "metric": "accuracy", "below": True, "breach": 0.7, "min_rows": 50}
START = datetime(2026, 3, 2, tzinfo=UTC)
DAYS, ROWS = 12, 400
DRIFTED = (3, 4, 7, 11)
WRONG = (5, 6, 7)


@pytest.fixture
def lived(referenced: Any) -> Any:
    """Twelve days of traffic with labels: drift on some, wrong answers on others."""
    world = referenced
    for day in range(DAYS):
        world.go_to(day + 1)
        ids = world.predict(day, drifted=day in DRIFTED)
        world.settle()
        said = rows(day).column("prediction").to_numpy()
        right = 1 - said if day in WRONG else said
        world.label(ids, [str(one) for one in right.tolist()])
        world.settle()
    world.go_to(DAYS + 0.5)
    world.settle()
    return world


@pytest.fixture
def stored(referenced: Any) -> Any:
    """The profiles of the same twelve days, put where the monitor would have put them."""
    world = referenced
    row = world.all(tables.references)[0]
    grid = Reference.from_bytes(row.artifact).grid
    with world.database.transaction() as c:
        for day in range(DAYS):
            batch = rows(day)
            said = batch.column("prediction").to_numpy()
            right = 1 - said if day in WRONG else said
            profile = Profile.empty(grid)
            add_rows(profile, batch.append_column("label", pa.array(right)))
            span = Span(START + day * DAY, START + (day + 1) * DAY)
            key = PaneKey("loans", "1", row.id, span)
            panes.merge_profile(c, key, "predictions/0", profile, grid, batch.num_rows)
            panes.touch(c, [key])
    world.go_to(DAYS + 0.5)
    return world


def rows(day: int) -> pa.RecordBatch:
    """The rows that the world publishes on a day."""
    rng = np.random.default_rng(day)
    age = rng.normal(60 if day in DRIFTED else 40, 8, ROWS)
    score = rng.uniform(0, 1, ROWS)
    return pa.RecordBatch.from_pydict(
        {
            "prediction": pa.array((score >= 0.5).astype(np.int64)),
            "score": pa.array(score),
            "features.AGE": pa.array(age),
            "features.JOB": pa.array(rng.choice(["a", "b", "c"], ROWS).tolist()),
            "groups.SEX": pa.array(rng.choice(["1", "2"], ROWS).tolist()),
        }
    )


def ask(world: Any, rules: list[dict[str, Any]], days: float = 30, **spec: Any) -> Report:
    window = {"size": "1d", "lateness": "1h"}
    whole = {"systems": ["loans"], "window": window, "rules": rules} | spec
    policy = Applied("loans", 0, "new", msgspec.convert(whole, OversightPolicy))
    registry = Registry(world.database, world.clock)
    registry.refresh()
    now = world.clock.now()
    return Backtest(world.database, registry, Question(policy, now - days * DAY, now)).run()


def told(lines: list[Line], change: str) -> list[tuple[str, str, int]]:
    return [
        (one.rule, one.column, one.opened.start.day - 2) for one in lines if one.change == change
    ]


def test_every_breach_is_replayed_as_it_was_told(lived: Any) -> None:
    told_of = [row for row in lived.all(tables.episodes) if row.state != "withdrawn"]
    expected = {(row.rule, row.column, row.opened_window, row.cleared_window) for row in told_of}
    reasons = {one.reason for one in lived.all(tables.measurements, state="breach", current=True)}

    same = ask(lived, [DRIFT, ACCURACY])
    lived.apply("OversightPolicy", "loans", {"systems": ["loans"], "rules": []})
    anew = ask(lived, [DRIFT, ACCURACY])

    assert len(expected) == 4
    assert same.totals == {"gained": 0, "lost": 0, "kept": 4}
    assert not same.breaches
    assert not same.skipped
    assert same.windows == DAYS
    assert {
        (one.rule, one.column, one.opened.start, one.cleared) for one in anew.breaches
    } == expected
    assert {one.reason for one in anew.breaches} <= reasons


def test_a_higher_limit_loses_breaches_and_a_new_rule_gains_one(stored: Any) -> None:
    lenient = DRIFT | {"breach": 50.0}
    recall = ACCURACY | {"id": "recall", "metric": "recall"}

    report = ask(stored, [lenient, ACCURACY, recall])

    assert told(report.breaches, "lost") == [("drift", "AGE", day) for day in (3, 7, 11)]
    assert told(report.breaches, "gained") == [("recall", "", 5)]
    assert report.totals == {"gained": 1, "lost": 3, "kept": 1}
    lost = next(one for one in report.breaches if one.change == "lost")
    assert lost.value is not None
    assert lost.value > 0.25
    assert "at or above 0.25" in lost.reason


def test_only_windows_since_then_are_looked_at(stored: Any) -> None:
    report = ask(stored, [DRIFT | {"breach": 50.0}, ACCURACY], days=6)

    assert told(report.breaches, "lost") == [("drift", "AGE", day) for day in (7, 11)]
    assert report.windows == 5


def test_windows_that_are_judged_together_are_whole_though_they_began_before(stored: Any) -> None:
    """Days 2 to 5 are judged together on day 5; the days that drifted lie before it."""
    stored.policy([DRIFT | {"breach": 50}])  # so that nothing is in force that could be passed

    found = told(ask(stored, [DRIFT], days=7.5).breaches, "gained")

    assert ("drift", "AGE", 5) in found


def test_windows_smaller_than_what_is_stored_are_named(stored: Any) -> None:
    report = ask(stored, [DRIFT], window={"size": "6h", "lateness": "1h"})

    named = {(one.policy, one.window.start.day - 2, one.reason) for one in report.skipped}
    reason = "a pane of 1 day, 0:00:00 is in no window of 6h"
    assert named == {("new", day, reason) for day in range(DAYS)}
    assert report.windows == 0


def test_larger_windows_are_merged_from_the_same_panes(stored: Any) -> None:
    report = ask(stored, [DRIFT], window={"size": "2d", "step": "1d", "lateness": "1h"})

    assert not report.skipped
    assert report.windows >= DAYS - 1
    assert report.totals["kept"] > 0


def test_without_a_policy_in_force_every_breach_is_gained(stored: Any) -> None:
    policy = {"systems": ["loans"], "rules": [DRIFT], "window": {"size": "1d"}}
    registry = Registry(stored.database, stored.clock)
    registry.refresh()
    now = stored.clock.now()
    applied = Applied("other", 0, "new", msgspec.convert(policy, OversightPolicy))

    report = Backtest(stored.database, registry, Question(applied, now - 30 * DAY, now)).run()

    assert report.totals == {"gained": 3, "lost": 0, "kept": 0}
    assert report.notes == ["no policy 'other' is in force: every breach is gained"]


def test_a_backtest_writes_nothing(stored: Any) -> None:
    before = [stored.all(table) for table in (tables.measurements, tables.episodes, tables.windows)]

    ask(stored, [DRIFT | {"breach": 0.01}])

    after = [stored.all(table) for table in (tables.measurements, tables.episodes, tables.windows)]
    assert after == before


def test_processes_that_share_the_work_give_one_answer(
    stored: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored.apply("AISystem", "other", stored.all(tables.objects, kind="AISystem")[0].spec)
    monkeypatch.setattr(sharing, "FEW", 0)
    window = WindowSpec(size="1d", lateness="1h")
    policy = OversightPolicy(systems=("loans", "other"), rules=(), window=window)
    now = stored.clock.now()
    question = Question(Applied("loans", 0, "new", policy), now - 30 * DAY, now)
    url = stored.database.engine.url.render_as_string(hide_password=False)

    shared, alone = (sharing.run(url, question, processes) for processes in (2, 1))

    assert shared == alone
    assert shared.systems == 2
    assert shared.totals == {"gained": 0, "lost": 4, "kept": 0}


def test_the_command_prints_a_table_and_json(
    stored: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = json.dumps([DRIFT | {"breach": 50.0}, ACCURACY])
    file = tmp_path / "new.yaml"
    file.write_text(
        "apiVersion: watchkeeper/v1\nkind: OversightPolicy\nmetadata: {name: loans}\n"
        f"spec:\n  systems: [loans]\n  window: {{size: 1d, lateness: 1h}}\n  rules: {rules}\n"
    )
    url = stored.database.engine.url.render_as_string(hide_password=False)
    monkeypatch.setenv("WATCHKEEPER_DATABASE_URL", url)
    words = ["backtest", "--policy", str(file), "--since", "2026-03-01", "--until", "2026-03-20"]

    shown = CliRunner().invoke(group, words)
    data = CliRunner().invoke(group, [*words, "--json"])

    assert shown.exit_code == 0, shown.output
    first = shown.output.splitlines()[0]
    assert first.startswith("policy loans over")
    assert first.endswith("breaches 0 gained, 3 lost, 1 kept")
    assert "lost    loans 1  drift  psi of AGE  2026-03-05 00:00  2026-03-07 00:00" in shown.output
    report = msgspec.json.decode(data.output, type=Report)
    assert report.totals == {"gained": 0, "lost": 3, "kept": 1}


def test_a_mistake_in_the_file_is_named_with_its_line(
    stored: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "new.yaml"
    file.write_text(
        "apiVersion: watchkeeper/v1\nkind: OversightPolicy\nmetadata: {name: loans}\n"
        "spec:\n  systems: [loans]\n  rules:\n    - {id: a, metric: pssi}\n"
    )
    url = stored.database.engine.url.render_as_string(hide_password=False)
    monkeypatch.setenv("WATCHKEEPER_DATABASE_URL", url)

    wrong = CliRunner().invoke(group, ["backtest", "--policy", str(file), "--since", "90d"])

    assert wrong.exit_code == 1
    assert f"{file}:7: rule a: unknown metric 'pssi'" in wrong.output
