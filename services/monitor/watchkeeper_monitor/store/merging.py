"""Small blocks become larger ones, and old ones go: what keeps looking fast and space bounded.

Eight blocks of a size are merged into one of the next size, so that a row is written again as
often as there are sizes (at most four times), and a system of ten million predictions has about
fifty blocks. The caller holds the judge's lease; should two merge at once all the same, the
second finds its blocks gone and commits nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeVar

import sqlalchemy as sa

from watchkeeper_monitor.store import heads, index, labels
from watchkeeper_monitor.store.index import Entries, Told
from watchkeeper_monitor.store.labels import State
from watchkeeper_monitor.store.shelf import Block, Shelf
from watchkeeper_shared.db.tables import predictions

FAN = 8
LEAST, LARGEST = 2_048, 262_144
"""Blocks below the first are of the smallest size; a merge stops at the second."""

T = TypeVar("T")


def due(blocks: Sequence[T], rows: Callable[[T], int]) -> list[T]:
    """Return the blocks of one size that should be one, oldest first; or nothing.

    Parameters
    ----------
    blocks
        Oldest first.

    Examples
    --------
    >>> due([3000] * 7 + [10], int), due([3000] * 9, int) == [3000] * 8
    ([], True)
    """
    sizes: dict[int, list[T]] = {}
    for one in blocks:
        size = _size(rows(one))
        if size is None:
            continue
        chosen = sizes.setdefault(size, [])
        chosen.append(one)
        if len(chosen) == FAN or sum(map(rows, chosen)) >= LARGEST:
            return chosen
    return []


def _size(rows: int) -> int | None:
    """Return the size of a block: 0, 1, 2; None for one that is never merged again."""
    if rows >= LARGEST // 2:
        return None
    size, bound = 0, LEAST
    while rows >= bound:
        size, bound = size + 1, bound * FAN
    return size


def is_due(c: sa.Connection, system: str) -> bool:
    """Return whether there is anything to merge."""
    seen = (index.blocks(c, system, told)[::-1] for told in Told)
    said = ([one.block for one in labels.listed(c, system, state)] for state in State)
    return any(due(blocks, lambda block: block.rows) for blocks in (*seen, *said))


def merge(c: sa.Connection, shelf: Shelf, system: str) -> bool:
    """Merge one set of blocks of each table; return whether there was any."""
    done = False
    for told in Told:
        oldest_first = index.blocks(c, system, told)[::-1]
        chosen = due(oldest_first, lambda block: block.rows)
        if chosen:
            _merge_predictions(c, shelf, told, chosen)
            done = True
    for state in State:
        listed = labels.listed(c, system, state)
        found = due(listed, lambda one: one.block.rows)
        if found:
            parts = [labels.load(c, shelf, one.block) for one in found]
            for one in found:
                labels.remove(c, shelf, one.block)
            checked = min(one.checked for one in found)
            labels.add(c, shelf, system, state, labels.together(parts), checked)
            done = True
    return done


def _merge_predictions(c: sa.Connection, shelf: Shelf, told: Told, chosen: Sequence[Block]) -> None:
    system, rows = chosen[0].system, sum(block.rows for block in chosen)
    parts = [Entries(shelf.run(c, block).ordered, shelf.content(c, block)) for block in chosen]
    ids = [block.id for block in chosen]
    heads_of = c.execute(
        sa.select(predictions.c.newest, predictions.c.arrived_at).where(
            predictions.c.system == system, predictions.c.id.in_(ids)
        )
    ).all()
    block = heads.take(c, predictions, system, rows)
    newest, arrived = max(row.newest for row in heads_of), max(row.arrived_at for row in heads_of)
    index.add(c, shelf, block, told, index.together(parts), arrived, newest)
    index.remove(c, shelf, chosen)


def is_expired(c: sa.Connection, system: str, before: datetime) -> bool:
    """Return whether a block came before an instant."""
    return index.is_expired(c, system, before) or labels.is_expired(c, system, before)


def expire(c: sa.Connection, system: str, before: datetime) -> int:
    """Drop what came before an instant; return how many predictions and labels that were."""
    return labels.expire(c, system, before) + index.expire(c, system, before)
