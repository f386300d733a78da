"""What is read is stored once, whatever happens in between, and nothing else is lost."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import sqlalchemy as sa

from watchkeeper_monitor.partitions import CONSUMER
from watchkeeper_monitor.settings import Pace
from watchkeeper_shared.clock import SystemClock
from watchkeeper_shared.db import positions, tables
from watchkeeper_shared.db.unit_of_work import Database
from watchkeeper_shared.errors import StoreUnavailable
from watchkeeper_shared.eventlog.port import Message, TopicPartition
from watchkeeper_shared.events import batches
from watchkeeper_shared.topics import PREDICTIONS

ROWS = 400
NEVER = Pace(flush_interval=timedelta(days=1), judge_interval=timedelta(days=1))


def json_message(rows: list[dict[str, Any]], key: str = "loans") -> Message:
    body = json.dumps(rows).encode()
    return Message(PREDICTIONS.name, key, body, {"content-type": "application/json"})


def row(**changes: Any) -> dict[str, Any]:
    return {
        "id": "one",
        "system": "loans",
        "version": "1",
        "time": "2026-03-02T10:00:00Z",
        "prediction": 1,
        "score": 0.9,
        "features": {"AGE": 40.5, "JOB": "a"},
        "groups": {"SEX": "1"},
    } | changes


def test_predictions_become_measurements_of_their_day(referenced: Any) -> None:
    referenced.predict(0, ROWS)
    referenced.settle()

    volume = referenced.now_measured("volume", 0)

    assert (volume.value, volume.n, volume.status) == (400.0, 400, "provisional")
    assert referenced.now_measured("psi", 0, "AGE").state == "ok"


def test_without_a_reference_and_a_policy_things_are_measured_all_the_same(world: Any) -> None:
    world.apply("OversightPolicy", "loans", {"systems": ["another"]})
    world.predict(0, ROWS)
    world.settle()

    volume = world.now_measured("volume", 0)

    assert (volume.value, volume.policy, volume.breach, volume.state) == (400.0, "", None, "ok")


def test_the_same_predictions_twice_are_counted_once(referenced: Any) -> None:
    referenced.predict(0, ROWS)
    referenced.settle()
    referenced.predict(0, ROWS)
    referenced.settle()

    assert referenced.now_measured("volume", 0).value == ROWS
    assert referenced.tally("duplicates") == ROWS


def test_the_same_id_twice_in_one_record_is_counted_once(referenced: Any) -> None:
    referenced.send_raw(json_message([row(), row(), row(prediction=0)]))
    referenced.settle()

    assert referenced.now_measured("volume", 0).value == 1
    assert referenced.tally("duplicates") == 1
    assert referenced.tally("rejected_conflicting_id") == 1


def test_a_poison_record_goes_to_the_dead_letters_with_its_bytes(referenced: Any) -> None:
    poison = Message(
        PREDICTIONS.name, "loans", b"\x00nonsense", {"content-type": "text/html", "x": "y"}
    )
    letters = referenced.log.reader("people2", [PREDICTIONS.dead_letters])
    referenced.send_raw(poison)
    referenced.predict(0, ROWS)
    referenced.settle()

    (letter,) = referenced.records(letters)
    (stored,) = referenced.all(tables.dead_letters)

    assert (letter.key, letter.value, letter.headers["x"]) == ("loans", poison.value, "y")
    assert letter.headers["__watchkeeper.errors.code"] == stored.code == "unsupported"
    assert letter.headers["__watchkeeper.errors.offset"] == str(stored.offset)
    assert letter.headers["__watchkeeper.errors.topic"] == PREDICTIONS.name
    assert letter.headers["__watchkeeper.errors.system"] == "loans"
    assert referenced.tally("dead_letters_unsupported") == 1
    assert referenced.tally("dead_letter_at") == int(stored.at.timestamp())
    assert referenced.now_measured("volume", 0).value == ROWS


def test_a_name_that_nobody_applied_is_counted_under_none(referenced: Any) -> None:
    letters = referenced.log.reader("people2", [PREDICTIONS.dead_letters])
    for key in ("made-up-1", "made-up-2"):
        headers = {"content-type": "application/json"}
        referenced.send_raw(Message(PREDICTIONS.name, key, b"{", headers))
    referenced.settle()

    found = referenced.records(letters)
    systems = {row.system for row in referenced.all(tables.tallies)}

    assert [one.key for one in found] == ["made-up-1", "made-up-2"]
    assert not [one for one in found if "__watchkeeper.errors.system" in one.headers]
    assert systems == {""}
    assert buried(referenced, "loans") == 0
    assert buried(referenced, "unknown") == 2


def buried(world: Any, system: str) -> float:
    labels = {"system": system, "reason": "malformed"}
    name = "watchkeeper_monitor_dead_letters_total"
    return world.metrics.get_sample_value(name, labels) or 0


@pytest.mark.parametrize("system", [None, [None, "loans"]])
def test_columns_without_a_key_need_a_row_that_names_the_system(
    referenced: Any, system: list[str | None] | None
) -> None:
    columns = {"id": ["a", "b"], "version": ["1", "1"]} | ({"system": system} if system else {})
    headers = {"content-type": "application/vnd.apache.arrow.stream"}
    value = batches.to_bytes(pa.RecordBatch.from_pydict(columns))
    referenced.send_raw(Message(PREDICTIONS.name, "", value, headers))
    referenced.settle()

    found = [one.code for one in referenced.all(tables.dead_letters)]
    assert found == ([] if system else ["unknown_system"])
    assert referenced.tally("rejected_missing_field") == (2 if system else 0)


def test_a_reason_that_names_a_column_with_nul_can_be_kept(referenced: Any) -> None:
    column = {"features.a\0b": pa.array([[1]])}
    batch = pa.RecordBatch.from_pydict({"id": pa.array(["a"]), **column})
    headers = {"content-type": "application/vnd.apache.arrow.stream"}
    value = batches.to_bytes(batch)
    referenced.send_raw(Message(PREDICTIONS.name, "loans", value, headers))
    referenced.settle()

    (stored,) = referenced.all(tables.dead_letters)

    assert stored.code == "wrong_type"
    assert stored.detail.startswith("column features.a\ufffdb is of type list")


def test_a_broken_arrow_stream_is_a_dead_letter(referenced: Any) -> None:
    headers = {"content-type": "application/vnd.apache.arrow.stream"}
    referenced.send_raw(
        Message(PREDICTIONS.name, "loans", b"\xff\xff\xff\xff\x10\x00\x00\x00", headers)
    )
    referenced.settle()

    assert [one.code for one in referenced.all(tables.dead_letters)] == ["malformed"]


def test_an_unknown_system_is_a_dead_letter_and_a_known_one_goes_on(referenced: Any) -> None:
    referenced.send_raw(json_message([row(system="ghost")], key="ghost"))
    referenced.send_raw(json_message([row()]))
    referenced.settle()

    assert [one.code for one in referenced.all(tables.dead_letters)] == ["unknown_system"]
    assert referenced.now_measured("volume", 0).value == 1


def test_a_record_without_a_key_is_of_the_system_that_its_rows_name(referenced: Any) -> None:
    referenced.send_raw(json_message([row()], key=""))
    referenced.settle()

    assert referenced.now_measured("volume", 0).value == 1


def test_bad_rows_are_counted_by_name_and_good_ones_kept(referenced: Any) -> None:
    body = (
        '[{"id":"a","system":"loans","version":"1","time":"2026-03-02T10:00:00Z","prediction":1},'
        '{"id":"b","system":"loans","version":"1","time":"2026-03-02T10:00:00Z","prediction":1,'
        '"score":NaN},'
        '{"id":"c","system":"loans","version":"1","time":"2026-03-02T10:00:00","prediction":1},'
        '{"id":"d","system":"loans","version":"1","time":"2027-03-02T10:00:00Z","prediction":1},'
        '{"id":"e","system":"loans","version":"9","time":"2026-03-02T10:00:00Z","prediction":1},'
        '{"id":"f","system":"loans","version":"1","time":"2026-03-02T10:00:00Z"}]'
    )
    headers = {"content-type": "application/json"}
    referenced.send_raw(Message(PREDICTIONS.name, "loans", body.encode(), headers))
    referenced.settle()

    refused = (
        "not_finite",
        "time_without_zone",
        "time_in_future",
        "unknown_version",
        "missing_field",
    )
    assert {code: referenced.tally(f"rejected_{code}") for code in refused} == dict.fromkeys(
        refused, 1
    )
    assert referenced.now_measured("volume", 0).value == 1


def test_an_odd_record_does_not_change_how_others_are_read(referenced: Any) -> None:
    referenced.send_raw(json_message([row(id="a", features={"AGE": 40, "JOB": "a"})]))
    referenced.send_raw(json_message([row(id="b", features={"AGE": "forty", "JOB": 3})]))
    referenced.send_raw(json_message([row(id="c", features={"AGE": 40.5, "JOB": "b"})]))
    referenced.settle()

    assert referenced.now_measured("volume", 0).value == 2
    assert referenced.tally("rejected_wrong_type") == 1


def test_a_column_that_is_all_null_is_measured_as_missing(referenced: Any) -> None:
    referenced.send_raw(json_message([row(id=str(n), features={"JOB": "a"}) for n in range(200)]))
    referenced.settle()

    assert referenced.now_measured("missing_share", 0, "AGE").value == 1.0
    assert referenced.now_measured("psi", 0, "AGE").state in ("insufficient", "no_data")


def test_a_crash_between_reading_and_storing_loses_and_doubles_nothing(referenced: Any) -> None:
    first = referenced.predict(0, ROWS)
    referenced.settle()
    second = referenced.predict(0, ROWS, seed=7)
    lazy = referenced.monitor
    lazy._worker._pace = NEVER
    _turn_until(lazy, lambda: bool(lazy._worker._partitions.rows))
    lazy._worker.close()  # as a crash does: what was read is gone with the process

    referenced.monitor = referenced.new_monitor()
    referenced.clock.advance(timedelta(minutes=1))  # the lease of the dead one runs out
    referenced.settle()

    assert referenced.now_measured("volume", 0).value == len(first) + len(second)
    assert referenced.tally("duplicates") == 0


def _turn_until(monitor: Any, happened: Any) -> None:
    clock = SystemClock()
    end = clock.monotonic() + 30
    while not happened():
        assert clock.monotonic() < end
        monitor.step(timedelta(milliseconds=50))


def test_a_worker_that_lost_its_partition_changes_nothing(referenced: Any) -> None:
    stale = referenced.monitor
    stale._worker._pace = NEVER
    referenced.predict(0, ROWS)
    _turn_until(stale, lambda: bool(stale._worker._partitions and stale._worker._partitions.rows))
    at = stale._worker._partitions.ready[0].claim.at
    _claim_as_another(referenced.database, at, referenced)

    stale._worker._flush(stale._worker._partitions)

    assert referenced.all(tables.profiles) == []
    assert referenced.all(tables.predictions) == []
    assert referenced.metrics.get_sample_value("watchkeeper_monitor_fenced_total") == 1


def _claim_as_another(database: Database, at: TopicPartition, world: Any) -> None:
    stored = world.all(tables.positions, consumer=CONSUMER, topic=at.topic, partition=at.partition)
    with database.transaction() as c:
        positions.claim(c, CONSUMER, at, stored[0].topic_id, "another", 0, world.clock.now())


def test_two_workers_share_a_system_and_its_totals_are_exact(referenced: Any) -> None:
    referenced.predict(0, ROWS)
    other = referenced.new_monitor()
    for number in range(6):
        referenced.predict(0, 50, seed=100 + number)
        referenced.monitor.step(timedelta(milliseconds=50))
        other.step(timedelta(milliseconds=50))
    other._worker.close()

    referenced.settle()
    other.stop()

    assert referenced.now_measured("volume", 0).value == ROWS + 300


def test_single_events_and_batches_give_the_same_profile(referenced: Any) -> None:
    many = [row(id=f"{n}", features={"AGE": 30.0 + n, "JOB": "ab"[n % 2]}) for n in range(20)]
    referenced.apply("AISystem", "solo", _spec())
    many = [{**one, "system": "solo"} for one in many]
    for one in many[:10]:
        referenced.send_raw(json_message([one], key="solo"))
    referenced.send_raw(json_message(many[10:], key="solo"))
    referenced.settle()
    whole = [one.profile for one in referenced.all(tables.profiles)]

    referenced.apply("AISystem", "twin", _spec())
    referenced.send_raw(json_message([{**one, "system": "twin"} for one in many], key="twin"))
    referenced.settle()

    twin = referenced.all(tables.profiles, system="twin")
    assert [one.profile for one in twin] == whole


def _spec() -> dict[str, Any]:
    return {
        "owner": {"team": "credit", "contact": "x@example.org"},
        "purpose": "A twin",
        "task": "binary",
        "features": {"AGE": "numeric", "JOB": "categorical"},
        "groups": {"SEX": {"reference": "1"}},
    }


def test_while_the_database_is_away_nothing_is_lost(referenced: Any) -> None:
    referenced.predict(0, ROWS)
    referenced.settle()
    worker = referenced.monitor._worker
    committer = worker._committer
    real, committer._database = committer._database, Away()
    referenced.predict(0, ROWS, seed=8)
    _turn_until(referenced.monitor, lambda: worker._pause > 0)

    committer._database = real
    referenced.clock.advance(timedelta(minutes=1))
    referenced.settle()

    assert referenced.now_measured("volume", 0).value == 2 * ROWS
    assert referenced.metrics.get_sample_value("watchkeeper_monitor_store_away") == 0


def test_a_flush_whose_answer_was_lost_is_not_repeated(referenced: Any) -> None:
    worker = referenced.monitor._worker
    committer = worker._committer
    real, committer._database = committer._database, Deaf(referenced.database)
    referenced.predict(0, ROWS)
    _turn_until(referenced.monitor, lambda: worker._pause > 0)

    committer._database = real
    referenced.clock.advance(timedelta(minutes=1))
    referenced.settle()

    assert referenced.now_measured("volume", 0).value == ROWS
    assert referenced.tally("duplicates") == 0


class Away:
    """A database that does not answer."""

    def transaction(self) -> Any:
        raise StoreUnavailable("away")


class Deaf:
    """A database whose connection breaks right after the commit."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @contextmanager
    def transaction(self) -> Iterator[sa.Connection]:
        with self._database.transaction() as c:
            yield c
        raise StoreUnavailable("the connection broke at the commit")


def test_a_log_that_is_away_is_asked_again_after_a_pause(
    referenced: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for path in tmp_path.glob("log.db*"):
        path.unlink()
    (tmp_path / "log.db").mkdir()

    for _ in range(50):
        referenced.monitor.step()
    at_once = caplog.messages.count("log_away")
    referenced.clock.advance(timedelta(minutes=1))
    referenced.monitor.step()

    assert (at_once, caplog.messages.count("log_away")) == (1, 2)
