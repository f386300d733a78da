"""The prediction index: who was seen, and what a late label must know about its prediction.

A flush adds one block of predictions, sorted by the hash of their ids; small blocks are merged
into larger ones (`store.merging`). Looking is a search in the blocks, for many ids at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from watchkeeper_monitor.grids.axes import Floats
from watchkeeper_monitor.grids.columns import Columns
from watchkeeper_monitor.sampling.identity import ascending
from watchkeeper_monitor.store.arrays import Array, Arrays, joined, pack
from watchkeeper_monitor.store.hashes import Asked, Hashes, Run
from watchkeeper_monitor.store.panes import PaneKey
from watchkeeper_monitor.store.shelf import Block, Shelf
from watchkeeper_monitor.windows.spans import Span
from watchkeeper_shared.db.tables import predictions
from watchkeeper_shared.db.types import from_micros, to_micros
from watchkeeper_shared.errors import Conflict


class Told(StrEnum):
    """Who told of a prediction."""

    SEEN = "seen"  # itself: it is counted, and coming again it is a duplicate
    ECHOED = "echoed"  # its label alone: it is counted nowhere but with the label


@dataclass(frozen=True, slots=True)
class Entries:
    """Predictions, in any order.

    Parameters
    ----------
    hashes
        Of their ids.
    content
        Columns `pane` (a place in the notes), `prediction`, `score`, `groups` and, for several
        classes, `scores`; the notes are the panes as `[version, reference, start, end]`.
    """

    hashes: Hashes
    content: Arrays

    @classmethod
    def of(
        cls, key: PaneKey, hashes: Hashes, encoded: Columns, scores: Floats | None = None
    ) -> Entries:
        """Return the predictions of one pane; `scores` are `[classes, n]`, if any."""
        columns: dict[str, Array] = {
            "pane": np.zeros(encoded.n, dtype=np.int32),
            "prediction": encoded.prediction,
            "score": encoded.score,
            "groups": encoded.groups,
        }
        if scores is not None:
            columns["scores"] = scores
        start, end = to_micros(key.pane.start), to_micros(key.pane.end)
        return cls(hashes, Arrays(columns, [[key.version, key.reference, start, end]]))


def together(parts: Sequence[Entries]) -> Entries:
    """Return several as one, sorted; of equal hashes the earlier part's come first."""
    panes: dict[tuple[object, ...], int] = {}
    columns = []
    for part in parts:
        places = [panes.setdefault(tuple(note), len(panes)) for note in part.content.notes]
        own = np.array(places, dtype=np.int32)[part.content.columns["pane"]]
        columns.append(part.content.columns | {"pane": own})
    hashes = np.concatenate([part.hashes for part in parts])
    # Several parts are runs in order mostly, which a sort by comparing finds and merges.
    order = ascending(hashes) if len(parts) == 1 else np.argsort(hashes, kind="stable")
    whole = Arrays(
        joined(columns, [len(part.hashes) for part in parts]), [list(pane) for pane in panes]
    )
    return Entries(hashes[order], whole.take(order))


def pane_keys(system: str, content: Arrays) -> list[PaneKey]:
    """Return the panes that a block's column `pane` counts through."""
    return [
        PaneKey(system, version, reference, Span(from_micros(start), from_micros(end)))
        for version, reference, start, end in content.notes
    ]


def blocks(c: sa.Connection, system: str, told: Told, after: int = 0) -> list[Block]:
    """Return the blocks numbered past `after`, those with the newest rows first."""
    rows = c.execute(
        sa.select(predictions.c.id, predictions.c.mark, predictions.c.rows)
        .where(
            predictions.c.system == system,
            predictions.c.kind == told.value,
            predictions.c.id > after,
        )
        .order_by(predictions.c.newest.desc())
    )
    return [Block(predictions, system, *row) for row in rows]


def newest(c: sa.Connection, system: str, *told: Told) -> int:
    """Return the number of the newest block, 1 while there is none: labels have number 1.

    Parameters
    ----------
    told
        Of which kinds; left out: of any.
    """
    query = sa.select(sa.func.max(predictions.c.id)).where(
        predictions.c.system == system, predictions.c.kind.in_([one.value for one in told or Told])
    )
    return int(c.execute(query).scalar_one_or_none() or 1)


def within(found: Iterable[Block], rows: int) -> list[Block]:
    """Return the first blocks, until they hold so many rows."""
    chosen, held = [], 0
    for block in found:
        if held >= rows:
            break
        chosen.append(block)
        held += block.rows
    return chosen


def known(
    c: sa.Connection, shelf: Shelf, found: Iterable[Block], hashes: Hashes
) -> NDArray[np.bool_]:
    """Return which of `hashes`, ascending, are in one of the blocks."""
    asked, seen = Asked(hashes), np.zeros(len(hashes), dtype=np.bool_)
    for block in found:
        here, _ = shelf.run(c, block).find(asked)
        seen[here] = True
    return seen


def add(  # noqa: PLR0913, PLR0917 - one row, one value per column
    c: sa.Connection,
    shelf: Shelf,
    block: Block,
    told: Told,
    entries: Entries,
    now: datetime,
    newest: int | None = None,
) -> None:
    """Write a block; `entries` are sorted.

    Parameters
    ----------
    block
        From `heads.take` in this transaction.
    now
        When the newest of its rows arrived.
    newest
        The greatest number of the blocks that it was merged from; left out: its own.
    """
    c.execute(
        sa.insert(predictions).values(
            system=block.system,
            id=block.id,
            mark=block.mark,
            kind=told.value,
            rows=block.rows,
            newest=block.id if newest is None else newest,
            arrived_at=now,
            hashes=entries.hashes.tobytes(),
            content=pack(entries.content),
        )
    )
    shelf.put(block.mark, Run(entries.hashes))


def remove(c: sa.Connection, shelf: Shelf, gone: Sequence[Block]) -> None:
    """Remove blocks, all of which must still be there.

    Raises
    ------
    Conflict
        Another process removed one of them: nothing of this may be committed.
    """
    for block in gone:
        done = c.execute(
            sa.delete(predictions).where(
                predictions.c.system == block.system,
                predictions.c.id == block.id,
                predictions.c.mark == block.mark,
            )
        )
        if done.rowcount != 1:
            raise Conflict(f"prediction block {block.id} of {block.system} is gone already")
        shelf.drop(block)


def is_expired(c: sa.Connection, system: str, before: datetime) -> bool:
    """Return whether a block's newest row came before an instant."""
    old = predictions.c.system == system, predictions.c.arrived_at < before
    return c.execute(sa.select(predictions.c.id).where(*old).limit(1)).first() is not None


def expire(c: sa.Connection, system: str, before: datetime) -> int:
    """Drop blocks whose newest row came before an instant; return how many rows they held."""
    old = predictions.c.system == system, predictions.c.arrived_at < before
    rows = c.execute(sa.delete(predictions).where(*old).returning(predictions.c.rows)).scalars()
    return sum(rows)
