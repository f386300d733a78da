"""Small blocks become larger ones, and old ones go: what keeps looking fast and space bounded.

Eight blocks of a size are merged into one of the next size, so that a row is written again as
often as there are sizes (at most four times), and a system of ten million predictions has about
a hundred blocks. What a full flush writes is large enough to stay as it is. The caller holds the
judge's lease; should two merge at once all the same, the second finds its blocks gone and commits
nothing.

Only what arrived in the same tenth of the horizon is merged: a block is forgotten as a whole,
and one row that came today would else keep what came a year ago.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

import sqlalchemy as sa

from watchkeeper_monitor.store import heads, index, labels
from watchkeeper_monitor.store.index import Entries, Told
from watchkeeper_monitor.store.labels import State
from watchkeeper_monitor.store.shelf import Block, Shelf
from watchkeeper_monitor.windows.spans import MICROSECOND
from watchkeeper_shared.db.tables import predictions
from watchkeeper_shared.db.types import to_micros

FAN = 8
LEAST, LARGEST = 2_048, 131_072
"""Blocks below the first are of the smallest size; a merge stops at the second."""

ERAS = 10
"""So many stretches of arrival, of one length, make the horizon."""

T = TypeVar("T")


def due(blocks: Sequence[T], rows: Callable[[T], int], *, is_over: bool = False) -> list[T]:
    """Return the blocks of one size that should be one, oldest first; or nothing.

    Parameters
    ----------
    blocks
        Oldest first.
    is_over
        None comes after them: then those of all sizes, however few they are.

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
        chosen = sizes.setdefault(0 if is_over else size, [])
        chosen.append(one)
        if len(chosen) == FAN or sum(map(rows, chosen)) >= LARGEST:
            return chosen
    return sizes[0] if is_over and len(sizes.get(0, ())) > 1 else []


def _due(
    c: sa.Connection, blocks: Sequence[T], head: Callable[[T], Block], horizon: timedelta
) -> list[T]:
    """Return the blocks of one era that should be one; or nothing."""
    if not blocks:
        return []
    table, era = head(blocks[0]).table, horizon // ERAS // MICROSECOND
    mine = table.c.system == head(blocks[0]).system
    rows = c.execute(sa.select(table.c.id, table.c.arrived_at).where(mine))
    era_of = {row.id: to_micros(row.arrived_at) // era for row in rows}
    eras = [era_of.get(head(one).id, 0) for one in blocks]
    for which in sorted(set(eras)):
        own = [one for one, its in zip(blocks, eras, strict=True) if its == which]
        found = due(own, lambda one: head(one).rows, is_over=which < max(eras))
        if found:
            return found
    return []


def _size(rows: int) -> int | None:
    """Return the size of a block: 0, 1, 2; None for one that is never merged again."""
    if rows >= LARGEST // 2:
        return None
    size, bound = 0, LEAST
    while rows >= bound:
        size, bound = size + 1, bound * FAN
    return size


def is_due(c: sa.Connection, system: str, horizon: timedelta) -> bool:
    """Return whether there is anything to merge."""
    seen = (index.blocks(c, system, told)[::-1] for told in Told)
    said = ([one.block for one in labels.listed(c, system, state)] for state in State)
    return any(_due(c, blocks, lambda block: block, horizon) for blocks in (*seen, *said))


def merge(c: sa.Connection, shelf: Shelf, system: str, horizon: timedelta) -> bool:
    """Merge one set of blocks of each table; return whether there was any."""
    done = False
    for told in Told:
        oldest_first = index.blocks(c, system, told)[::-1]
        chosen = _due(c, oldest_first, lambda block: block, horizon)
        if chosen:
            _merge_predictions(c, shelf, told, chosen)
            done = True
    for state in State:
        listed = labels.listed(c, system, state)
        found = _due(c, listed, lambda one: one.block, horizon)
        if found:
            parts = [labels.of_block(*shelf.last(c, one.block)) for one in found]
            for one in found:
                labels.remove(c, shelf, one.block)
            checked = min(one.checked for one in found)
            labels.add(c, shelf, system, state, labels.together(parts), checked)
            done = True
    return done


def _merge_predictions(c: sa.Connection, shelf: Shelf, told: Told, chosen: Sequence[Block]) -> None:
    system, rows = chosen[0].system, sum(block.rows for block in chosen)
    parts = [Entries(*shelf.last(c, block)) for block in chosen]
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


@dataclass(frozen=True, slots=True)
class Ends:
    """Before which arrival the index forgets.

    What was applied is known longer than what it was applied to, or a correction would be
    added to what it should replace. A label may have waited so long before it was applied.
    """

    predictions: datetime
    labels: datetime

    @classmethod
    def of(cls, now: datetime, horizon: timedelta, patience: timedelta) -> Ends:
        """Return the ends at an instant."""
        return cls(now - horizon, now - horizon - horizon / ERAS - patience)


def is_expired(c: sa.Connection, system: str, ends: Ends) -> bool:
    """Return whether a block is to be forgotten."""
    return index.is_expired(c, system, ends.predictions) or labels.is_expired(
        c, system, ends.labels
    )


def expire(c: sa.Connection, system: str, ends: Ends) -> int:
    """Forget; return how many predictions and labels that were."""
    return labels.expire(c, system, ends.labels) + index.expire(c, system, ends.predictions)
