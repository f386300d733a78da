"""How the clients of confluent-kafka are set: as near to the other library's as it goes."""

from __future__ import annotations

from typing import Any

from watchkeeper_shared.eventlog import kafka_settings as other
from watchkeeper_shared.eventlog.access import Access

_NAMES = {
    "security_protocol": "security.protocol",
    "sasl_mechanism": "sasl.mechanism",
    "sasl_plain_username": "sasl.username",
    "sasl_plain_password": "sasl.password",
    "ssl_cafile": "ssl.ca.location",
    "ssl_certfile": "ssl.certificate.location",
    "ssl_keyfile": "ssl.key.location",
    "ssl_password": "ssl.key.password",
}

PRODUCER = {
    "acks": "all",
    "enable.idempotence": True,
    "allow.auto.create.topics": False,
    # The other library's, and Java's: a key must go to the same partition from everywhere.
    "partitioner": "murmur2_random",
    "linger.ms": other.PRODUCER["linger_ms"],
    "batch.size": other.PRODUCER["batch_size"],
    "compression.type": other.PRODUCER["compression_type"],
    "delivery.timeout.ms": other.PRODUCER["delivery_timeout_ms"],
    "topic.metadata.propagation.max.ms": other.METADATA_BLOCK_MS,
    "message.max.bytes": other.MAX_REQUEST_BYTES,
    # Our writers bound the bytes that wait; a second bound would refuse at other sizes.
    "queue.buffering.max.messages": 0,
    "queue.buffering.max.kbytes": 2_097_151,
}

CONSUMER = {
    "enable.auto.commit": False,  # positions live with the state
    "auto.offset.reset": "error",  # a lost position must be told, never jump
    "isolation.level": other.CONSUMER["isolation_level"],
    "enable.partition.eof": True,  # tells how far it is where nothing is delivered
    "allow.auto.create.topics": False,
    "partition.assignment.strategy": "range",
    "fetch.wait.max.ms": other.CONSUMER["fetch_max_wait_ms"],
    "max.partition.fetch.bytes": other.CONSUMER["max_partition_fetch_bytes"],
    "fetch.max.bytes": other.CONSUMER["fetch_max_bytes"],
    "queued.max.messages.kbytes": 16 << 10,
    "max.poll.interval.ms": other.CONSUMER["max_poll_interval_ms"],
}


def common(access: Access) -> dict[str, Any]:
    """Return what producers, consumers and admin clients share."""
    return {
        "bootstrap.servers": access.bootstrap,
        "socket.timeout.ms": other.REQUEST_MS,
        "topic.metadata.refresh.interval.ms": other.METADATA_MS,
        "socket.keepalive.enable": True,
        **{_NAMES[name]: value for name, value in access.security.items() if name in _NAMES},
    }
