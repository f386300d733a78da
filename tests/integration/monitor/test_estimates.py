"""A breach that an estimate opened, and one that it may not touch, told as labels come."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
import sqlalchemy as sa

from watchkeeper_monitor.references.reference import Reference
from watchkeeper_shared.db import tables
from watchkeeper_shared.specs import AISystem

DAY = timedelta(days=1)
START = datetime(2026, 3, 2, tzinfo=UTC)
ROWS = 1_500
RULES = [
    {"id": "early", "metric": "estimated_accuracy", "below": True, "breach": 0.65, "dispersion": 1},
    {"id": "late", "metric": "accuracy", "below": True, "breach": 0.65, "dispersion": 1},
]


def rows(day: int, *, unsure: bool = False) -> pa.RecordBatch:
    rng = np.random.default_rng(day + 50)
    score = np.round(rng.uniform(0.45, 0.55, ROWS) if unsure else rng.uniform(0, 1, ROWS), 3)
    return pa.RecordBatch.from_pydict(
        {
            "id": pa.array([f"{day}-{number}" for number in range(ROWS)]),
            "system": pa.array(["loans"] * ROWS),
            "version": pa.array(["1"] * ROWS),
            "time": pa.array([START + day * DAY] * ROWS, pa.timestamp("us", "UTC")),
            "prediction": pa.array((score >= 0.5).astype(np.int64)),
            "score": pa.array(score),
            "features.AGE": pa.array(rng.normal(40, 8, ROWS)),
            "groups.SEX": pa.array(rng.choice(["1", "2"], ROWS).tolist()),
        }
    )


def truth(batch: pa.RecordBatch, day: int) -> npt.NDArray[np.int64]:
    chance = np.random.default_rng(day + 900).uniform(size=batch.num_rows)
    return np.asarray(chance < batch.column("score").to_numpy(), dtype=np.int64)


@pytest.fixture
def calibrated(world: Any) -> Any:
    """The world with a reference whose scores are probabilities, and both rules."""
    batch = rows(-9)
    batch = batch.append_column("label", pa.array(truth(batch, -9)))
    spec = msgspec.convert(
        world.all(tables.objects, kind="AISystem", current=True)[0].spec, AISystem
    )
    built = Reference.build([batch], spec, "loans", "1")
    with world.database.transaction() as c:
        c.execute(
            sa.insert(tables.references).values(
                id=built.id,
                system="loans",
                version="1",
                current=True,
                rows=ROWS,
                artifact=built.to_bytes(),
                author="test",
                applied_at=world.clock.now(),
            )
        )
    world.policy(RULES)
    return world


def live(world: Any, day: int, *, unsure: bool = False) -> pa.RecordBatch:
    world.go_to(day + 0.5)
    batch = rows(day, unsure=unsure)
    world.send(batch)
    world.settle()
    world.go_to(day + 1.1)
    world.settle()
    return batch


def label(world: Any, batch: pa.RecordBatch, values: npt.NDArray[np.int64]) -> None:
    world.label(batch.column("id").to_pylist(), [str(one) for one in values.tolist()])
    world.settle()


def told(world: Any) -> list[tuple[str, str, int]]:
    return [(kind, event.rule, (event.window.start - START).days) for kind, event in world.told()]


def test_an_estimate_opens_a_breach_and_labels_end_it(calibrated: Any) -> None:
    live(calibrated, 0)
    live(calibrated, 1, unsure=True)
    assert told(calibrated) == [("opened", "early", 1)]

    good = live(calibrated, 2)
    assert [one for one in told(calibrated) if one[0] == "cleared"] == []
    assert calibrated.now_measured("estimated_accuracy", 2).state == "ok"

    label(calibrated, good, truth(good, 2))
    assert ("cleared", "early", 2) in told(calibrated)
    assert abs(calibrated.now_measured("estimation_error_accuracy", 2).value) < 0.05


def test_good_estimates_leave_a_breach_that_labels_opened_alone(calibrated: Any) -> None:
    batch = live(calibrated, 0)
    label(calibrated, batch, 1 - truth(batch, 0))
    assert told(calibrated) == [("opened", "late", 0)]

    for day in (1, 2):
        live(calibrated, day)
        assert calibrated.now_measured("estimated_accuracy", day).state == "ok"
        assert ("cleared", "late", day) not in told(calibrated)

    (episode,) = calibrated.all(tables.episodes)
    assert (episode.rule, episode.state) == ("late", "open")


def test_labels_that_contradict_a_good_estimate_keep_its_breach_open(calibrated: Any) -> None:
    live(calibrated, 0, unsure=True)
    seemingly_good = live(calibrated, 1)
    told(calibrated)

    label(calibrated, seemingly_good, 1 - truth(seemingly_good, 1))

    assert ("opened", "late", 1) in told(calibrated)
    states = {row.rule: row.state for row in calibrated.all(tables.episodes)}
    assert states == {"early": "open", "late": "open"}
