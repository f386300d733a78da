"""The read model of what was applied: complete, cheap to ask, and steady in an outage."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from watchkeeper_shared.db.registry import Registry
from watchkeeper_shared.db.tables import objects, references
from watchkeeper_shared.db.unit_of_work import Database
from watchkeeper_shared.errors import NotFound, StoreUnavailable
from watchkeeper_shared.specs import (
    AISystem,
    Channel,
    FeatureKind,
    OversightPolicy,
    Owner,
    Rule,
    Task,
    VersionSpec,
)
from watchkeeper_shared.testing.clocks import ManualClock

NOW = datetime(2026, 11, 23, 6, tzinfo=UTC)
A_SECOND = timedelta(seconds=1)


def system(purpose: str = "p", *versions: str) -> AISystem:
    return AISystem(
        owner=Owner(team="t", contact="c"),
        purpose=purpose,
        task=Task.BINARY,
        features={"AGEP": FeatureKind.NUMERIC},
        versions={one: VersionSpec(features={"X": FeatureKind.NUMERIC}) for one in versions},
    )


def apply(
    database: Database,
    kind: str,
    name: str,
    spec: Any,
    *,
    at: datetime = NOW,
    withdrawn: str | None = None,
) -> int:
    """Store a new revision as the control plane does."""
    with database.transaction() as c:
        mine = sa.and_(objects.c.kind == kind, objects.c.name == name)
        last = c.execute(sa.select(sa.func.max(objects.c.revision)).where(mine)).scalar() or 0
        c.execute(sa.update(objects).where(mine).values(current=False))
        c.execute(
            sa.insert(objects).values(
                kind=kind,
                name=name,
                revision=last + 1,
                current=True,
                hash=f"{last + 1:064}",
                spec=msgspec.to_builtins(spec),
                author="ada",
                applied_at=at,
                withdrawn=withdrawn,
            )
        )
        return int(last) + 1


def refer(database: Database, reference: str, version: str = "1", at: datetime = NOW) -> None:
    with database.transaction() as c:
        same = sa.and_(references.c.system == "s", references.c.version == version)
        c.execute(sa.update(references).where(same).values(current=False))
        c.execute(
            sa.insert(references).values(
                id=reference,
                system="s",
                version=version,
                current=True,
                rows=3,
                artifact=reference.encode(),
                author="ada",
                applied_at=at,
            )
        )


@pytest.fixture
def registry(database: Database, clock: ManualClock) -> Registry:
    return Registry(database, clock)


def test_everything_current_is_read_as_it_was_applied(
    database: Database, registry: Registry
) -> None:
    policy = OversightPolicy(systems=("s",), rules=(Rule(id="r", metric="psi", breach=0.25),))
    channel = Channel(type="webhook", url="http://127.0.0.1/hook")
    apply(database, "AISystem", "s", system("old"))
    apply(database, "AISystem", "s", system("new"))
    apply(database, "OversightPolicy", "p", policy)
    apply(database, "Channel", "oncall", channel)

    registry.refresh()

    assert registry.systems() == {"s": system("new")}
    assert registry.system("s") == system("new")
    assert registry.system("none") is None
    assert registry.policies()["p"].spec == policy
    assert (registry.policies()["p"].name, registry.policies()["p"].revision) == ("p", 1)
    assert [one.name for one in registry.policies_for("s")] == ["p"]
    assert registry.policies_for("none") == ()
    assert registry.channels()["oncall"].spec == channel


def test_versions_are_those_declared_and_those_with_a_reference(
    database: Database, registry: Registry
) -> None:
    apply(database, "AISystem", "s", system("p", "2"))
    apply(database, "AISystem", "free", system())
    refer(database, "r1", version="1")

    registry.refresh()

    assert registry.versions("s") == {"1", "2"}
    assert registry.versions("free") == frozenset()
    assert registry.versions("none") == frozenset()


def test_the_reference_in_force_is_the_newest_and_older_ones_stay_readable(
    database: Database, registry: Registry
) -> None:
    refer(database, "r1")
    refer(database, "r2", at=NOW + A_SECOND)

    registry.refresh()

    assert registry.reference_id("s", "1") == "r2"
    assert registry.reference_id("s", "9") is None
    assert registry.artifact("r1") == b"r1"
    with pytest.raises(NotFound, match="r9"):
        registry.artifact("r9")


@pytest.mark.parametrize("change", ["apply", "refer", "withdraw"])
def test_a_change_is_seen_after_a_second_and_not_before(
    database: Database, registry: Registry, clock: ManualClock, change: str
) -> None:
    apply(database, "AISystem", "s", system("old"))
    refer(database, "r1")
    registry.refresh()
    changes: dict[str, Callable[[], object]] = {
        "apply": lambda: apply(database, "AISystem", "s", system("new")),
        "refer": lambda: refer(database, "r2", at=NOW + A_SECOND),
        "withdraw": lambda: withdraw(database),
    }

    def seen() -> tuple[AISystem | None, str | None]:
        registry.refresh()
        return registry.system("s"), registry.reference_id("s", "1")

    before = seen()
    changes[change]()

    assert seen() == before
    clock.advance(A_SECOND)
    assert seen() != before


def withdraw(database: Database, at: datetime = NOW) -> None:
    apply(database, "AISystem", "s", system("old"), at=at, withdrawn="replaced")


def test_what_was_withdrawn_is_in_force_nowhere_and_keeps_what_it_said(
    database: Database, registry: Registry
) -> None:
    policy = OversightPolicy(systems=("s",), rules=(Rule(id="r", metric="psi", breach=0.25),))
    apply(database, "AISystem", "s", system("old"))
    apply(database, "OversightPolicy", "p", policy)
    apply(database, "OversightPolicy", "q", policy)
    withdraw(database)
    apply(database, "OversightPolicy", "q", policy, withdrawn="too loud")

    registry.refresh()

    assert (registry.system("s"), dict(registry.systems())) == (None, {})
    assert (set(registry.policies()), set(registry.unreadable())) == ({"p"}, set())
    assert [one.name for one in registry.policies_for("s")] == ["p"]
    (found,) = registry.withdrawn().values()
    assert (found.revision, found.spec, found.by, found.at) == (2, system("old"), "ada", NOW)
    assert str(found) == "withdrawn by ada at 2026-11-23 06:00 UTC: replaced"


def test_the_times_in_which_nobody_watched_are_known_once_somebody_does(
    database: Database, registry: Registry, clock: ManualClock
) -> None:
    hours = [NOW + hour * timedelta(hours=1) for hour in range(6)]
    apply(database, "AISystem", "other", system())
    apply(database, "AISystem", "s", system())
    withdraw(database, hours[1])
    registry.refresh()
    while_it_is_withdrawn = registry.pauses("s")
    apply(database, "AISystem", "s", system(), at=hours[2])
    apply(database, "AISystem", "s", system("new"), at=hours[3])
    withdraw(database, hours[4])
    apply(database, "AISystem", "s", system(), at=hours[5])
    clock.advance(A_SECOND)
    registry.refresh()

    assert while_it_is_withdrawn == ()
    assert registry.pauses("s") == ((hours[1], hours[2]), (hours[4], hours[5]))
    assert registry.pauses("other") == ()
    assert registry.withdrawn() == {}


def test_nothing_is_read_again_when_nothing_changed(
    database: Database, registry: Registry, clock: ManualClock
) -> None:
    apply(database, "AISystem", "s", system())
    registry.refresh()
    first = registry.systems()
    clock.advance(A_SECOND)

    registry.refresh()

    assert registry.systems() is first


def test_not_knowing_yet_is_not_knowing_of_nothing(registry: Registry) -> None:
    with pytest.raises(StoreUnavailable, match="refresh"):
        registry.system("s")


def test_the_last_answer_is_kept_while_the_database_is_away(
    database: Database,
    registry: Registry,
    clock: ManualClock,
    take_away: Callable[[], None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    apply(database, "AISystem", "s", system())
    registry.refresh()
    take_away()
    for _ in range(3):
        clock.advance(A_SECOND)
        registry.refresh()

    assert registry.system("s") == system()
    assert registry.is_stale
    assert caplog.text.count("registry_stale") == 1


def test_a_database_that_was_never_there_is_an_outage(
    registry: Registry, take_away: Callable[[], None]
) -> None:
    take_away()

    with pytest.raises(StoreUnavailable):
        registry.refresh()


def test_an_object_that_a_newer_release_wrote_is_named_and_hides_nothing(
    database: Database, registry: Registry, caplog: pytest.LogCaptureFixture
) -> None:
    apply(database, "AISystem", "s", system())
    apply(database, "AISystem", "odd", {"from": "the future"})

    registry.refresh()

    assert set(registry.systems()) == {"s"}
    assert set(registry.unreadable()) == {"AISystem/odd"}
    assert "object_unreadable" in caplog.text
