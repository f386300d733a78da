"""Tables of alerting: the control plane, alerts, tickets, deliveries."""

from __future__ import annotations

import sqlalchemy as sa

from watchkeeper_shared.db.tables.metadata import SERIAL, table
from watchkeeper_shared.db.types import Instant

objects = table(
    "objects",
    "alerting",
    sa.Column("kind", sa.String(32), primary_key=True),
    sa.Column("name", sa.String(128), primary_key=True),
    sa.Column("revision", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("current", sa.Boolean, nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
    sa.Column("spec", sa.JSON, nullable=False),
    sa.Column("author", sa.String(255), nullable=False),
    sa.Column("applied_at", Instant, nullable=False),
    # Why the author withdrew it with this revision; NULL: it is in force, as the spec says.
    sa.Column("withdrawn", sa.Text),
    sa.Index(None, "current", "kind"),
)

references = table(
    "references",
    "alerting",
    sa.Column("id", sa.String(64), primary_key=True),  # sha256 of the artifact
    sa.Column("system", sa.String(128), nullable=False),
    sa.Column("version", sa.String(128), nullable=False),
    sa.Column("current", sa.Boolean, nullable=False),
    sa.Column("rows", sa.BigInteger, nullable=False),
    sa.Column("author", sa.String(255), nullable=False),
    sa.Column("applied_at", Instant, nullable=False),
    # Last: SQLite walks through a long value to reach the columns behind it.
    sa.Column("artifact", sa.LargeBinary, nullable=False),
    sa.Index(None, "system", "version", "current"),
)

api_keys = table(
    "api_keys",
    "alerting",
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("name", sa.String(128), nullable=False),
    sa.Column("role", sa.String(16), nullable=False),
    sa.Column("systems", sa.JSON, nullable=False),  # ["*"], or the systems it may publish for
    sa.Column("secret_hash", sa.String(64), nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("expires_at", Instant),
    sa.Column("revoked_at", Instant),
)

alerts = table(
    "alerts",
    "alerting",
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("breach", sa.String(64), nullable=False, unique=True),
    sa.Column("fingerprint", sa.String(64), nullable=False),
    sa.Column("system", sa.String(128), nullable=False),
    sa.Column("severity", sa.String(16), nullable=False),
    sa.Column("state", sa.String(16), nullable=False),  # firing, acknowledged, resolved
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("content", sa.JSON, nullable=False),  # the newest breach event, as read
    sa.Column("opened_at", Instant, nullable=False),
    sa.Column("acknowledged_at", Instant),
    sa.Column("acknowledged_by", sa.String(255)),
    sa.Column("resolved_at", Instant),
    sa.Column("resolve_reason", sa.Text),
    sa.Index(None, "state", "opened_at"),
)

tickets = table(
    "tickets",
    "alerting",
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("breach", sa.String(64), nullable=False, unique=True),
    sa.Column("alert", sa.String(64), nullable=False),
    sa.Column("system", sa.String(128), nullable=False),
    sa.Column("kind", sa.String(32), nullable=False),
    sa.Column("state", sa.String(32), nullable=False),
    sa.Column("severity", sa.String(16), nullable=False),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("frozen", sa.JSON, nullable=False),  # the breach event at opening; never changed
    sa.Column("evidence", sa.String(64)),
    sa.Column("opened_at", Instant, nullable=False),
    sa.Column("closed_at", Instant),
    sa.Index(None, "state", "opened_at"),
)

ticket_acts = table(
    "ticket_acts",
    "alerting",
    sa.Column("id", SERIAL, primary_key=True),
    sa.Column("ticket", sa.String(64), nullable=False),
    sa.Column("at", Instant, nullable=False),
    sa.Column("actor", sa.String(255), nullable=False),
    sa.Column("act", sa.String(32), nullable=False),
    sa.Column("before", sa.String(32), nullable=False),
    sa.Column("after", sa.String(32), nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Index(None, "ticket", "id"),
)

deliveries = table(
    "deliveries",
    "alerting",
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("alert", sa.String(64), nullable=False),
    sa.Column("channel", sa.String(128), nullable=False),
    sa.Column("event", sa.String(16), nullable=False),  # firing, resolved
    sa.Column("payload", sa.JSON, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),  # queued, delivered, failed
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("next_attempt_at", Instant, nullable=False),
    sa.Column("last_error", sa.Text),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("delivered_at", Instant),
    sa.Index(None, "state", "next_attempt_at"),
    sa.Index(None, "alert"),
)
