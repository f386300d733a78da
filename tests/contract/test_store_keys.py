"""Who a token belongs to, for how long, and what its holder may do."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from watchkeeper_shared.db.keys import Caller, Keys, Role, mint
from watchkeeper_shared.db.tables import api_keys
from watchkeeper_shared.db.unit_of_work import Database
from watchkeeper_shared.errors import StoreUnavailable
from watchkeeper_shared.testing.clocks import ManualClock


def give(database: Database, clock: ManualClock, **changes: Any) -> str:
    """Store a new key as the alerting service does; return its token."""
    made = mint()
    values = {
        "id": made.id,
        "name": "model-1",
        "role": "publisher",
        "systems": ["s"],
        "secret_hash": made.secret_hash,
        "created_at": clock.now(),
    }
    with database.transaction() as c:
        c.execute(sa.insert(api_keys).values(**(values | changes)))
    return made.token


@pytest.fixture
def keys(database: Database, clock: ManualClock) -> Keys:
    return Keys(database, clock)


def test_a_good_token_names_its_caller(database: Database, clock: ManualClock, keys: Keys) -> None:
    token = give(database, clock)

    caller = keys.authenticate(token)

    assert caller is not None
    expected = Caller(token.split("_")[1], "model-1", Role.PUBLISHER, frozenset({"s"}))
    assert caller == expected


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda token: token[:-1] + ("1" if token[-1] == "0" else "0"), id="secret"),
        pytest.param(lambda token: token.replace("watchkeeper_", "other_"), id="prefix"),
        pytest.param(lambda token: token.rpartition("_")[0], id="no secret"),
        pytest.param(lambda token: token.rpartition("_")[0] + "_", id="empty secret"),
        pytest.param(lambda token: token + "é", id="no ASCII"),
        pytest.param(lambda token: f"watchkeeper_00_{token.rpartition('_')[2]}", id="unknown id"),
        pytest.param(lambda _token: "", id="nothing"),
    ],
)
def test_any_other_text_is_nobody(
    database: Database, clock: ManualClock, keys: Keys, spoil: Callable[[str], str]
) -> None:
    assert keys.authenticate(spoil(give(database, clock))) is None


def test_a_key_ends_when_it_expires(database: Database, clock: ManualClock, keys: Keys) -> None:
    token = give(database, clock, expires_at=clock.now() + timedelta(seconds=2))

    assert keys.authenticate(token) is not None
    clock.advance(timedelta(seconds=2))
    assert keys.authenticate(token) is None


def test_a_revoked_key_ends_within_seconds(
    database: Database, clock: ManualClock, keys: Keys
) -> None:
    token = give(database, clock)
    assert keys.authenticate(token) is not None

    with database.transaction() as c:
        c.execute(sa.update(api_keys).values(revoked_at=clock.now()))

    clock.advance(timedelta(seconds=6))
    assert keys.authenticate(token) is None


def test_a_key_that_was_seen_works_through_an_outage_and_a_new_one_waits(
    database: Database, clock: ManualClock, keys: Keys, take_away: Callable[[], None]
) -> None:
    seen, unseen = give(database, clock), give(database, clock)
    assert keys.authenticate(seen) is not None
    take_away()

    clock.advance(timedelta(minutes=9))
    assert keys.authenticate(seen) is not None
    with pytest.raises(StoreUnavailable):
        keys.authenticate(unseen)
    clock.advance(timedelta(minutes=2))
    with pytest.raises(StoreUnavailable):
        keys.authenticate(seen)


def test_what_is_remembered_is_known_without_the_database_and_nothing_else_is(
    database: Database, clock: ManualClock, keys: Keys, take_away: Callable[[], None]
) -> None:
    token = give(database, clock, expires_at=clock.now() + timedelta(seconds=4))
    before = keys.remembered(token)
    caller = keys.authenticate(token)
    take_away()

    assert before is None
    assert keys.remembered(token) == caller is not None
    assert keys.remembered(token[:-1] + ("1" if token[-1] == "0" else "0")) is None
    clock.advance(timedelta(seconds=4))
    assert keys.remembered(token) is None


def test_a_key_that_grew_old_is_not_remembered(
    database: Database, clock: ManualClock, keys: Keys
) -> None:
    token = give(database, clock)
    keys.authenticate(token)

    clock.advance(timedelta(seconds=6))

    assert keys.remembered(token) is None


def test_the_secret_itself_is_stored_nowhere(database: Database, clock: ManualClock) -> None:
    secret = give(database, clock).rpartition("_")[2]

    with database.read() as c:
        assert secret not in str(c.execute(sa.select(api_keys)).all())


@pytest.mark.parametrize(
    ("role", "systems", "may"),
    [
        (Role.PUBLISHER, {"s"}, True),
        (Role.PUBLISHER, {"*"}, True),
        (Role.PUBLISHER, {"other"}, False),
        (Role.ADMIN, {"*"}, True),
        (Role.VIEWER, {"*"}, False),
        (Role.AUDITOR, {"s"}, False),
    ],
)
def test_only_publishers_of_a_system_and_admins_publish(
    role: Role, systems: set[str], *, may: bool
) -> None:
    assert Caller("id", "name", role, frozenset(systems)).may_publish("s") is may


def test_no_two_minted_keys_are_alike() -> None:
    made = [mint() for _ in range(100)]

    assert len({one.id for one in made}) == len({one.secret_hash for one in made}) == 100
