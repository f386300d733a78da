"""Positions are fenced: only the newest claim changes anything, and only once."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from watchkeeper_shared.db import positions, tables
from watchkeeper_shared.db.positions import Claim
from watchkeeper_shared.db.unit_of_work import Database
from watchkeeper_shared.errors import Fenced
from watchkeeper_shared.eventlog.port import TopicPartition

NOW = datetime(2026, 11, 23, 6, tzinfo=UTC)
AT = TopicPartition("predictions", 3)


def claim(database: Database, owner: str = "a", topic_id: str = "t1", beginning: int = 0) -> Claim:
    with database.transaction() as c:
        return positions.claim(c, "monitor", AT, topic_id, owner, beginning, NOW)


def flush(database: Database, held: Claim, next_offset: int, rows: int = 1) -> Claim:
    """What a worker does: state and position in one transaction."""
    with database.transaction() as c:
        value = tables.tallies.c.value + rows
        if not c.execute(sa.update(tables.tallies).values(value=value)).rowcount:
            c.execute(sa.insert(tables.tallies).values(system="s", name="rows", value=rows))
        return positions.advance(c, held, next_offset, NOW)


def stored(database: Database) -> tuple[int, int, str]:
    with database.read() as c:
        row = c.execute(sa.select(tables.positions)).one()
        return row.epoch, row.next_offset, row.owner


def counted(database: Database) -> int:
    with database.read() as c:
        return c.execute(sa.select(sa.func.sum(tables.tallies.c.value))).scalar() or 0


def test_a_partition_that_was_never_read_starts_where_the_log_begins(database: Database) -> None:
    assert claim(database, beginning=17) == Claim("monitor", AT, epoch=1, next_offset=17)


def test_the_next_owner_goes_on_where_the_last_flush_ended(database: Database) -> None:
    flush(database, claim(database, "a"), 40)

    assert claim(database, "b", beginning=0) == Claim("monitor", AT, epoch=2, next_offset=40)


def test_an_owner_flushes_again_and_again_under_one_claim(database: Database) -> None:
    held = claim(database)
    for end in (10, 20, 20, 35):
        held = flush(database, held, end)

    assert stored(database) == (1, 35, "a")


def test_a_stale_owner_changes_nothing(database: Database) -> None:
    stale = claim(database, "a")
    fresh = claim(database, "b")

    with pytest.raises(Fenced, match="predictions/3"):
        flush(database, stale, 10)

    assert counted(database) == 0
    flush(database, fresh, 10)
    assert (stored(database), counted(database)) == ((2, 10, "b"), 1)


def test_the_same_flush_does_not_count_twice(database: Database) -> None:
    held = claim(database)
    flush(database, held, 10)

    with pytest.raises(Fenced):
        flush(database, held, 10)

    assert counted(database) == 1


def test_of_rivals_that_flush_together_one_wins(database: Database) -> None:
    held = claim(database)
    together = threading.Barrier(4)

    def rival() -> bool:
        together.wait(timeout=30)
        try:
            with database.transaction() as c:
                positions.advance(c, held, 10, NOW)
        except Fenced:
            return False
        return True

    with ThreadPoolExecutor(4) as threads:
        won = [one.result(timeout=60) for one in [threads.submit(rival) for _ in range(4)]]

    assert sorted(won) == [False, False, False, True]


def test_claimants_that_come_together_get_different_epochs(database: Database) -> None:
    together = threading.Barrier(4)

    def claimant(owner: str) -> int:
        together.wait(timeout=30)
        return claim(database, owner).epoch

    with ThreadPoolExecutor(4) as threads:
        epochs = [one.result(timeout=60) for one in [threads.submit(claimant, x) for x in "abcd"]]

    assert sorted(epochs) == [1, 2, 3, 4]


def test_a_record_is_blamed_when_three_owners_ended_over_it_alone(database: Database) -> None:
    blamed = []
    for owner in "abcdefg":
        held = claim(database, owner)
        blamed.append(held.blames(0))
        if held.is_suspicious:
            with database.transaction() as c:
                positions.suspect(c, held, 0, NOW)

    assert blamed == [False] * 5 + [True] * 2  # twice in company, thrice alone


def test_deaths_over_one_record_accuse_no_other(database: Database) -> None:
    for owner in "abc":
        claim(database, owner)
    careful = claim(database, "d")
    with database.transaction() as c:
        positions.suspect(c, careful, 7, NOW)

    assert not claim(database, "e").blames(7)


def test_who_lives_takes_back_that_it_was_thought_dead(database: Database) -> None:
    slow, frozen = claim(database, "a"), claim(database, "b")
    claim(database, "c")
    with database.transaction() as c:
        for late in (slow, frozen):
            positions.release(c, late, NOW)

    assert claim(database, "d").tries == 1  # c said nothing
    assert stored(database)[2] == "d"


def test_a_topic_that_was_made_again_is_read_from_its_beginning(database: Database) -> None:
    flush(database, claim(database, topic_id="t1"), 40)

    assert claim(database, topic_id="t2", beginning=2).next_offset == 2
    assert claim(database, topic_id="t2", beginning=5).next_offset == 2


def test_a_position_never_goes_back(database: Database) -> None:
    held = flush(database, claim(database), 10)

    with pytest.raises(ValueError, match="cannot go back"):
        flush(database, held, 9)


def test_consumers_and_partitions_do_not_touch_each_other(database: Database) -> None:
    with database.transaction() as c:
        for consumer in ("monitor", "alerting"):
            for partition in (0, 1):
                at = TopicPartition("predictions", partition)
                taken = positions.claim(c, consumer, at, "t1", "a", 0, NOW)
                assert taken.epoch == 1


def test_an_unknown_commit_can_be_asked_about(database: Database) -> None:
    held = claim(database)

    with database.read() as c:
        assert not positions.was_committed(c, held, 10)
    flush(database, held, 10)
    with database.read() as c:
        assert positions.was_committed(c, held, 10)
    claim(database, "b")
    with database.read() as c, pytest.raises(Fenced):
        positions.was_committed(c, held, 10)


def test_an_event_is_new_once_for_each_consumer(database: Database) -> None:
    with database.transaction() as c:
        seen = [positions.first_sight(c, who, "e1", NOW) for who in ("a", "a", "b")]

    assert seen == [True, False, True]


def test_an_event_whose_handling_failed_is_new_again(database: Database) -> None:
    with pytest.raises(ZeroDivisionError), database.transaction() as c:  # noqa: PT012
        positions.first_sight(c, "a", "e1", NOW)
        _ = 1 / 0

    with database.transaction() as c:
        assert positions.first_sight(c, "a", "e1", NOW)


def test_of_handlers_that_see_an_event_together_one_is_first(database: Database) -> None:
    together = threading.Barrier(4)

    def handler() -> bool:
        together.wait(timeout=30)
        with database.transaction() as c:
            return positions.first_sight(c, "a", "e1", NOW)

    with ThreadPoolExecutor(4) as threads:
        first = [one.result(timeout=60) for one in [threads.submit(handler) for _ in range(4)]]

    assert sorted(first) == [False, False, False, True]
