"""Merged profiles of several windows, kept so that a block twice as long is one addition."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from watchkeeper_monitor.windows.spans import Span
from watchkeeper_shared.db.tables import blocks
from watchkeeper_shared.db.upsert import insert


@dataclass(frozen=True, slots=True)
class BlockKey:
    """A stretch of one version's windows, on the grid of one reference."""

    system: str
    version: str
    reference: str
    span: Span


@dataclass(frozen=True, slots=True)
class StoredBlock:
    """A profile, and the stamp of the panes that it was merged from."""

    stamp: int
    profile: bytes


def get(c: sa.Connection, key: BlockKey) -> StoredBlock | None:
    """Return the block if it was ever merged; it may be out of date."""
    row = c.execute(
        sa.select(blocks.c.stamp, blocks.c.profile).where(
            blocks.c.system == key.system,
            blocks.c.version == key.version,
            blocks.c.reference == key.reference,
            blocks.c.start == key.span.start,
            blocks.c.end == key.span.end,
        )
    ).one_or_none()
    return None if row is None else StoredBlock(row.stamp, row.profile)


def put(c: sa.Connection, key: BlockKey, block: StoredBlock) -> None:
    """Store a block in the place of what was there."""
    fresh = insert(c, blocks).values(
        system=key.system,
        version=key.version,
        reference=key.reference,
        start=key.span.start,
        end=key.span.end,
        stamp=block.stamp,
        profile=block.profile,
    )
    c.execute(
        fresh.on_conflict_do_update(
            index_elements=list(blocks.primary_key.columns),
            set_={"stamp": fresh.excluded.stamp, "profile": fresh.excluded.profile},
        )
    )
