"""The control records: what was applied or withdrawn, told on `watchkeeper.control.v1`."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from watchkeeper_shared.db import outbox
from watchkeeper_shared.eventlog.port import Message
from watchkeeper_shared.topics import CONTROL

OWNER = "alerting"
"""The service whose relay sends what is enqueued here."""


APPLIED = "watchkeeper.control.applied"
WITHDRAWN = "watchkeeper.control.withdrawn"


def announce(
    c: sa.Connection,
    kind: str,
    name: str,
    body: dict[str, Any],
    now: datetime,
    event_type: str = APPLIED,
) -> None:
    """Enqueue the record of an object in the outbox, in the transaction that changed it.

    Parameters
    ----------
    c
        The transaction.
    kind, name
        Together the record key, so that compaction keeps the newest of each object.
    body
        The object and its hash; `revision` or `id` in it makes the event's identity.
    now
        The instant of the change.
    event_type
        What happened to it.
    """
    value = msgspec.json.encode({"kind": kind, "name": name, **body})
    event = digest("control", kind, name, str(body.get("revision")), str(now), value.hex())
    headers = {
        "ce_specversion": "1.0",
        "ce_id": event,
        "ce_type": event_type,
        "ce_source": "watchkeeper/alerting",
        "ce_time": now.isoformat(),
        "content-type": "application/json",
    }
    message = Message(CONTROL.name, f"{kind}/{name}", value, headers)
    outbox.enqueue(c, OWNER, message, event, now)


def digest(*parts: str) -> str:
    """Return a stable identity of 64 hex digits for `parts`.

    Examples
    --------
    >>> digest("a", "b") == digest("ab")
    False
    """
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()
