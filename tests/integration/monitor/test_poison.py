"""Poison: a record that kills its reader, and a topic suddenly full of what nobody can read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from watchkeeper_monitor.records import intake
from watchkeeper_monitor.settings import Pace
from watchkeeper_shared.db import positions, tables
from watchkeeper_shared.errors import RetryableError
from watchkeeper_shared.eventlog.port import Message, TopicPartition
from watchkeeper_shared.topics import PREDICTIONS

DEADLY = "deadly"
AT_ONCE = Pace(
    flush_interval=timedelta(0),
    judge_interval=timedelta(0),
    rejudge_interval=timedelta(0),
    dead_letter_in_a_row=5,
    dead_letter_last=20,
    dead_letter_pause=timedelta(minutes=1),
)


def message(value: bytes, key: str = "loans") -> Message:
    return Message(PREDICTIONS.name, key, value, {"content-type": "application/json"})


def good(number: int) -> Message:
    row = {
        "id": f"good-{number}",
        "system": "loans",
        "version": "1",
        "time": "2026-03-02T10:00:00Z",
        "prediction": 1,
    }
    return message(json.dumps([row]).encode())


def stopped(world: Any) -> Any:
    return world.metrics.get_sample_value(
        "watchkeeper_monitor_topic_stopped", {"topic": PREDICTIONS.name}
    )


def codes(world: Any) -> list[str]:
    return [row.code for row in world.all(tables.dead_letters)]


class Killed(BaseException):
    """The process is gone: nothing after this runs in it."""


def run_until_it_dies(world: Any, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Start a process; return whether it died over a record. Nothing is tidied up then."""
    real = intake.read

    def read(record: Any, registry: Any) -> Any:
        if record.headers.get(DEADLY):
            raise Killed
        return real(record, registry)

    monkeypatch.setattr(intake, "read", read)
    monitor = world.monitor = world.new_monitor()
    world.clock.advance(timedelta(minutes=1))  # the leases of the dead one run out
    try:
        world.settle(monitor)
    except Killed:
        monitor._worker.close()
        return True
    finally:
        monkeypatch.undo()
    return False


def test_a_record_that_kills_its_reader_is_set_aside_and_nothing_else_is(
    referenced: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        referenced.send_raw(good(number))
    deadly = Message(PREDICTIONS.name, "loans", b"[]", {DEADLY: "yes", "x": "y"})
    referenced.send_raw(deadly)
    for number in range(5, 10):
        referenced.send_raw(good(number))
    letters = referenced.log.reader("people", [PREDICTIONS.dead_letters])
    referenced.monitor._worker.close()

    deaths = 0
    while run_until_it_dies(referenced, monkeypatch):
        deaths += 1
        assert deaths < 10

    (letter,) = referenced.records(letters)
    assert deaths == 5  # twice in company, thrice alone
    assert codes(referenced) == ["crashed"]
    assert letter.headers["__watchkeeper.errors.code"] == "crashed"
    assert (letter.value, letter.headers["x"]) == (b"[]", "y")
    assert referenced.now_measured("volume", 0).value == 10


def test_processes_that_end_in_order_or_lose_a_partition_accuse_no_record(
    referenced: Any,
) -> None:
    referenced.send_raw(good(1))
    for _ in range(5):
        monitor = referenced.new_monitor()
        while not monitor._worker._partitions or not monitor._worker._partitions.ready:
            monitor.step(timedelta(milliseconds=20))
            if monitor._worker._partitions and monitor._worker._partitions.is_caught_up():
                break
        monitor._worker.finish()

    rows = referenced.all(tables.positions, consumer="monitor")
    assert {row.tries for row in rows if row.owner == ""} == {0}
    assert codes(referenced) == []


def test_who_loses_a_partition_while_it_is_careful_lives_on_and_says_so(referenced: Any) -> None:
    referenced.settle()
    referenced.monitor._worker.close()
    referenced.send_raw(good(1))
    with referenced.database.transaction() as c:
        c.execute(sa.update(tables.positions).values(owner="dead", tries=1))
    monitor = referenced.new_monitor()
    while not monitor._worker._partitions or not monitor._worker._partitions._pending:
        monitor.step(timedelta(milliseconds=20))
    partitions = monitor._worker._partitions
    with referenced.database.transaction() as c:
        for row in c.execute(sa.select(tables.positions)).all():
            at = TopicPartition(row.topic, row.partition)
            positions.claim(c, row.consumer, at, row.topic_id, "rival", 0, referenced.clock.now())

    while any(one.careful_until for one in partitions._pending.values()):
        monitor.step(timedelta(milliseconds=20))

    lost = [row for row in referenced.all(tables.positions, tries=2) if row.owner == "rival"]
    assert len(lost) == 1, "the death that it was taken for is taken back"
    assert codes(referenced) == []
    monitor._worker.close()


def send_all(world: Any, values: Sequence[Message]) -> None:
    for value in values:
        world.send_raw(value)


def restarted(world: Any) -> None:
    world.monitor._worker.finish()
    world.monitor = world.new_monitor(AT_ONCE)


def test_a_topic_full_of_poison_is_left_alone_before_it_drains(referenced: Any) -> None:
    restarted(referenced)
    send_all(referenced, [message(b"nonsense")] * 30)
    for _ in range(40):
        referenced.monitor.step(timedelta(milliseconds=10))
    referenced.monitor._worker.settle()

    assert codes(referenced) == ["malformed"] * 5
    assert stopped(referenced) == 1
    with pytest.raises(RetryableError, match="5 records in a row cannot be read"):
        referenced.monitor._worker.ready()


def test_after_a_pause_one_record_is_tried_and_a_good_one_ends_the_stop(referenced: Any) -> None:
    restarted(referenced)
    send_all(referenced, [message(b"nonsense")] * 7)
    send_all(referenced, [good(number) for number in range(10)])
    for _ in range(4):
        for _ in range(10):
            referenced.monitor.step(timedelta(milliseconds=10))
        referenced.clock.advance(timedelta(seconds=61))
    referenced.settle()

    assert codes(referenced) == ["malformed"] * 7  # 5, and one for each try
    assert stopped(referenced) == 0
    assert referenced.now_measured("volume", 0).value == 10
    referenced.monitor._worker.ready()


def test_a_majority_of_poison_stops_a_topic_and_a_minority_does_not(referenced: Any) -> None:
    restarted(referenced)
    for number in range(15):
        send_all(referenced, [message(b"nonsense"), good(2 * number), good(2 * number + 1)])
    referenced.settle()
    few = len(codes(referenced))
    for number in range(15, 40):
        send_all(referenced, [message(b"nonsense"), message(b"nonsense"), good(2 * number)])
    for _ in range(20):
        referenced.monitor.step(timedelta(milliseconds=10))

    assert (few, stopped(referenced)) == (15, 1)
    assert referenced.monitor._worker._partitions.stopped[PREDICTIONS.name].startswith(
        "11 of the last 20 records"
    )


def test_records_of_a_system_that_is_applied_later_stop_nobody(referenced: Any) -> None:
    restarted(referenced)
    send_all(referenced, [message(b"[]", key="later")] * 10)
    send_all(referenced, [good(1)])
    referenced.settle()

    assert codes(referenced) == ["unknown_system"] * 10
    assert referenced.now_measured("volume", 0).value == 1


def test_without_any_system_reading_waits_for_the_first_one(world: Any) -> None:
    with world.database.transaction() as c:
        c.execute(tables.objects.update().values(current=False))
    world.send_raw(good(1))
    for _ in range(10):
        world.monitor.step(timedelta(milliseconds=10))
    waiting = codes(world)
    with pytest.raises(RetryableError, match="no system was ever applied"):
        world.monitor._worker.ready()

    with world.database.transaction() as c:
        c.execute(tables.objects.update().values(current=True))
    world.clock.advance(timedelta(minutes=1))
    world.settle()

    assert waiting == codes(world) == []
    assert world.now_measured("volume", 0).value == 1
