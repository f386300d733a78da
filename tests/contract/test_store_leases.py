"""A lease is held by one at a time, and lost when it is not renewed."""

from __future__ import annotations

from datetime import timedelta

from watchkeeper_shared.db import leases
from watchkeeper_shared.db.unit_of_work import Database
from watchkeeper_shared.testing.clocks import ManualClock

TTL = timedelta(seconds=10)


def take(database: Database, holder: str, clock: ManualClock) -> bool:
    with database.transaction() as c:
        return leases.take(c, "judge", holder, clock.now(), TTL)


def test_only_one_holds_a_lease_and_may_renew_it(database: Database, clock: ManualClock) -> None:
    assert take(database, "a", clock)
    assert not take(database, "b", clock)
    clock.advance(timedelta(seconds=9))
    assert take(database, "a", clock)
    clock.advance(timedelta(seconds=9))
    assert not take(database, "b", clock)


def test_a_lease_that_was_not_renewed_goes_to_another(
    database: Database, clock: ManualClock
) -> None:
    assert take(database, "a", clock)
    clock.advance(TTL)

    assert take(database, "b", clock)
    assert not take(database, "a", clock)


def test_what_others_hold_is_known_until_it_ends(database: Database, clock: ManualClock) -> None:
    with database.transaction() as c:
        for name, holder in (("judge/x", "a"), ("judge/y", "b"), ("relay/z", "a")):
            leases.take(c, name, holder, clock.now(), TTL)

    def others() -> frozenset[str]:
        with database.read() as c:
            return leases.of_others(c, "judge/", "b", clock.now())

    assert others() == {"x"}
    clock.advance(TTL)
    assert others() == frozenset()


def test_leases_that_ended_long_ago_are_forgotten_and_others_kept(
    database: Database, clock: ManualClock
) -> None:
    take(database, "a", clock)
    with database.transaction() as c:
        leases.take(c, "held", "b", clock.now() + timedelta(days=40), timedelta(seconds=10))
    clock.advance(timedelta(days=40))

    with database.transaction() as c:
        gone = leases.forget_expired(c, clock.now() - timedelta(days=30))
        kept = leases.take(c, "held", "c", clock.now(), timedelta(seconds=10))

    assert (gone, kept) == (1, False)


def test_a_lease_given_back_is_free_at_once(database: Database, clock: ManualClock) -> None:
    assert take(database, "a", clock)
    with database.transaction() as c:
        leases.release(c, "judge", "b")  # not its holder: nothing happens
        assert not leases.take(c, "judge", "b", clock.now(), TTL)
        leases.release(c, "judge", "a")
        assert leases.take(c, "judge", "b", clock.now(), TTL)
