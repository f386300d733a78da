"""Tables of the monitor that a flush and the label join write: panes, index, labels."""

from __future__ import annotations

import sqlalchemy as sa

from watchkeeper_shared.db.tables.metadata import table
from watchkeeper_shared.db.types import Instant

# A pane is the smallest event-time bucket. Each writer (an intake partition, or the
# label join) adds into a row of its own; a reader merges the rows.
profiles = table(
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
samples = table(
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
panes = table(
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
index_heads = table(
    "index_heads",
    "monitor",
    sa.Column("system", sa.String(128), primary_key=True),
    sa.Column("last_id", sa.BigInteger, nullable=False),
)

# The prediction index: a row is a block of many predictions, sorted by the hash of their ids.
# `mark` is random: what is kept in memory of a block is kept under it.
predictions = table(
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
# an applied one says what is in the profiles now, so that a correction can take it back. One that
# was applied with what it told itself of its prediction is looked for as well: echoed.
labels = table(
    "labels",
    "monitor",
    sa.Column("system", sa.String(128), primary_key=True),
    sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("mark", sa.BigInteger, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),  # waiting, applied, echoed
    sa.Column("rows", sa.BigInteger, nullable=False),
    sa.Column("checked", sa.BigInteger, nullable=False),
    sa.Column("first_at", Instant, nullable=False),  # arrival of the oldest and the newest row
    sa.Column("arrived_at", Instant, nullable=False),
    sa.Column("hashes", sa.LargeBinary, nullable=False),
    sa.Column("content", sa.LargeBinary, nullable=False),  # columns: label, time, received
)

# Fingerprints of the newest batches of a partition: one that comes again is not read again.
repeats = table(
    "repeats",
    "monitor",
    sa.Column("consumer", sa.String(64), primary_key=True),
    sa.Column("topic", sa.String(255), primary_key=True),
    sa.Column("partition", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("batches", sa.LargeBinary, nullable=False),  # int64, oldest first
)

progress = table(
    "progress",
    "monitor",
    sa.Column("system", sa.String(128), primary_key=True),
    sa.Column("topic", sa.String(255), primary_key=True),
    sa.Column("partition", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("watermark", Instant),  # newest event time seen on this partition
    sa.Column("arrived_at", Instant, nullable=False),  # when the newest record was folded
    sa.Column("rows", sa.BigInteger, nullable=False),
)

tallies = table(
    "tallies",
    "monitor",
    sa.Column("system", sa.String(128), primary_key=True),
    sa.Column("name", sa.String(64), primary_key=True),  # duplicates, label_unknown, …
    sa.Column("value", sa.BigInteger, nullable=False),
)

dead_letters = table(
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
