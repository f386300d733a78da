"""Processes that judge come to hold as many systems as each other, and none is held twice."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import chain

from hypothesis import given
from hypothesis import strategies as st

from watchkeeper_monitor.judge.sharing import JUDGES, Sharing, surplus
from watchkeeper_shared.db import leases
from watchkeeper_shared.db.unit_of_work import Database
from watchkeeper_shared.testing.clocks import ManualClock

TTL = timedelta(seconds=15)
TURN = TTL / 3


@given(
    st.lists(st.integers(0, 60), min_size=1, max_size=9),
    st.lists(st.integers(0, 8), max_size=30),
)
def test_in_whatever_order_they_give_they_come_to_rest_even(
    counts: Sequence[int], order: Sequence[int]
) -> None:
    held = {str(name): count for name, count in enumerate(counts)}
    turns = [str(name % len(counts)) for name in order] + list(held) * 40
    given_last = 0
    for turn, holder in enumerate(turns):
        to, count = surplus(held, holder)
        assert 0 <= count <= held[holder]
        held[holder] -= count
        held[to] += count
        given_last = turn if count else given_last

    assert sum(held.values()) == sum(counts)
    assert max(held.values()) - min(held.values()) <= 1
    assert given_last < len(turns) - len(held)  # nobody goes on giving


def hold(database: Database, clock: ManualClock, holder: str, systems: Sequence[str]) -> None:
    with database.transaction() as c:
        for system in systems:
            assert leases.take(c, JUDGES + system, holder, clock.now(), TTL)


def held(database: Database, clock: ManualClock) -> dict[str, list[str]]:
    with database.read() as c:
        return leases.held(c, JUDGES, clock.now())


def test_who_comes_later_gets_its_share_and_what_it_gets_is_no_others(
    database: Database, clock: ManualClock
) -> None:
    systems = [f"s{number}" for number in range(7)]
    hold(database, clock, "old", systems)
    old, new = (Sharing(database, clock, name, TTL) for name in ("old", "new"))
    for one in (new, old):
        one.step()

    found = held(database, clock)
    assert sorted(map(len, found.values())) == [3, 4]
    assert sorted(chain.from_iterable(found.values())) == systems


def test_who_is_gone_is_given_nothing(database: Database, clock: ManualClock) -> None:
    Sharing(database, clock, "gone", TTL).step()
    clock.advance(TTL)
    hold(database, clock, "here", ["a", "b", "c"])
    Sharing(database, clock, "here", TTL).step()

    assert held(database, clock) == {"here": ["a", "b", "c"]}


def test_all_at_once_they_give_nobody_too_much(database: Database, clock: ManualClock) -> None:
    names = [f"w{number}" for number in range(5)]
    shares = [Sharing(database, clock, name, TTL) for name in names]
    for one in shares:
        one.step()
    for name in names[:4]:
        hold(database, clock, name, [f"{name}-{number}" for number in range(6)])
    clock.advance(TURN)

    with ThreadPoolExecutor(len(shares)) as threads:
        for step in [threads.submit(one.step) for one in shares]:
            step.result(timeout=60)

    found = held(database, clock)
    assert sum(map(len, found.values())) == 24
    assert max(map(len, found.values())) <= 6
    assert min(len(found.get(name, [])) for name in names) >= 3
