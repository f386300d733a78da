"""Profiles, panes, labels, windows, measurements, episodes and evidence.

The operations stand here explicitly: a revision says what it did then, whatever
`db.tables` says later. Instants are microseconds in a BIGINT (`db.types.Instant`).
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

serial = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def downgrade() -> None:
    """Refuse: what was measured and decided is not dropped."""
    raise NotImplementedError("there is no way back from the first tables; use a new database")


def upgrade() -> None:
    """Make every table and index that monitor owns."""
    op.create_table(
        "profiles",
        sa.Column("system", sa.String(length=128), nullable=False),
        sa.Column("version", sa.String(length=128), nullable=False),
        sa.Column("reference", sa.String(length=64), nullable=False),
        sa.Column("pane_start", sa.BigInteger(), nullable=False),
        sa.Column("pane_end", sa.BigInteger(), nullable=False),
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("profile", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint(
            "system",
            "version",
            "reference",
            "pane_start",
            "pane_end",
            "source",
            name=op.f("pk_profiles"),
        ),
    )
    op.create_table(
        "samples",
        sa.Column("system", sa.String(length=128), nullable=False),
        sa.Column("version", sa.String(length=128), nullable=False),
        sa.Column("reference", sa.String(length=64), nullable=False),
        sa.Column("pane_start", sa.BigInteger(), nullable=False),
        sa.Column("pane_end", sa.BigInteger(), nullable=False),
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.Column("part", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("largest", sa.BigInteger(), nullable=False),
        sa.Column("sample", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint(
            "system",
            "version",
            "reference",
            "pane_start",
            "pane_end",
            "source",
            "part",
            name=op.f("pk_samples"),
        ),
    )
    op.create_table(
        "panes",
        sa.Column("system", sa.String(length=128), nullable=False),
        sa.Column("version", sa.String(length=128), nullable=False),
        sa.Column("pane_start", sa.BigInteger(), nullable=False),
        sa.Column("pane_end", sa.BigInteger(), nullable=False),
        sa.Column("changed", sa.BigInteger(), nullable=False),
        sa.Column("judged", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "system", "version", "pane_start", "pane_end", name=op.f("pk_panes")
        ),
    )
    op.create_table(
        "index_heads",
        sa.Column("system", sa.String(length=128), nullable=False),
        sa.Column("last_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("system", name=op.f("pk_index_heads")),
    )
    op.create_table(
        "predictions",
        sa.Column("system", sa.String(length=128), nullable=False),
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("mark", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("newest", sa.BigInteger(), nullable=False),
        sa.Column("arrived_at", sa.BigInteger(), nullable=False),
        sa.Column("hashes", sa.LargeBinary(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("system", "id", name=op.f("pk_predictions")),
    )
    op.create_table(
        "labels",
        sa.Column("system", sa.String(length=128), nullable=False),
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("mark", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("checked", sa.BigInteger(), nullable=False),
        sa.Column("first_at", sa.BigInteger(), nullable=False),
        sa.Column("arrived_at", sa.BigInteger(), nullable=False),
        sa.Column("hashes", sa.LargeBinary(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("system", "id", name=op.f("pk_labels")),
    )
    op.create_table(
        "repeats",
        sa.Column("consumer", sa.String(length=64), nullable=False),
        sa.Column("topic", sa.String(length=255), nullable=False),
        sa.Column("partition", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("batches", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("consumer", "topic", "partition", name=op.f("pk_repeats")),
    )
    op.create_table(
        "progress",
        sa.Column("system", sa.String(length=128), nullable=False),
        sa.Column("topic", sa.String(length=255), nullable=False),
        sa.Column("partition", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("watermark", sa.BigInteger(), nullable=True),
        sa.Column("arrived_at", sa.BigInteger(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("system", "topic", "partition", name=op.f("pk_progress")),
    )
    op.create_table(
        "tallies",
        sa.Column("system", sa.String(length=128), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("system", "name", name=op.f("pk_tallies")),
    )
    op.create_table(
        "dead_letters",
        sa.Column("consumer", sa.String(length=64), nullable=False),
        sa.Column("topic", sa.String(length=255), nullable=False),
        sa.Column("partition", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("offset", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "consumer", "topic", "partition", "offset", name=op.f("pk_dead_letters")
        ),
    )
    op.create_table(
        "windows",
        sa.Column("policy", sa.String(length=128), nullable=False),
        sa.Column("system", sa.String(length=128), nullable=False),
        sa.Column("version", sa.String(length=128), nullable=False),
        sa.Column("start", sa.BigInteger(), nullable=False),
        sa.Column("end", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("content", sa.String(length=64), nullable=False),
        sa.Column("judged_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("policy", "system", "version", "start", name=op.f("pk_windows")),
    )
    op.create_index(op.f("ix_windows_system_status"), "windows", ["system", "status"], unique=False)
    op.create_table(
        "measurements",
        sa.Column("id", serial, nullable=False),
        sa.Column("system", sa.String(length=128), nullable=False),
        sa.Column("version", sa.String(length=128), nullable=False),
        sa.Column("policy", sa.String(length=128), nullable=False),
        sa.Column("policy_hash", sa.String(length=64), nullable=False),
        sa.Column("rule", sa.String(length=128), nullable=False),
        sa.Column("metric", sa.String(length=64), nullable=False),
        sa.Column("column", sa.String(length=128), nullable=False),
        sa.Column("segment", sa.String(length=255), nullable=False),
        sa.Column("window_start", sa.BigInteger(), nullable=False),
        sa.Column("window_end", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("current", sa.Boolean(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("value", sa.Float(), nullable=True),
        sa.Column("low", sa.Float(), nullable=True),
        sa.Column("high", sa.Float(), nullable=True),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.Column("reference", sa.String(length=64), nullable=True),
        sa.Column("reference_n", sa.BigInteger(), nullable=True),
        sa.Column("warn", sa.Float(), nullable=True),
        sa.Column("breach", sa.Float(), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("scale", sa.Integer(), nullable=False, server_default="1"),
        sa.Column("calm", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("computed_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_measurements")),
    )
    op.create_index(
        op.f("ix_measurements_policy_system_version_window_start_current"),
        "measurements",
        ["policy", "system", "version", "window_start", "current"],
        unique=False,
    )
    op.create_index(
        op.f("ix_measurements_system_metric_column_window_start"),
        "measurements",
        ["system", "metric", "column", "window_start"],
        unique=False,
    )
    op.create_table(
        "blocks",
        sa.Column("system", sa.String(length=128), nullable=False),
        sa.Column("version", sa.String(length=128), nullable=False),
        sa.Column("reference", sa.String(length=64), nullable=False),
        sa.Column("start", sa.BigInteger(), nullable=False),
        sa.Column("end", sa.BigInteger(), nullable=False),
        sa.Column("stamp", sa.BigInteger(), nullable=False),
        sa.Column("profile", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint(
            "system", "version", "reference", "start", "end", name=op.f("pk_blocks")
        ),
    )
    op.create_table(
        "sights",
        sa.Column("policy", sa.String(length=128), nullable=False),
        sa.Column("system", sa.String(length=128), nullable=False),
        sa.Column("version", sa.String(length=128), nullable=False),
        sa.Column("reference", sa.String(length=64), nullable=False),
        sa.Column("scale", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("start", sa.BigInteger(), nullable=False),
        sa.Column("end", sa.BigInteger(), nullable=False),
        sa.Column("sights", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint(
            "policy",
            "system",
            "version",
            "reference",
            "scale",
            "start",
            "end",
            name=op.f("pk_sights"),
        ),
    )
    op.create_table(
        "episodes",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("policy", sa.String(length=128), nullable=False),
        sa.Column("system", sa.String(length=128), nullable=False),
        sa.Column("version", sa.String(length=128), nullable=False),
        sa.Column("rule", sa.String(length=128), nullable=False),
        sa.Column("metric", sa.String(length=64), nullable=False),
        sa.Column("column", sa.String(length=128), nullable=False),
        sa.Column("segment", sa.String(length=255), nullable=False),
        sa.Column("opened_window", sa.BigInteger(), nullable=False),
        sa.Column("cleared_window", sa.BigInteger(), nullable=True),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("told_window", sa.BigInteger(), nullable=False),
        sa.Column("told_state", sa.String(length=16), nullable=False),
        sa.Column("told_value", sa.Float(), nullable=True),
        sa.Column("evidence", sa.String(length=64), nullable=True),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_episodes")),
    )
    op.create_index(
        op.f("ix_episodes_policy_system_version_rule"),
        "episodes",
        ["policy", "system", "version", "rule"],
        unique=False,
    )
    op.create_table(
        "evidence",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("system", sa.String(length=128), nullable=False),
        sa.Column("version", sa.String(length=128), nullable=False),
        sa.Column("window_start", sa.BigInteger(), nullable=False),
        sa.Column("window_end", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("reference", sa.String(length=64), nullable=False),
        sa.Column("sample", sa.LargeBinary(), nullable=False),
        sa.Column("sample_hash", sa.String(length=64), nullable=False),
        sa.Column("sample_rows", sa.BigInteger(), nullable=False),
        sa.Column("window_rows", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("report_json", sa.Text(), nullable=True),
        sa.Column("report_hash", sa.String(length=64), nullable=True),
        sa.Column("report_html", sa.LargeBinary(), nullable=True),
        sa.Column("frozen_at", sa.BigInteger(), nullable=False),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_evidence")),
    )
    op.create_index(
        op.f("ix_evidence_state_frozen_at"), "evidence", ["state", "frozen_at"], unique=False
    )
