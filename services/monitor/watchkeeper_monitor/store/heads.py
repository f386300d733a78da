"""The numbers of a system's blocks, given in the order of the commits, one writer at a time."""

from __future__ import annotations

import secrets

import sqlalchemy as sa

from watchkeeper_monitor.store.shelf import Block
from watchkeeper_shared.db.tables import index_heads
from watchkeeper_shared.db.upsert import insert


def take(c: sa.Connection, table: sa.Table, system: str, rows: int) -> Block:
    """Return the head of the next block.

    From here to the end of the transaction no other adds a block to the system: who looks
    now at what was committed misses nothing with a smaller number.
    """
    fresh = insert(c, index_heads).values(system=system, last_id=1)
    taken = fresh.on_conflict_do_update(
        index_elements=[index_heads.c.system], set_={"last_id": index_heads.c.last_id + 1}
    )
    the_id = c.execute(taken.returning(index_heads.c.last_id)).scalar_one()
    return Block(table, system, the_id, secrets.randbits(63), rows)


def last(c: sa.Connection, system: str) -> int:
    """Return the newest number of a system, 0 before the first."""
    query = sa.select(index_heads.c.last_id).where(index_heads.c.system == system)
    return int(c.execute(query).scalar_one_or_none() or 0)
