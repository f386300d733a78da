"""Every table, and the one service that writes it (`info["owner"]`).

Others read through the read models in this package. `shared` as owner means that the
named module beside the table is the only writer, whichever service calls it.
"""

from __future__ import annotations

import sqlalchemy as sa

from watchkeeper_shared.db.types import Instant

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_Serial = sa.BigInteger().with_variant(sa.Integer, "sqlite")
# SQLite never looks at a length, and would copy a whole table to forget one.
_Segment = sa.Text().with_variant(sa.String(255), "sqlite")


def _table(name: str, owner: str, *items: sa.schema.SchemaItem) -> sa.Table:
    return sa.Table(name, metadata, *items, info={"owner": owner})


# --- shared: positions, outbox, inbox, leases, audit ---------------------------------

positions = _table(
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

outbox = _table(
    "outbox",
    "shared",  # db/outbox.py
    sa.Column("id", _Serial, primary_key=True),
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

inbox = _table(
    "inbox",
    "shared",  # db/positions.py
    sa.Column("consumer", sa.String(64), primary_key=True),
    sa.Column("event_id", sa.String(64), primary_key=True),
    sa.Column("seen_at", Instant, nullable=False),
    sa.Index(None, "consumer", "seen_at"),
)

leases = _table(
    "leases",
    "shared",  # db/leases.py
    sa.Column("name", sa.String(255), primary_key=True),
    sa.Column("holder", sa.String(255), nullable=False),
    sa.Column("expires_at", Instant, nullable=False),
)

# `entry` is the canonical JSON of the act: exactly the bytes that a Merkle leaf will hash.
audit = _table(
    "audit",
    "shared",  # db/audit.py
    sa.Column("index", _Serial, primary_key=True),
    sa.Column("at", Instant, nullable=False),
    sa.Column("actor", sa.String(255), nullable=False),
    sa.Column("act", sa.String(64), nullable=False),
    sa.Column("subject", sa.String(255), nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("entry", sa.Text, nullable=False),
    sa.Index(None, "subject"),
)

# --- alerting: the control plane, alerts, tickets, deliveries ------------------------

objects = _table(
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
    sa.Index(None, "current", "kind"),
)

references = _table(
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

api_keys = _table(
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

alerts = _table(
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

tickets = _table(
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

ticket_acts = _table(
    "ticket_acts",
    "alerting",
    sa.Column("id", _Serial, primary_key=True),
    sa.Column("ticket", sa.String(64), nullable=False),
    sa.Column("at", Instant, nullable=False),
    sa.Column("actor", sa.String(255), nullable=False),
    sa.Column("act", sa.String(32), nullable=False),
    sa.Column("before", sa.String(32), nullable=False),
    sa.Column("after", sa.String(32), nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Index(None, "ticket", "id"),
)

deliveries = _table(
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

# --- monitor: panes, index, labels, windows, measurements, episodes, evidence --------

# A pane is the smallest event-time bucket. Each writer (an intake partition, or the
# label join) adds into a row of its own; a reader merges the rows.
profiles = _table(
    "profiles",
    "monitor",
    sa.Column("system", sa.String(128), primary_key=True),
    sa.Column("version", sa.String(128), primary_key=True),
    sa.Column("reference", sa.String(64), primary_key=True),
    sa.Column("pane_start", Instant, primary_key=True),
    sa.Column("pane_end", Instant, primary_key=True),
    sa.Column("source", sa.String(64), primary_key=True),  # "predictions/3", "labels"
    sa.Column("rows", sa.BigInteger, nullable=False),
    sa.Column("profile", sa.LargeBinary, nullable=False),
)

# The k rows of a pane with the smallest id hash, per writer; for evidence only. Beside
# the profiles, because a full sample seldom changes and a profile does with every flush.
samples = _table(
    "samples",
    "monitor",
    sa.Column("system", sa.String(128), primary_key=True),
    sa.Column("version", sa.String(128), primary_key=True),
    sa.Column("reference", sa.String(64), primary_key=True),
    sa.Column("pane_start", Instant, primary_key=True),
    sa.Column("pane_end", Instant, primary_key=True),
    sa.Column("source", sa.String(64), primary_key=True),
    # A few new rows are a part of their own, until all parts are made one.
    sa.Column("part", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("rows", sa.BigInteger, nullable=False),
    # Up to this id hash no row was left out; the greatest integer where none was at all.
    sa.Column("largest", sa.BigInteger, nullable=False),
    sa.Column("sample", sa.LargeBinary, nullable=False),  # Arrow IPC
)

# `changed` grows with every flush into the pane; `judged` is the value that the judge
# saw. A pane is dirty while they differ, so a flush during a judgement is never missed.
# An hour or a day that panes were merged into is a row too: what `held` says of it.
panes = _table(
    "panes",
    "monitor",
    sa.Column("system", sa.String(128), primary_key=True),
    sa.Column("version", sa.String(128), primary_key=True),
    sa.Column("pane_start", Instant, primary_key=True),
    sa.Column("pane_end", Instant, primary_key=True),
    sa.Column("changed", sa.BigInteger, nullable=False),
    sa.Column("judged", sa.BigInteger, nullable=False),
    sa.Column("judged_at", Instant),  # since when it rests; unknown from before there was this
    # pane: as it was counted; rolled: the sum of panes; gone: dropped, and nothing is known.
    sa.Column("held", sa.String(8), nullable=False, server_default="pane"),
    # Whoever reads a window asks what of it is gone, and mostly nothing ever is.
    sa.Index(None, "system", "version", "held", "pane_start", "pane_end"),
)

# The next block of a system takes its number here, and holds the row until it commits: so blocks
# are numbered in the order of their commits, and two workers never add to one system at once.
index_heads = _table(
    "index_heads",
    "monitor",
    sa.Column("system", sa.String(128), primary_key=True),
    sa.Column("last_id", sa.BigInteger, nullable=False),
)

# The prediction index: a row is a block of many predictions, sorted by the hash of their ids.
# `mark` is random: what is kept in memory of a block is kept under it.
predictions = _table(
    "predictions",
    "monitor",
    sa.Column("system", sa.String(128), primary_key=True),
    sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("mark", sa.BigInteger, nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),  # seen; echoed: told by its label alone
    sa.Column("rows", sa.BigInteger, nullable=False),
    sa.Column("newest", sa.BigInteger, nullable=False),  # the greatest id it was merged from
    sa.Column("arrived_at", Instant, nullable=False),  # of its newest row
    # Last, as every long value: SQLite walks through it to reach the columns behind it.
    sa.Column("hashes", sa.LargeBinary, nullable=False),  # int64, ascending
    sa.Column("content", sa.LargeBinary, nullable=False),  # columns: pane, prediction, score, …
)

# Labels in blocks likewise. A waiting one is looked for among predictions newer than `checked`;
# an applied one says what is in the profiles now, so that a correction can take it back.
labels = _table(
    "labels",
    "monitor",
    sa.Column("system", sa.String(128), primary_key=True),
    sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("mark", sa.BigInteger, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),  # waiting, applied
    sa.Column("rows", sa.BigInteger, nullable=False),
    sa.Column("checked", sa.BigInteger, nullable=False),
    sa.Column("first_at", Instant, nullable=False),  # arrival of the oldest and the newest row
    sa.Column("arrived_at", Instant, nullable=False),
    sa.Column("hashes", sa.LargeBinary, nullable=False),
    sa.Column("content", sa.LargeBinary, nullable=False),  # columns: label, time, received
)

# Fingerprints of the newest batches of a partition: one that comes again is not read again.
repeats = _table(
    "repeats",
    "monitor",
    sa.Column("consumer", sa.String(64), primary_key=True),
    sa.Column("topic", sa.String(255), primary_key=True),
    sa.Column("partition", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("batches", sa.LargeBinary, nullable=False),  # int64, oldest first
)

progress = _table(
    "progress",
    "monitor",
    sa.Column("system", sa.String(128), primary_key=True),
    sa.Column("topic", sa.String(255), primary_key=True),
    sa.Column("partition", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("watermark", Instant),  # newest event time seen on this partition
    sa.Column("arrived_at", Instant, nullable=False),  # when the newest record was folded
    sa.Column("rows", sa.BigInteger, nullable=False),
)

tallies = _table(
    "tallies",
    "monitor",
    sa.Column("system", sa.String(128), primary_key=True),
    sa.Column("name", sa.String(64), primary_key=True),  # duplicates, label_unknown, …
    sa.Column("value", sa.BigInteger, nullable=False),
)

dead_letters = _table(
    "dead_letters",
    "monitor",
    sa.Column("consumer", sa.String(64), primary_key=True),
    sa.Column("topic", sa.String(255), primary_key=True),
    sa.Column("partition", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("offset", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("code", sa.String(64), nullable=False),
    sa.Column("detail", sa.Text, nullable=False),
    sa.Column("at", Instant, nullable=False),
)

windows = _table(
    "windows",
    "monitor",
    sa.Column("policy", sa.String(128), primary_key=True),
    sa.Column("system", sa.String(128), primary_key=True),
    sa.Column("version", sa.String(128), primary_key=True),
    sa.Column("start", Instant, primary_key=True),
    sa.Column("end", Instant, nullable=False),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("status", sa.String(16), nullable=False),  # provisional, final, amended
    sa.Column("rows", sa.BigInteger, nullable=False),
    sa.Column("content", sa.String(64), nullable=False),  # sha256 of the merged profile judged
    sa.Column("judged_at", Instant, nullable=False),
    # The sum of `panes.changed` in its reach when it was judged: while that holds, it need not be.
    sa.Column("seen", sa.BigInteger),
    sa.Index(None, "system", "status"),
    sa.Index(None, "system", "policy", "version"),
)

# Windows that start before `until` are judged no more: of those before them some have ended.
ended = _table(
    "ended",
    "monitor",
    sa.Column("policy", sa.String(128), primary_key=True),
    sa.Column("system", sa.String(128), primary_key=True),
    sa.Column("version", sa.String(128), primary_key=True),
    sa.Column("until", Instant, nullable=False),
    sa.Index(None, "system"),
)

measurements = _table(
    "measurements",
    "monitor",
    sa.Column("id", _Serial, primary_key=True),
    sa.Column("system", sa.String(128), nullable=False),
    sa.Column("version", sa.String(128), nullable=False),
    sa.Column("policy", sa.String(128), nullable=False),
    sa.Column("policy_hash", sa.String(64), nullable=False),
    sa.Column("rule", sa.String(128), nullable=False),  # "" where no rule looks at it
    sa.Column("metric", sa.String(64), nullable=False),
    sa.Column("column", sa.String(128), nullable=False),
    sa.Column("segment", _Segment, nullable=False),
    sa.Column("window_start", Instant, nullable=False),
    sa.Column("window_end", Instant, nullable=False),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("current", sa.Boolean, nullable=False),  # false once a newer revision exists
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("value", sa.Float),
    sa.Column("low", sa.Float),
    sa.Column("high", sa.Float),
    sa.Column("n", sa.BigInteger, nullable=False),
    sa.Column("reference", sa.String(64)),
    sa.Column("reference_n", sa.BigInteger),
    sa.Column("warn", sa.Float),
    sa.Column("breach", sa.Float),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    # How many windows were pooled for the state; 1 is the window alone.
    sa.Column("scale", sa.Integer, nullable=False, server_default="1"),
    # Value, interval and n of all of them, where a pool breached.
    sa.Column("pooled", sa.JSON(none_as_null=True)),
    # Sum of the scales above 1 at which the pool ending here is inside the clear limit.
    sa.Column("calm", sa.Integer, nullable=False, server_default="0"),
    sa.Column("computed_at", Instant, nullable=False),
    sa.Index(None, "system", "metric", "column", "window_start"),
    sa.Index(None, "policy", "system", "version", "window_start", "current"),
    # What is removed one day: few rows of many.
    sa.Index(
        "ix_measurements_superseded",
        "system",
        "computed_at",
        sqlite_where=sa.text("current IS 0"),
        postgresql_where=sa.text("current IS false"),
    ),
)

# Merged profiles of 2 to 32 windows: a block twice as long is the merge of two. `stamp` is the
# sum of `panes.changed` under it; while they agree the block is up to date.
blocks = _table(
    "blocks",
    "monitor",
    sa.Column("system", sa.String(128), primary_key=True),
    sa.Column("version", sa.String(128), primary_key=True),
    sa.Column("reference", sa.String(64), primary_key=True),
    sa.Column("start", Instant, primary_key=True),
    sa.Column("end", Instant, primary_key=True),
    sa.Column("stamp", sa.BigInteger, nullable=False),
    sa.Column("profile", sa.LargeBinary, nullable=False),
)

# What the first settled blocks since a reference taught about the spread of each series.
sights = _table(
    "sights",
    "monitor",
    sa.Column("policy", sa.String(128), primary_key=True),
    sa.Column("system", sa.String(128), primary_key=True),
    sa.Column("version", sa.String(128), primary_key=True),
    sa.Column("reference", sa.String(64), primary_key=True),
    sa.Column("scale", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("start", Instant, primary_key=True),
    sa.Column("end", Instant, primary_key=True),
    sa.Column("sights", sa.LargeBinary, nullable=False),  # MessagePack, by series
)

episodes = _table(
    "episodes",
    "monitor",
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("policy", sa.String(128), nullable=False),
    sa.Column("system", sa.String(128), nullable=False),
    sa.Column("version", sa.String(128), nullable=False),
    sa.Column("rule", sa.String(128), nullable=False),
    sa.Column("metric", sa.String(64), nullable=False),
    sa.Column("column", sa.String(128), nullable=False),
    sa.Column("segment", _Segment, nullable=False),
    sa.Column("opened_window", Instant, nullable=False),
    sa.Column("cleared_window", Instant),
    sa.Column("generation", sa.Integer, nullable=False),  # raised again for the same opening window
    sa.Column("state", sa.String(16), nullable=False),  # open, cleared, withdrawn
    sa.Column("told_window", Instant, nullable=False),  # the newest point that people know of
    sa.Column("told_state", sa.String(16), nullable=False),
    sa.Column("told_value", sa.Float),
    sa.Column("evidence", sa.String(64)),
    sa.Column("opened_at", Instant, nullable=False),
    sa.Column("updated_at", Instant, nullable=False),
    sa.Index(None, "policy", "system", "version", "rule"),
)

evidence = _table(
    "evidence",
    "monitor",
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("system", sa.String(128), nullable=False),
    sa.Column("version", sa.String(128), nullable=False),
    sa.Column("window_start", Instant, nullable=False),
    sa.Column("window_end", Instant, nullable=False),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("reference", sa.String(64), nullable=False),
    sa.Column("sample", sa.LargeBinary, nullable=False),  # frozen rows, Arrow IPC
    sa.Column("sample_hash", sa.String(64), nullable=False),
    sa.Column("sample_rows", sa.BigInteger, nullable=False),
    sa.Column("window_rows", sa.BigInteger, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),  # pending, ready, missing
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("report_json", sa.Text),
    sa.Column("report_hash", sa.String(64)),
    sa.Column("report_html", sa.LargeBinary),  # gzip
    sa.Column("frozen_at", Instant, nullable=False),
    sa.Column("finished_at", Instant),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Index(None, "state", "frozen_at"),
)
