"""Versions that nobody declared are watched up to a stated number, and declared ones always."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pyarrow as pa
import pytest
import sqlalchemy as sa
from tests.integration.monitor.conftest import PACE, SYSTEM, World, labels

from watchkeeper_monitor.flush.versions import FORGET
from watchkeeper_monitor.windows.resolution import Held
from watchkeeper_shared.db import tables
from watchkeeper_shared.events.rows import Kind


@pytest.fixture
def undeclared(world: World) -> World:
    """A system that declares no versions, and a monitor that watches three of it."""
    declare(world)
    begin_anew(world)
    return world


def declare(world: World, *versions: str) -> None:
    features = {"features": {"AGE": "numeric", "JOB": "categorical"}}
    world.apply("AISystem", SYSTEM, world.spec() | {"versions": dict.fromkeys(versions, features)})


def begin_anew(world: World) -> None:
    world.monitor.stop()
    world.monitor = world.new_monitor(replace(PACE, undeclared_versions=3))


def send(world: World, day: int, versions: Sequence[str]) -> None:
    """Send one row of each version, and let them be stored and judged."""
    batch = world.batch(day, len(versions), seed=day)
    at = batch.schema.get_field_index("version")
    world.send(batch.set_column(at, "version", pa.array(list(versions))))
    world.go_to(day + 1)
    world.settle()


def watched(world: World) -> set[str]:
    return {row.version for row in world.all(tables.panes)}


def test_rows_of_further_versions_are_refused_counted_and_told(
    undeclared: World, caplog: pytest.LogCaptureFixture
) -> None:
    send(undeclared, 0, ["a", "b", "c", "d", "e", "a"])

    assert watched(undeclared) == {"a", "b", "c"}
    assert undeclared.tally("rejected_unknown_version") == 2
    (told,) = [one for one in caplog.records if one.getMessage() == "versions_beyond_limit"]
    assert "WATCHKEEPER_UNDECLARED_VERSIONS" in told.__dict__["reason"]
    assert told.__dict__["refused"] == ["d", "e"]


def test_those_that_came_first_stay_after_a_restart(undeclared: World) -> None:
    send(undeclared, 0, ["a", "b"])
    begin_anew(undeclared)

    send(undeclared, 1, ["d", "c", "b", "a"])

    assert watched(undeclared) == {"a", "b", "d"}
    assert undeclared.measured("volume", 1, version="a")


def test_what_is_declared_has_no_limit(undeclared: World) -> None:
    send(undeclared, 0, ["a", "b", "c", "d"])
    declare(undeclared, "a", "b", "c", "d", "e")

    send(undeclared, 1, ["a", "b", "c", "d", "e"])

    assert watched(undeclared) == {"a", "b", "c", "d", "e"}


def test_a_version_that_was_rolled_up_makes_room(undeclared: World) -> None:
    send(undeclared, 0, ["a", "b", "c"])
    with undeclared.database.transaction() as c:
        is_a = tables.panes.c.version == "a"
        c.execute(sa.update(tables.panes).where(is_a).values(held=Held.ROLLED.value))
    undeclared.clock.set(undeclared.clock.now() + FORGET)

    send(undeclared, 2, ["d"])

    assert "d" in watched(undeclared)


def test_labels_that_name_no_version_are_taken(undeclared: World) -> None:
    send(undeclared, 0, ["a", "b", "c"])
    ids = undeclared.batch(0, 3, seed=0).column("id").to_pylist()

    undeclared.send(labels(ids, ["1"] * 3, undeclared.clock.now()), Kind.LABELS)
    undeclared.settle()

    assert undeclared.tally("rejected_unknown_version") == 0
    found = undeclared.measured("label_coverage", 0)
    assert {row.value for row in found if row.current} == {1.0}
