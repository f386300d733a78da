"""Every way to prove who one is, right and wrong, against a real broker with either client."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from kafka.admin import (
    ACL,
    ACLOperation,
    ACLPermissionType,
    KafkaAdminClient,
    ResourcePattern,
    ResourceType,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from watchkeeper_shared.clock import SystemClock
from watchkeeper_shared.errors import (
    CertificateRefused,
    ConfigError,
    CredentialsRefused,
    LogRefused,
    LogUnavailable,
    ProtocolMismatch,
)
from watchkeeper_shared.eventlog.clients import KafkaClient
from watchkeeper_shared.eventlog.kafka_log import KafkaLog
from watchkeeper_shared.eventlog.port import Message
from watchkeeper_shared.testing.contracts.eventlog import append, values
from watchkeeper_shared.testing.readings import PATIENCE, Reading
from watchkeeper_shared.testing.servers import ServerUnavailable
from watchkeeper_shared.testing.servers.certificates import Authority
from watchkeeper_shared.testing.servers.kafka.secure import SecureNode, unsigned_token
from watchkeeper_shared.testing.servers.unavailable import skip

pytestmark = pytest.mark.kafka

SECONDS = 3.0
"""How soon a wrong credential must show; the clients alone take 10 s and name nothing."""

TOPIC, PASSWORD, PAYLOAD = "guarded", "right-horse-battery", b"a payload nobody should log"
SCRAM = {"sasl_mechanism": "SCRAM-SHA-512", "sasl_plain_username": "ingest"}
NAMED = SCRAM | {"sasl_plain_password": PASSWORD}
BOTH: tuple[KafkaClient, ...] = ("kafka-python", "confluent")


class Broker:
    """The node, and the files that clients need."""

    def __init__(self, node: SecureNode, folder: Path) -> None:
        self.node = node
        stranger = Authority(folder, "stranger")
        ours, theirs = node.authority.sign("ingest"), stranger.sign("ingest")
        now = round(SystemClock().now().timestamp())
        self.token, self.forged = folder / "token", folder / "forged"
        self.token.write_text(unsigned_token("ingest", now - 5, now + 600))
        self.forged.write_text("e30.e30.")
        self.files = {
            "CA": str(node.authority.certificate),
            "STRANGER": str(stranger.certificate),
            "CERT": str(ours.certificate),
            "KEY": str(ours.key),
            "OTHERCERT": str(theirs.certificate),
            "OTHERKEY": str(theirs.key),
            "TOKEN": str(self.token),
            "FORGED": str(self.forged),
        }

    def log(
        self,
        listener: str,
        protocol: str,
        settings: Mapping[str, str],
        client: KafkaClient = "kafka-python",
    ) -> KafkaLog:
        """The event log behind a listener; upper-case values name files."""
        address = self.node.bootstrap if listener == "open" else self.node.address[listener]
        security = {name: self.files.get(value, value) for name, value in settings.items()}
        security["security_protocol"] = protocol
        return KafkaLog(address, SystemClock(), security=security, client=client)


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    folder = tmp_path_factory.mktemp("secure")
    try:
        node = SecureNode(folder, dict(os.environ), {"ingest": PASSWORD})  # noqa: TID251
        node.format()
        node.start()
    except ServerUnavailable as reason:
        skip(reason)
    admin = KafkaAdminClient(bootstrap_servers=node.bootstrap)
    admin.create_acls(
        [
            _allowed(ResourceType.TOPIC, TOPIC, ACLOperation.WRITE),
            _allowed(ResourceType.TOPIC, TOPIC, ACLOperation.READ),
            _allowed(ResourceType.GROUP, "*", ACLOperation.READ),
        ]
    )
    admin.close()
    log = KafkaLog(node.bootstrap, SystemClock())
    log.create_topics({TOPIC: 1})
    log.close()
    yield Broker(node, folder)
    node.stop()


def _allowed(kind: ResourceType, name: str, operation: ACLOperation) -> Any:
    pattern = ResourcePattern(kind, name)
    return ACL("User:ingest", "*", operation, ACLPermissionType.ALLOW, pattern)


RIGHT = {
    "PLAIN": ("plainsasl", "SASL_PLAINTEXT", NAMED | {"sasl_mechanism": "PLAIN"}),
    "SCRAM-SHA-256": ("scram", "SASL_PLAINTEXT", NAMED | {"sasl_mechanism": "SCRAM-SHA-256"}),
    "SCRAM-SHA-512": ("scram", "SASL_PLAINTEXT", NAMED),
    "SCRAM over TLS": ("scramtls", "SASL_SSL", NAMED | {"ssl_cafile": "CA"}),
    "TLS": ("tls", "SSL", {"ssl_cafile": "CA"}),
    "mutual TLS": (
        "mtls",
        "SSL",
        {"ssl_cafile": "CA", "ssl_certfile": "CERT", "ssl_keyfile": "KEY"},
    ),
    "OAUTHBEARER": (
        "oauth",
        "SASL_PLAINTEXT",
        {"sasl_mechanism": "OAUTHBEARER", "oauth_token_file": "TOKEN"},
    ),
}


@pytest.mark.parametrize("client", BOTH)
@pytest.mark.parametrize("way", RIGHT)
def test_who_proves_it_may_write_and_read(broker: Broker, client: KafkaClient, way: str) -> None:
    log = broker.log(*RIGHT[way], client)
    (offset,) = append(log, [Message(TOPIC, "k", way.encode())])

    reading = Reading(log, TOPIC, offset=offset)

    assert values(reading.drain(1)) == [way.encode()]
    log.close()


WRONG: dict[str, tuple[str, str, dict[str, str], type[LogRefused], str]] = {
    "password": (
        "scram",
        "SASL_PLAINTEXT",
        SCRAM | {"sasl_plain_password": "wrong"},
        CredentialsRefused,
        "SCRAM-SHA-512 authentication of user ingest refused by {address}",
    ),
    "password of PLAIN": (
        "plainsasl",
        "SASL_PLAINTEXT",
        SCRAM | {"sasl_plain_password": "wrong", "sasl_mechanism": "PLAIN"},
        CredentialsRefused,
        "PLAIN authentication of user ingest refused by {address}",
    ),
    "password over TLS": (
        "scramtls",
        "SASL_SSL",
        SCRAM | {"sasl_plain_password": "wrong", "ssl_cafile": "CA"},
        CredentialsRefused,
        "SCRAM-SHA-512 authentication of user ingest refused by {address}",
    ),
    "token": (
        "oauth",
        "SASL_PLAINTEXT",
        {"sasl_mechanism": "OAUTHBEARER", "oauth_token_file": "FORGED"},
        CredentialsRefused,
        "OAUTHBEARER authentication of the bearer of the token refused by {address}",
    ),
    "mechanism": (
        "scramtls",
        "SASL_SSL",
        NAMED | {"sasl_mechanism": "SCRAM-SHA-256", "ssl_cafile": "CA"},
        ProtocolMismatch,
        "{address} does not offer SCRAM-SHA-256, only SCRAM-SHA-512",
    ),
    "authority": (
        "tls",
        "SSL",
        {"ssl_cafile": "STRANGER"},
        CertificateRefused,
        "TLS: the certificate of {address} is not trusted",
    ),
    "no client certificate": (
        "mtls",
        "SSL",
        {"ssl_cafile": "CA"},
        CertificateRefused,
        "TLS: {address} does not take our certificate",
    ),
    "a stranger's certificate": (
        "mtls",
        "SSL",
        {"ssl_cafile": "CA", "ssl_certfile": "OTHERCERT", "ssl_keyfile": "OTHERKEY"},
        CertificateRefused,
        "TLS: {address} does not take our certificate",
    ),
    "plaintext to TLS": (
        "tls",
        "PLAINTEXT",
        {},
        ProtocolMismatch,
        "plaintext spoken to {address}, which hung up",
    ),
    "TLS to plaintext": (
        "open",
        "SSL",
        {"ssl_cafile": "CA"},
        ProtocolMismatch,
        "TLS spoken to {address}, which does not answer in TLS",
    ),
    "no SASL": ("scram", "PLAINTEXT", {}, ProtocolMismatch, "{address} hung up.*asks for SASL"),
    "SASL to plaintext": (
        "open",
        "SASL_PLAINTEXT",
        NAMED,
        ProtocolMismatch,
        "SASL spoken to {address}, which asks for no authentication",
    ),
}


@pytest.mark.parametrize("client", BOTH)
@pytest.mark.parametrize("way", WRONG)
def test_what_is_wrong_is_named_within_seconds(
    broker: Broker, client: KafkaClient, way: str
) -> None:
    listener, protocol, settings, kind, words = WRONG[way]
    log = broker.log(listener, protocol, settings, client)
    address = dict(broker.node.address, open=broker.node.bootstrap)[listener]
    clock = SystemClock()
    for attempt in (log.ping, lambda: log.reader("g", [TOPIC])):
        started = clock.monotonic()
        with pytest.raises(kind, match=words.format(address=address)):
            attempt()
        assert clock.monotonic() - started < SECONDS
    failure = log.writer().append(Message(TOPIC, "k", b"x")).exception(SECONDS)
    assert isinstance(failure, kind)
    log.close()


def test_a_name_that_the_certificate_does_not_have_is_named(broker: Broker) -> None:
    other = broker.log("tls", "SSL", {"ssl_cafile": "CA"})
    _, _, port = broker.node.address["tls"].rpartition(":")
    log = KafkaLog(f"127.1:{port}", SystemClock(), security=dict(other._access.security))
    with pytest.raises(CertificateRefused, match=r"not trusted: .*mismatch"):
        log.ping()


@pytest.mark.parametrize("client", BOTH)
def test_rotated_credentials_need_no_restart(broker: Broker, client: KafkaClient) -> None:
    user = f"late-{client}"
    settings = NAMED | {"sasl_plain_username": user, "sasl_plain_password": "new"}
    log = broker.log("scram", "SASL_PLAINTEXT", settings, client)
    with pytest.raises(CredentialsRefused, match=user):
        log.ping()
    writer = log.writer()
    assert isinstance(
        writer.append(Message(TOPIC, "k", b"x")).exception(PATIENCE), CredentialsRefused
    )
    admin = KafkaAdminClient(bootstrap_servers=broker.node.bootstrap)
    known = UserScramCredentialUpsertion(user, ScramMechanism.SCRAM_SHA_512, b"new", 4096)
    admin.alter_user_scram_credentials([known])
    admin.close()
    clock = SystemClock()
    until = clock.monotonic() + PATIENCE
    while True:
        assert clock.monotonic() < until
        try:
            log.ping()
        except CredentialsRefused:
            continue
        break
    # Known now, and still without a right: a refusal of another kind.
    denied = writer.append(Message(TOPIC, "k", b"x")).exception(PATIENCE)
    assert isinstance(denied, LogUnavailable)
    assert not isinstance(denied, LogRefused)
    log.close()


@pytest.mark.parametrize("client", BOTH)
def test_nothing_secret_is_logged_or_told(
    broker: Broker, client: KafkaClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    told = []
    for way in ("PLAIN", "SCRAM-SHA-512", "OAUTHBEARER"):
        log = broker.log(*RIGHT[way], client)
        append(log, [Message(TOPIC, "k", PAYLOAD)])
        told.append(repr(vars(log)["_access"]))
        log.close()
    secret = "the-wrong-password"
    for listener, mechanism in (("plainsasl", "PLAIN"), ("scram", "SCRAM-SHA-512")):
        settings = SCRAM | {"sasl_plain_password": secret, "sasl_mechanism": mechanism}
        log = broker.log(listener, "SASL_PLAINTEXT", settings, client)
        with pytest.raises(LogUnavailable) as refused:
            log.ping()
        told.append(str(refused.value))
        log.close()
    told.append(caplog.text)
    for hidden in (PASSWORD, secret, PAYLOAD.decode(), broker.token.read_text()):
        assert not any(hidden in text for text in told)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"ssl_cafile": "/nowhere/ca.pem"}, "SSL_CAFILE=/nowhere/ca.pem: No such file"),
        ({"ssl_cafile": "KEY"}, "SSL_CAFILE=.*name a PEM file"),
        ({"ssl_cafile": "CA", "ssl_certfile": "CERT", "ssl_keyfile": "OTHERKEY"}, "MISMATCH"),
    ],
)
def test_files_that_cannot_be_used_end_the_start(
    broker: Broker, settings: dict[str, str], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        broker.log("tls", "SSL", settings)
