"""How the Kafka clients are set, and which trap each setting avoids."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from watchkeeper_shared.eventlog.access import Access
from watchkeeper_shared.eventlog.port import MAX_RECORD_BYTES

REQUEST_MS = 10_000
BOOTSTRAP_MS = 10_000
METADATA_MS = 30_000
METADATA_BLOCK_MS = 5_000

# Room above our own limit for a record's headers and framing.
MAX_REQUEST_BYTES = MAX_RECORD_BYTES + (1 << 20)

CONSUMER = {
    "enable_auto_commit": False,  # positions live with the state
    "auto_offset_reset": "none",  # a lost position must raise, never jump
    "isolation_level": "read_committed",  # what a sender took back was never said
    "allow_auto_create_topics": False,
    "max_poll_records": 50,  # a record is a batch of rows
    "fetch_max_wait_ms": 200,
    "max_partition_fetch_bytes": 4 << 20,
    "fetch_max_bytes": 32 << 20,
    "max_poll_interval_ms": 120_000,
}

PRODUCER = {
    "acks": "all",
    "enable_idempotence": True,
    "allow_auto_create_topics": False,
    "linger_ms": 10,
    "batch_size": 512 << 10,
    "compression_type": "lz4",
    "delivery_timeout_ms": 30_000,
    "max_block_ms": METADATA_BLOCK_MS,
    "max_request_size": MAX_REQUEST_BYTES,  # checked before compression
}


def silence(session: timedelta) -> dict[str, int]:
    """Return how long a reader may be silent, and how often it is heard until then."""
    whole = session // timedelta(milliseconds=1)
    return {"session_timeout_ms": whole, "heartbeat_interval_ms": whole // 5}


def common(access: Access) -> dict[str, Any]:
    """Return what producers, consumers and admin clients of kafka-python share."""
    return {
        "bootstrap_servers": [address.strip() for address in access.bootstrap.split(",")],
        "bootstrap_timeout_ms": BOOTSTRAP_MS,
        "request_timeout_ms": REQUEST_MS,
        "metadata_max_age_ms": METADATA_MS,
        # Tokens come from an object of ours, not from a setting.
        **{name: value for name, value in access.security.items() if name[:6] != "oauth_"},
    }
