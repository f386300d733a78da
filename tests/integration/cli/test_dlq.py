"""Dead letters are listed and go back once, on both logs, and the audit log says so."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result

from watchkeeper.main import group
from watchkeeper_shared.clock import SystemClock
from watchkeeper_shared.db import audit, tables
from watchkeeper_shared.db.engine import open_engine
from watchkeeper_shared.db.unit_of_work import Database
from watchkeeper_shared.errors import LogUnavailable
from watchkeeper_shared.eventlog.kafka_log import KafkaLog
from watchkeeper_shared.eventlog.opening import create_topics, open_log
from watchkeeper_shared.eventlog.port import EventLog, Message, Record, TopicPartition
from watchkeeper_shared.events.letters import letter
from watchkeeper_shared.testing.readings import Reading
from watchkeeper_shared.testing.servers import ServerUnavailable
from watchkeeper_shared.testing.servers.kafka.node import KafkaNode
from watchkeeper_shared.testing.servers.kafka_server import kafka_node
from watchkeeper_shared.testing.servers.unavailable import skip
from watchkeeper_shared.topics import PREDICTIONS, TOPICS

DEAD = PREDICTIONS.dead_letters


@pytest.fixture(scope="module")
def node() -> Iterator[KafkaNode]:
    """A broker of this module's own: others want to find their topics where they left them."""
    try:
        running = kafka_node(os.environ)  # noqa: TID251 - the edge of the test run
        broker = running.__enter__()
    except ServerUnavailable as reason:
        skip(reason)
    yield broker
    running.__exit__(None, None, None)


@pytest.fixture(params=["embedded", pytest.param("kafka", marks=pytest.mark.kafka)])
def env(request: pytest.FixtureRequest, tmp_path: Path, sqlite_url: str) -> Mapping[str, str]:
    where = {"WATCHKEEPER_DATABASE_URL": sqlite_url}
    if request.param == "kafka":
        node: KafkaNode = request.getfixturevalue("node")
        return where | {"WATCHKEEPER_KAFKA_BOOTSTRAP": node.bootstrap}
    return where | {"WATCHKEEPER_LOG_PATH": str(tmp_path / "log.db")}


@pytest.fixture
def log(env: Mapping[str, str], tmp_path: Path) -> Iterator[EventLog]:
    made = open_log(env.get("WATCHKEEPER_KAFKA_BOOTSTRAP"), tmp_path / "log.db", SystemClock())
    _forget(made)
    create_topics(made, 1)
    yield made
    made.close()


def _forget(log: EventLog) -> None:
    """Take away what earlier tests left on the broker."""
    if isinstance(log, KafkaLog):
        for topic in TOPICS:
            for name in (topic.name, topic.dead_letters):
                with suppress(LogUnavailable):
                    log.delete_topic(name)


def bury(log: EventLog, *values: bytes, code: str = "malformed") -> None:
    writer = log.writer()
    for number, value in enumerate(values):
        at = TopicPartition(PREDICTIONS.name, 0)
        headers = {"content-type": "text/plain", "x": "y"}
        now = SystemClock().now()
        record = Record(at, 100 + number, "loans", value, headers, now)
        _, message = letter(record, "monitor", code, "it is\nno JSON", "loans")
        writer.append(message).result(30)
    writer.close()


def run(env: Mapping[str, str], *words: str) -> Result:
    result = CliRunner().invoke(group, ["dlq", *words], env=dict(env))
    assert result.exit_code == 0, result.output
    return result


def audited(env: Mapping[str, str]) -> list[audit.AuditEntry]:
    engine = open_engine(env["WATCHKEEPER_DATABASE_URL"])
    with Database(engine).read() as c:
        found = [one for one in audit.entries(c) if one.act == "deadletter.replay"]
    engine.dispose()
    return found


def test_letters_are_listed_and_go_back_once(env: Mapping[str, str], log: EventLog) -> None:
    bury(log, b"one", b"two")
    bury(log, b"three", code="unknown_system")
    reading = Reading(log, PREDICTIONS.name)
    reading.begin(1)

    before = run(env, "list", "--topic", DEAD).output.splitlines()
    first = run(env, "replay", "--topic", DEAD, "--code", "unknown_system", "--all").output
    rest = run(env, "replay", "--topic", DEAD, "--all", "--reason", "fixed in 1.2").output
    again = run(env, "replay", "--topic", DEAD, "--offset", "1").output
    after = run(env, "list", "--limit", "2").output.splitlines()
    back = reading.drain(3)

    assert [line.split(" ")[:2] for line in before[:3]] == [[DEAD, str(n)] for n in range(3)]
    assert (
        f"malformed system=loans key=loans from {PREDICTIONS.name}/0/100 by monitor: it is no"
        in before[0]
    )
    assert first.startswith("1 sent back, 0 were")
    assert rest.startswith("2 sent back, 1 were")
    assert again.startswith("0 sent back, 1 were")
    assert "(replayed)" in after[0]
    assert len([line for line in after if line.startswith(DEAD)]) == 2
    assert sorted(record.value for record in back) == [b"one", b"three", b"two"]
    assert back[0].key == "loans"
    assert back[0].headers == {
        "content-type": "text/plain",
        "x": "y",
        "__watchkeeper.replayed": f"{DEAD}/0/2",
    }
    assert [one.reason for one in audited(env)][1:] == ["fixed in 1.2"] * 2
    assert {one.body["was"] for one in audited(env)} == {
        f"{PREDICTIONS.name}/0/100",
        f"{PREDICTIONS.name}/0/101",
    }


def test_of_a_letter_that_went_back_only_its_id_is_kept(
    env: Mapping[str, str], log: EventLog
) -> None:
    bury(log, b"x" * 10_000)

    run(env, "replay", "--topic", DEAD, "--all")
    again = run(env, "replay", "--topic", DEAD, "--all").output

    assert again.startswith("0 sent back, 1 were")
    engine = open_engine(env["WATCHKEEPER_DATABASE_URL"])
    with Database(engine).read() as c:
        (row,) = c.execute(sa.select(tables.outbox))
    engine.dispose()
    assert (row.value, row.headers, row.owner) == (b"", {}, "dlq")
    assert row.sent_at is not None


def test_a_record_that_is_no_letter_of_ours_stays(env: Mapping[str, str], log: EventLog) -> None:
    writer = log.writer()
    writer.append(Message(DEAD, "k", b"from somebody else")).result(30)
    writer.close()

    listed = run(env, "list", "--topic", DEAD).output
    done = run(env, "replay", "--topic", DEAD, "--all").output

    assert "not ours: 18 bytes" in listed
    assert "1 are no letters of ours" in done
    assert audited(env) == []


def test_what_to_replay_must_be_said(tmp_path: Path) -> None:
    result = CliRunner().invoke(group, ["dlq", "replay", "--topic", DEAD])

    assert result.exit_code == 2
    assert "--offset N (repeatable), or --all" in result.output
