"""Labels in blocks: those that wait for their prediction, and those that the profiles hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import numpy as np
import pyarrow as pa
import sqlalchemy as sa

from watchkeeper_monitor.store import heads
from watchkeeper_monitor.store.arrays import Array, Arrays, joined, pack
from watchkeeper_monitor.store.hashes import Asked, Hashes, Run
from watchkeeper_monitor.store.shelf import Block, Shelf
from watchkeeper_shared.db.tables import labels
from watchkeeper_shared.db.types import from_micros
from watchkeeper_shared.errors import Conflict
from watchkeeper_shared.events.batches import as_classes

_READING = 32 << 20
"""How much memory a reader without a shelf of its own may take."""


class State(StrEnum):
    """Where a label is."""

    WAITING = "waiting"  # its prediction was not looked for, or not found
    APPLIED = "applied"  # it is in the profiles
    ECHOED = "echoed"  # it is in the profiles with what it said itself, and waits all the same


@dataclass(frozen=True, slots=True)
class Labels:
    """Labels sorted by the hash of their ids, one for each.

    Parameters
    ----------
    columns
        `label` (a place in `texts`), `time` (when it became known) and `received`, in
        microseconds since 1970, and for applied ones `echoed`: 1 if it was counted with what
        the label itself said of its prediction.
    """

    hashes: Hashes
    columns: dict[str, Array]
    texts: tuple[str, ...]

    def take(self, at: Array) -> Labels:
        """Return some of them."""
        columns = {name: one[at] for name, one in self.columns.items()}
        return Labels(self.hashes[at], columns, self.texts)

    @property
    def words(self) -> pa.StringArray:
        """Return the label of each as text."""
        return pa.array(self.texts, pa.string()).take(pa.array(self.columns["label"]))


@dataclass(frozen=True, slots=True)
class Listed:
    """A block of labels, and up to which block of predictions it was looked for."""

    block: Block
    checked: int


def read(batch: pa.RecordBatch, hashes: Hashes, received: int) -> Labels:
    """Return the labels of a batch; of two for one id the newer, at equal times the later row."""
    words = as_classes(batch.column("label")).dictionary_encode()
    columns: dict[str, Array] = {
        "label": words.indices.to_numpy().astype(np.int32),
        "time": batch.column("time").cast(pa.int64()).to_numpy(),
        "received": np.full(batch.num_rows, received, dtype=np.int64),
    }
    return together([Labels(hashes, columns, tuple(words.dictionary.to_pylist()))])


def together(parts: Sequence[Labels]) -> Labels:
    """Return several as one: of each id the label that became known last, then came last.

    Of one that was applied twice, what it was counted with last: its prediction, not its echo.
    """
    texts: dict[str, int] = {}
    columns = []
    for part in parts:
        places = np.array([texts.setdefault(one, len(texts)) for one in part.texts], np.int32)
        columns.append(part.columns | {"label": places[part.columns["label"]]})
    hashes = np.concatenate([part.hashes for part in parts])
    whole = joined(columns, [len(part.hashes) for part in parts])
    keys = [whole["received"], whole["time"], hashes]  # stable: of equals the later part wins
    order = np.lexsort([-whole["echoed"], *keys] if "echoed" in whole else keys)
    last = np.flatnonzero(np.diff(hashes[order], append=~hashes[order][-1:]))
    return Labels(hashes, whole, tuple(texts)).take(order[last])


def add(
    c: sa.Connection, shelf: Shelf, system: str, state: State, added: Labels, checked: int = 0
) -> None:
    """Write a block, unless it is empty."""
    if not len(added.hashes):
        return
    block = heads.take(c, labels, system, len(added.hashes))
    received = added.columns["received"]
    c.execute(
        sa.insert(labels).values(
            system=system,
            id=block.id,
            mark=block.mark,
            state=state.value,
            rows=block.rows,
            checked=checked,
            first_at=from_micros(int(received.min())),
            arrived_at=from_micros(int(received.max())),
            hashes=added.hashes.tobytes(),
            content=pack(Arrays(added.columns, list(added.texts))),
        )
    )
    shelf.put(block.mark, Run(added.hashes))


def listed(
    c: sa.Connection, system: str, state: State, *where: sa.ColumnElement[bool]
) -> list[Listed]:
    """Return the blocks of a state in the order in which they were written."""
    rows = c.execute(
        sa.select(labels.c.id, labels.c.mark, labels.c.rows, labels.c.checked)
        .where(labels.c.system == system, labels.c.state == state.value, *where)
        .order_by(labels.c.id)
    )
    return [Listed(Block(labels, system, *row), checked) for *row, checked in rows]


def load(c: sa.Connection, shelf: Shelf, block: Block) -> Labels:
    """Return the labels of a block."""
    return of_block(shelf.run(c, block).ordered, shelf.content(c, block))


def of_block(hashes: Hashes, content: Arrays) -> Labels:
    """Return the labels that a block holds."""
    return Labels(hashes, content.columns, tuple(content.notes))


def note_checked(c: sa.Connection, block: Block, checked: int) -> None:
    """Note that none of a block's labels was found up to a block of predictions."""
    c.execute(
        sa.update(labels)
        .where(labels.c.system == block.system, labels.c.id == block.id)
        .values(checked=checked)
    )


def remove(c: sa.Connection, shelf: Shelf, block: Block) -> None:
    """Remove a block, which must still be there; errors as for `index.remove`."""
    done = c.execute(
        sa.delete(labels).where(
            labels.c.system == block.system, labels.c.id == block.id, labels.c.mark == block.mark
        )
    )
    if done.rowcount != 1:
        raise Conflict(f"label block {block.id} of {block.system} is gone already")
    shelf.drop(block)


def find(c: sa.Connection, shelf: Shelf, system: str, state: State, asked: Asked) -> Labels | None:
    """Return the newest label of each id that has one in a state; None if none has."""
    parts = []
    for one in listed(c, system, state):
        _, at = shelf.run(c, one.block).find(asked)
        if at.size:
            parts.append(load(c, shelf, one.block).take(at))
    return together(parts) if parts else None


def waiting(c: sa.Connection, system: str) -> int:
    """Return how many labels wait for their prediction."""
    query = sa.select(sa.func.coalesce(sa.func.sum(labels.c.rows), 0)).where(
        labels.c.system == system, labels.c.state == State.WAITING.value
    )
    return int(c.execute(query).scalar_one())


def older(c: sa.Connection, system: str, state: State, before: datetime) -> list[Listed]:
    """Return blocks with a label that has waited since before an instant."""
    return listed(c, system, state, labels.c.first_at < before)


def of_rows(c: sa.Connection, system: str, hashes: Hashes) -> dict[int, str]:
    """Return the newest label of each id that has one."""
    shelf, asked = Shelf(_READING), Asked(np.sort(hashes))
    parts = [find(c, shelf, system, state, asked) for state in State]
    some = [part for part in parts if part is not None]
    if not some:
        return {}
    newest = together(some)
    return dict(zip(newest.hashes.tolist(), newest.words.to_pylist(), strict=True))


def is_expired(c: sa.Connection, system: str, before: datetime) -> bool:
    """Return whether there are applied labels that all came before an instant."""
    query = sa.select(labels.c.id).where(*_expired(system, before)).limit(1)
    return c.execute(query).first() is not None


def expire(c: sa.Connection, system: str, before: datetime) -> int:
    """Drop blocks of applied labels that came before an instant: nothing corrects them now.

    Returns
    -------
    int
        How many labels they held.
    """
    gone = sa.delete(labels).where(*_expired(system, before)).returning(labels.c.rows)
    return sum(c.execute(gone).scalars())


def _expired(system: str, before: datetime) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        labels.c.system == system,
        labels.c.state == State.APPLIED.value,
        labels.c.arrived_at < before,
    )
