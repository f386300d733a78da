"""Records that are too large, and small ones that would grow: refused, and reading goes on."""

from __future__ import annotations

import secrets
import subprocess
import sys

import pytest
from confluent_kafka import Producer as Raw
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType

from watchkeeper_shared.clock import SystemClock
from watchkeeper_shared.errors import PermanentError
from watchkeeper_shared.eventlog.clients import KafkaClient
from watchkeeper_shared.eventlog.kafka_bombs import MAX_BATCH_BYTES, REFUSED_HEADER
from watchkeeper_shared.eventlog.kafka_log import KafkaLog
from watchkeeper_shared.eventlog.port import MAX_RECORD_BYTES, Message
from watchkeeper_shared.testing.contracts.eventlog import append, values
from watchkeeper_shared.testing.readings import PATIENCE, Reading, fresh

pytestmark = pytest.mark.kafka

# How much a reader may grow while it meets a bomb: the bound, once packed and once copied.
GROWTH_BYTES = 3 * MAX_BATCH_BYTES

MEASURED = """
import re, sys
from pathlib import Path
from watchkeeper_shared.clock import SystemClock
from watchkeeper_shared.eventlog.kafka_log import KafkaLog
from watchkeeper_shared.testing.readings import Reading
def peak():
    # Of this program alone; getrusage would tell the peak of its parent.
    return 1024 * int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
log = KafkaLog(sys.argv[1], SystemClock(), client=sys.argv[3])
before = peak()
(record,) = Reading(log, sys.argv[2]).drain(1)[-1:]
print(peak() - before)
log.close()
"""


def drop(bootstrap: str, topic: str, codec: str, value: bytes) -> object:
    """Append one record as somebody else's producer would; return the broker's refusal."""
    settings: dict[str, object] = {
        "bootstrap.servers": bootstrap,
        "compression.type": codec,
        "message.max.bytes": 1_000_000_000,
    }
    producer = Raw(settings)
    told: list[object] = []
    producer.produce(topic, value, b"k", on_delivery=lambda error, _: told.append(error))
    assert producer.flush(PATIENCE) == 0
    return told[0]


@pytest.mark.parametrize("codec", ["gzip", "zstd", "lz4", "snappy"])
def test_a_bomb_is_refused_by_name_and_reading_goes_on(kafka_bootstrap: str, codec: str) -> None:
    log, topic = KafkaLog(kafka_bootstrap, SystemClock()), fresh("topic")
    log.create_topics({topic: 1})
    assert drop(kafka_bootstrap, topic, codec, bytes(MAX_BATCH_BYTES + 1)) is None
    append(log, [Message(topic, "k", b"after")])

    bomb, after = Reading(log, topic).drain(2)

    assert (bomb.offset, bomb.value, after.value) == (0, b"", b"after")
    assert bomb.headers[REFUSED_HEADER].startswith("1 records from offset 0 to 0 are over")
    log.close()


@pytest.mark.parametrize("codec", ["gzip", "zstd", "lz4", "snappy", "none"])
def test_what_is_within_the_bound_comes_as_it_was(kafka_bootstrap: str, codec: str) -> None:
    log, topic = KafkaLog(kafka_bootstrap, SystemClock()), fresh("topic")
    log.create_topics({topic: 1})
    assert drop(kafka_bootstrap, topic, codec, bytes(2_000_000)) is None
    assert values(Reading(log, topic).drain(1)) == [bytes(2_000_000)]
    log.close()


def test_a_readers_memory_stays_bounded(kafka_bootstrap: str) -> None:
    log, topic = KafkaLog(kafka_bootstrap, SystemClock()), fresh("topic")
    log.create_topics({topic: 1})
    assert drop(kafka_bootstrap, topic, "zstd", bytes(700 << 20)) is None
    command = [sys.executable, "-W", "ignore", "-c", MEASURED]
    done = subprocess.run(
        [*command, kafka_bootstrap, topic, "kafka-python"],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert int(done.stdout) < GROWTH_BYTES
    log.close()


@pytest.mark.parametrize("client", ["kafka-python", "confluent"])
def test_a_topic_that_takes_less_than_we_send_is_named(
    kafka_bootstrap: str, client: KafkaClient
) -> None:
    log, topic = KafkaLog(kafka_bootstrap, SystemClock(), client=client), fresh("topic")
    log.create_topics({topic: 1})
    admin = KafkaAdminClient(bootstrap_servers=kafka_bootstrap)
    small = {"max.message.bytes": "1000"}
    admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, small)])
    admin.close()
    large = (
        log.writer().append(Message(topic, "k", secrets.token_bytes(100_000))).exception(PATIENCE)
    )
    assert isinstance(large, PermanentError)
    assert "max.message.bytes" in str(large)
    log.close()


def test_topics_of_ours_take_what_we_send_and_not_much_more(kafka_bootstrap: str) -> None:
    log, topic = KafkaLog(kafka_bootstrap, SystemClock()), fresh("topic")
    log.create_topics({topic: 1})
    append(log, [Message(topic, "k", secrets.token_bytes(MAX_RECORD_BYTES - 1))])
    refusal = drop(
        kafka_bootstrap, topic, "none", secrets.token_bytes(MAX_RECORD_BYTES + (2 << 20))
    )
    assert "MSG_SIZE_TOO_LARGE" in repr(refusal)
    log.close()
