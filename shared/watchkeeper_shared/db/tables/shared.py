"""Tables of every service: positions, outbox, inbox, leases, the audit log.

The module named beside each is its only writer, whichever service calls it.
"""

from __future__ import annotations

import sqlalchemy as sa

from watchkeeper_shared.db.tables.metadata import SERIAL, table
from watchkeeper_shared.db.types import Instant

positions = table(
    "positions",
    "shared",  # db/positions.py
    sa.Column("consumer", sa.String(64), primary_key=True),
    sa.Column("topic", sa.String(255), primary_key=True),
    sa.Column("partition", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("topic_id", sa.String(64), nullable=False),
    sa.Column("epoch", sa.BigInteger, nullable=False),
    sa.Column("owner", sa.String(255), nullable=False),
    sa.Column("next_offset", sa.BigInteger, nullable=False),
    # How many owners in a row ended without a word, the position staying where it is.
    sa.Column("tries", sa.Integer, nullable=False, server_default="0"),
    sa.Column("suspect", sa.BigInteger),  # noted before it is processed alone
    sa.Column("updated_at", Instant, nullable=False),
)

outbox = table(
    "outbox",
    "shared",  # db/outbox.py
    sa.Column("id", SERIAL, primary_key=True),
    sa.Column("owner", sa.String(32), nullable=False),  # the service whose relay sends it
    sa.Column("event_id", sa.String(64), nullable=False, unique=True),
    sa.Column("topic", sa.String(255), nullable=False),
    sa.Column("key", sa.String(512), nullable=False),
    sa.Column("headers", sa.JSON, nullable=False),
    sa.Column("value", sa.LargeBinary, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("sent_at", Instant),
    sa.Column("refused", sa.Text),  # why the log will never take it; people must look
    sa.Index(None, "owner", "sent_at", "id"),
)

inbox = table(
    "inbox",
    "shared",  # db/positions.py
    sa.Column("consumer", sa.String(64), primary_key=True),
    sa.Column("event_id", sa.String(64), primary_key=True),
    sa.Column("seen_at", Instant, nullable=False),
    sa.Index(None, "consumer", "seen_at"),
)

leases = table(
    "leases",
    "shared",  # db/leases.py
    sa.Column("name", sa.String(255), primary_key=True),
    sa.Column("holder", sa.String(255), nullable=False),
    sa.Column("expires_at", Instant, nullable=False),
)

# `entry` is the canonical JSON of the act: exactly the bytes that a Merkle leaf will hash.
audit = table(
    "audit",
    "shared",  # db/audit.py
    sa.Column("index", SERIAL, primary_key=True),
    sa.Column("at", Instant, nullable=False),
    sa.Column("actor", sa.String(255), nullable=False),
    sa.Column("act", sa.String(64), nullable=False),
    sa.Column("subject", sa.String(255), nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("entry", sa.Text, nullable=False),
    sa.Index(None, "subject"),
)
