"""The newest batches of each partition, so that a repetition is known after a restart too."""

from __future__ import annotations

import numpy as np
import sqlalchemy as sa

from watchkeeper_monitor.records.repeats import Repeats
from watchkeeper_shared.db.tables import repeats
from watchkeeper_shared.db.upsert import insert
from watchkeeper_shared.eventlog.port import TopicPartition


def load(c: sa.Connection, consumer: str, at: TopicPartition) -> Repeats:
    """Return what is remembered of a partition."""
    query = sa.select(repeats.c.batches).where(
        repeats.c.consumer == consumer,
        repeats.c.topic == at.topic,
        repeats.c.partition == at.partition,
    )
    stored = c.execute(query).scalar_one_or_none()
    return Repeats.of(np.frombuffer(stored or b"", dtype=np.int64).tolist())


def save(c: sa.Connection, consumer: str, at: TopicPartition, known: Repeats) -> None:
    """Store it, in the transaction that stores what the batches held."""
    fresh = insert(c, repeats).values(
        consumer=consumer,
        topic=at.topic,
        partition=at.partition,
        batches=np.array([*known.stored], dtype=np.int64).tobytes(),
    )
    c.execute(
        fresh.on_conflict_do_update(
            index_elements=list(repeats.primary_key.columns),
            set_={"batches": fresh.excluded.batches},
        )
    )
