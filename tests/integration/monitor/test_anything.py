"""Whatever is on the topics: nothing stops the monitor, and what is good is counted once."""

from __future__ import annotations

from typing import Any

import msgspec
import pyarrow as pa
import sqlalchemy as sa

from watchkeeper_monitor.references import Reference
from watchkeeper_shared.db import tables
from watchkeeper_shared.specs import AISystem

LONG = ("S" * 128, "𝔘" * 128)


def crossed(world: Any) -> None:
    """Declare an intersection whose groups are as long as groups may be."""
    spec = world.spec()
    one, other = (f"{name}{'_' * 60}" for name in "AB")
    spec["groups"] = {
        one: {"reference": "1"},
        other: {"reference": "1"},
        f"{one}&{other}": {"reference": "1&1"},
    }
    world.apply("AISystem", "loans", spec)
    half = world.batch(0, 400)
    columns = dict(zip(half.schema.names, half.columns, strict=True))
    columns |= {f"groups.{one}": pa.array([LONG[0], "1"] * 200)}
    columns |= {f"groups.{other}": pa.array([LONG[1], LONG[1], "1", "1"] * 100)}
    rows = pa.RecordBatch.from_pydict({**columns, "label": columns["prediction"]})
    reference = Reference.build([rows], msgspec.convert(spec, AISystem), "loans", "1")
    with world.database.transaction() as c:
        c.execute(
            sa.insert(tables.references).values(
                id=reference.id,
                system="loans",
                version="1",
                current=True,
                rows=400,
                artifact=reference.to_bytes(),
                author="test",
                applied_at=world.clock.now(),
            )
        )
    world.send(pa.RecordBatch.from_pydict(columns))


def test_groups_of_an_intersection_may_be_as_long_as_groups_may_be(world: Any) -> None:
    crossed(world)
    rule = {
        "id": "fair",
        "metric": "demographic_parity_ratio",
        "below": True,
        "breach": 0.1,
        "min_rows": 1,
    }
    world.policy([rule])
    world.go_to(2)
    world.settle()

    found = world.all(tables.measurements, metric="selection_rate", current=True)
    both = [one.segment for one in found if all(group in one.segment for group in LONG)]

    assert len(both) == 1
    assert len(both[0]) > 255
