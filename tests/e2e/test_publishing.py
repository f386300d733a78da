"""Files on one side, judged windows on the other: the commands as a person types them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from watchkeeper_shared.testing.servers.postgres_server import fresh_database

MakeWorld = Callable[..., Any]


def of(world: Any) -> tuple[str, ...]:
    return ("--system", world.system, "--version", "1")


@pytest.fixture
def files(tmp_path: Path, hours: Callable[..., pa.RecordBatch]) -> dict[str, Path]:
    """Two hours of predictions as Parquet, their labels as CSV, one bad row as NDJSON."""
    batch = hours(range(2))
    found = {name: tmp_path / name for name in ("rows.parquet", "labels.csv", "bad.ndjson")}
    predictions = batch.drop_columns(["label", "system", "version"]).rename_columns(
        {"prediction": "yhat"}
    )
    pq.write_table(pa.Table.from_batches([predictions]), found["rows.parquet"])
    labels = pa.Table.from_batches([batch.select(["id", "time", "label"])])
    pyarrow.csv.write_csv(labels, found["labels.csv"])
    good = {"id": "g", "time": "2026-03-02T00:30:00Z", "prediction": 1, "score": 0.5}
    bad = good | {"id": "b", "score": 7.5}
    found["bad.ndjson"].write_text(f"{json.dumps(good)}\n{json.dumps(bad)}\n")
    return found


def test_files_are_published_and_the_same_again_changes_nothing(
    tmp_path: Path, launch: Any, make_world: MakeWorld, files: dict[str, Path]
) -> None:
    data = tmp_path / "data"
    up = launch("up", "--data", data, "--port", "0", env={})
    token = (data / "admin.token").read_text().strip()
    env = {"WATCHKEEPER_URL": up.url, "WATCHKEEPER_TOKEN": token}
    world = make_world(token, up.url)
    world.declare(tmp_path)
    words = ("publish", *of(world), "--labels", files["labels.csv"], "--map", "prediction=yhat")

    first = launch.run(*words, "--batch-rows", 500, files["rows.parquet"], env=env)
    second = launch.run(*words, files["rows.parquet"], env=env)
    partly = launch.run("publish", *of(world), files["bad.ndjson"], env=env)

    said = [
        "rows.parquet: 1,200 accepted, 0 duplicates, 0 rejected",
        "labels.csv: 1,200 accepted, 0 duplicates, 0 rejected",
    ]
    assert first.splitlines() == second.splitlines() == said
    assert partly.splitlines()[0] == "bad.ndjson: 1 accepted, 0 duplicates, 1 rejected"
    assert "out_of_range" in partly.splitlines()[1]
    world.sent = 1201
    world.expect("each prediction counts once", world.hours_judged())
    world.expect(
        "labels joined", lambda: world.values("label_coverage").get(1, {}).get("value") == 1.0
    )


@pytest.mark.kafka
@pytest.mark.postgres
def test_files_go_straight_onto_a_real_kafka(
    tmp_path: Path,
    launch: Any,
    make_world: MakeWorld,
    files: dict[str, Path],
    kafka_bootstrap: str,
    postgres_url: str,
) -> None:
    with fresh_database(postgres_url) as url:
        env = {"WATCHKEEPER_KAFKA_BOOTSTRAP": kafka_bootstrap, "WATCHKEEPER_DATABASE_URL": url}
        launch.run("db", "upgrade", env=env)
        launch.run("topics", "create", env=env)
        made = launch.run("key", "create", "--role", "admin", "--name", "ops", env=env)
        alerting, _ = (launch(name, "--port", "0", env=env) for name in ("alerting", "monitor"))
        world = make_world(made.split()[-1], alerting.url)
        world.declare(tmp_path)

        words = ("publish", *of(world), "--transport", "kafka", "--map", "prediction=yhat")
        said = launch.run(*words, files["rows.parquet"], env=env)

        assert said == "rows.parquet: 1,200 accepted, 0 duplicates, 0 rejected\n"
        world.expect("both hours are measured", lambda: _volumes(world) == {0: 600.0, 1: 600.0})
        launch.end_all()


def _volumes(world: Any) -> dict[int, float]:
    found = world.values("volume")
    return {hour: found[hour]["value"] for hour in (0, 1) if hour in found}
