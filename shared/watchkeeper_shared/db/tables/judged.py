"""Tables of the monitor that the judge writes: windows, measurements, episodes, evidence."""

from __future__ import annotations

import sqlalchemy as sa

from watchkeeper_shared.db.tables.metadata import SEGMENT, SERIAL, table
from watchkeeper_shared.db.types import Instant

windows = table(
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
ended = table(
    "ended",
    "monitor",
    sa.Column("policy", sa.String(128), primary_key=True),
    sa.Column("system", sa.String(128), primary_key=True),
    sa.Column("version", sa.String(128), primary_key=True),
    sa.Column("until", Instant, nullable=False),
    sa.Index(None, "system"),
)

measurements = table(
    "measurements",
    "monitor",
    sa.Column("id", SERIAL, primary_key=True),
    sa.Column("system", sa.String(128), nullable=False),
    sa.Column("version", sa.String(128), nullable=False),
    sa.Column("policy", sa.String(128), nullable=False),
    sa.Column("policy_hash", sa.String(64), nullable=False),
    sa.Column("rule", sa.String(128), nullable=False),  # "" where no rule looks at it
    sa.Column("metric", sa.String(64), nullable=False),
    sa.Column("column", sa.String(128), nullable=False),
    sa.Column("segment", SEGMENT, nullable=False),
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
    # What keeps a breach open is asked whenever windows are judged, back to where it opened.
    sa.Index(
        "ix_measurements_pooled",
        "policy",
        "system",
        "version",
        "window_start",
        sqlite_where=sa.text("scale > 1"),
        postgresql_where=sa.text("scale > 1"),
    ),
)

# Merged profiles of 2 to 32 windows: a block twice as long is the merge of two. `stamp` is the
# sum of `panes.changed` under it; while they agree the block is up to date.
blocks = table(
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
sights = table(
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

episodes = table(
    "episodes",
    "monitor",
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("policy", sa.String(128), nullable=False),
    sa.Column("system", sa.String(128), nullable=False),
    sa.Column("version", sa.String(128), nullable=False),
    sa.Column("rule", sa.String(128), nullable=False),
    sa.Column("metric", sa.String(64), nullable=False),
    sa.Column("column", sa.String(128), nullable=False),
    sa.Column("segment", SEGMENT, nullable=False),
    # What is known now; and what people were told first, where an amendment has moved it since.
    sa.Column("opened_window", Instant, nullable=False),
    sa.Column("cleared_window", Instant),
    sa.Column("first_opened", Instant),
    sa.Column("first_cleared", Instant),
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

evidence = table(
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
