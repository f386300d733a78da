"""The access rules of docs/deploy.md, given to a real broker: enough, and no more than is said."""

import os
import re
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from kafka.admin import (
    ACL,
    ACLOperation,
    ACLPermissionType,
    KafkaAdminClient,
    ResourcePattern,
    ResourceType,
)

from watchkeeper_shared.clock import SystemClock
from watchkeeper_shared.errors import LogUnavailable, WatchkeeperError
from watchkeeper_shared.eventlog.kafka_log import KafkaLog
from watchkeeper_shared.eventlog.opening import create_topics
from watchkeeper_shared.eventlog.port import Message, Poll
from watchkeeper_shared.testing.servers import ServerUnavailable
from watchkeeper_shared.testing.servers.kafka import node as kafka
from watchkeeper_shared.testing.servers.unavailable import skip
from watchkeeper_shared.topics import BREACHES, CONTROL, LABELS, PREDICTIONS, TOPICS

pytestmark = pytest.mark.kafka

PAGE = Path(__file__).parents[2] / "docs" / "deploy.md"
USERS = ("ingest", "monitor", "alerting", "platform")
PASSWORD = "letters"
GUARDED = """
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,GUARDED:SASL_PLAINTEXT
inter.broker.listener.name=PLAINTEXT
listener.name.guarded.sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.guarded.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
"""  # noqa: E501 - a property of the broker stands on one line


class GuardedNode(kafka.KafkaNode):
    """A broker with a second listener that asks who is there and what they may do."""

    def format(self) -> None:
        self.guarded = f"127.0.0.1:{kafka.free_ports()[0]}"
        text = kafka.PROPERTIES.format(
            port=self._port, controller=self._controller, folder=self._folder
        ).replace(",CONTROLLER://", f",GUARDED://{self.guarded},CONTROLLER://", 1)
        (self._folder / "server.properties").write_text(text + GUARDED)
        users = [f"SCRAM-SHA-512=[name={name},password={PASSWORD}]" for name in USERS]
        options = [part for user in users for part in ("--add-scram", user)]
        command = self._java(
            "kafka.tools.StorageTool", "format", "-t", kafka.CLUSTER, *options, "-c"
        )
        subprocess.run(command, env=dict(self._env), capture_output=True, check=True)

    def log(self, user: str) -> KafkaLog:
        """The event log as `user` sees it."""
        security = {
            "security_protocol": "SASL_PLAINTEXT",
            "sasl_mechanism": "SCRAM-SHA-512",
            "sasl_plain_username": user,
            "sasl_plain_password": PASSWORD,
        }
        patience = timedelta(seconds=5)
        return KafkaLog(self.guarded, SystemClock(), security=security, patience=patience)


def rules() -> Iterator[tuple[str, str, str]]:
    """User, kind and name of resource with the operation, as the page's table says."""
    table = PAGE.read_text(encoding="utf-8").split("### What each service may do on Kafka")[1]
    user = ""
    for line in table.split("\n\n")[1].splitlines()[2:]:
        who, topics, operations, group = (cell.strip() for cell in line.strip("|").split("|"))
        user = who or user
        if user in USERS:
            for topic in re.findall(r"`(\S+)`", topics):
                yield user, f"topic {topic}", operations
            for name in re.findall(r"`(\S+)`", group):
                yield user, f"group {name}", "READ"


def given(user: str, resource: str, operation: str) -> ACL:
    kind, name = resource.split()
    return ACL(
        principal=f"User:{user}",
        host="*",
        operation=ACLOperation[operation],
        permission_type=ACLPermissionType.ALLOW,
        resource_pattern=ResourcePattern(ResourceType[kind.upper()], name),
    )


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GuardedNode]:
    node = GuardedNode(tmp_path_factory.mktemp("guarded"), dict(os.environ))  # noqa: TID251
    try:
        node.format()
        node.start()
    except ServerUnavailable as reason:
        skip(reason)
    admin = KafkaAdminClient(bootstrap_servers=node.bootstrap)
    names = [name for topic in TOPICS for name in (topic.name, topic.dead_letters)]
    platform = [
        ("platform", f"topic {name}", op) for name in names for op in ("CREATE", "DESCRIBE")
    ]
    admin.create_acls([given(*rule) for rule in (*rules(), *platform)])
    admin.close()
    log = node.log("platform")
    create_topics(log, 1)
    log.close()
    yield node
    node.stop()


def append(broker: GuardedNode, user: str, topic: str) -> None:
    log = broker.log(user)
    try:
        log.writer().append(Message(topic, "s", b"{}")).result(timeout=20)
    finally:
        log.close()


def read(broker: GuardedNode, user: str, topic: str) -> bytes:
    """The first record, read as the services do: id, beginning, start, report."""
    log = broker.log(user)
    try:
        reader = log.reader(user, [topic])
        for _ in range(100):
            poll: Poll = reader.poll(timedelta(milliseconds=200))
            for at in poll.assigned:
                assert reader.topic_id(topic)
                reader.start(at, reader.beginning(at))
            if poll.records:
                reader.report({poll.records[0].at: 1})
                return poll.records[0].value
    finally:
        log.close()
    raise AssertionError(f"{user} got nothing from {topic}")


def test_the_page_names_the_rules_of_every_service() -> None:
    found = list(rules())

    assert {user for user, _, _ in found} == {"ingest", "monitor", "alerting"}
    assert len(found) == 12


@pytest.mark.parametrize(
    ("user", "topic"),
    [
        ("ingest", PREDICTIONS.name),
        ("ingest", LABELS.name),
        ("monitor", BREACHES.name),
        ("monitor", PREDICTIONS.dead_letters),
        ("monitor", LABELS.dead_letters),
        ("alerting", CONTROL.name),
        ("alerting", BREACHES.dead_letters),
    ],
)
def test_the_rules_let_a_service_write_what_it_writes(
    broker: GuardedNode, user: str, topic: str
) -> None:
    append(broker, user, topic)


@pytest.mark.parametrize(
    ("writer", "user", "topic"),
    [
        ("ingest", "monitor", PREDICTIONS.name),
        ("ingest", "monitor", LABELS.name),
        ("monitor", "alerting", BREACHES.name),
    ],
)
def test_the_rules_let_a_service_read_what_it_reads(
    broker: GuardedNode, writer: str, user: str, topic: str
) -> None:
    append(broker, writer, topic)

    assert read(broker, user, topic) == b"{}"


@pytest.mark.parametrize(
    ("user", "topic"),
    [("ingest", BREACHES.name), ("monitor", CONTROL.name), ("alerting", PREDICTIONS.name)],
)
def test_the_rules_let_no_service_write_what_is_not_its_own(
    broker: GuardedNode, user: str, topic: str
) -> None:
    with pytest.raises(WatchkeeperError):
        append(broker, user, topic)


def test_the_rules_let_ingest_read_nothing(broker: GuardedNode) -> None:
    with pytest.raises(LogUnavailable):
        read(broker, "ingest", BREACHES.name)
