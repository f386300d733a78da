"""Blocks as they are used in memory: the most recently used ones, within a bound of bytes."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from watchkeeper_monitor.store.arrays import Arrays, unpack
from watchkeeper_monitor.store.hashes import Hashes, Run, Sorted
from watchkeeper_monitor.store.rooms import apart
from watchkeeper_shared.errors import Conflict

ENTRY = 1_024
"""So many bytes are counted for having something, beside what it holds."""

_Packed = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Block:
    """The head of a stored block; what it holds is on the shelf or in the database.

    Parameters
    ----------
    id
        Grows with every block of a system, in the order of the commits.
    mark
        A random number. An id may come again after a rollback, with other rows; a mark never.
    """

    table: sa.Table
    system: str
    id: int
    mark: int
    rows: int


class Shelf:
    """What was read and written of blocks. One thread.

    What is written is kept in the place of what was used longest ago; what is read, only where
    there is room. Who looks in more blocks than fit, in turn, would else find none of them.

    Parameters
    ----------
    bound
        How many bytes are kept; what is needed beyond it is read again each time.
    """

    def __init__(self, bound: int) -> None:
        self._bound = bound
        self._kept: OrderedDict[tuple[int, str], Run | _Packed] = OrderedDict()
        self.size = 0

    def run(self, c: sa.Connection, block: Block) -> Sorted:
        """Return the hashes of a block.

        Raises
        ------
        Conflict
            The block was merged into another one since it was listed: list again.
        """
        found = self._get(block.mark, "hashes")
        if isinstance(found, Run):
            return found
        hashes = _hashes(c, block)
        if not self._has_room(hashes.nbytes + hashes.nbytes // 4):  # with the filter
            return Sorted(hashes)
        run = Run(hashes)
        self.put(block.mark, run)
        return run

    def content(self, c: sa.Connection, block: Block) -> Arrays:
        """Return the columns of a block; errors as for `run`.

        The bytes are kept and not what was read from them: the notes of a block with many panes
        are Python objects, several times as large.
        """
        found = self._get(block.mark, "content")
        if isinstance(found, np.ndarray):
            return unpack(found.data)
        packed = np.frombuffer(_read(c, block, "content"), dtype=np.uint8)
        if self._has_room(packed.nbytes):
            packed = apart(packed)
            self._keep((block.mark, "content"), packed)
        return unpack(packed.data)

    def last(self, c: sa.Connection, block: Block) -> tuple[Hashes, Arrays]:
        """Return the hashes and columns of a block that is about to go, and keep nothing.

        Errors are those of `run`.
        """
        run, packed = self._get(block.mark, "hashes"), self._get(block.mark, "content")
        return (
            run.ordered if isinstance(run, Run) else _hashes(c, block),
            unpack(packed.data if isinstance(packed, np.ndarray) else _read(c, block, "content")),
        )

    def put(self, mark: int, run: Run) -> None:
        """Keep what was just written, if it fits, in the place of what was used longest ago."""
        if run.nbytes + ENTRY > self._bound:
            return
        while not self._has_room(run.nbytes):
            self._forget(next(iter(self._kept)))
        self._keep((mark, "hashes"), run)

    def drop(self, block: Block) -> None:
        """Forget a block that is no more."""
        self._forget((block.mark, "hashes"))
        self._forget((block.mark, "content"))

    def _has_room(self, size: int) -> bool:
        return self.size + size + ENTRY <= self._bound

    def _get(self, mark: int, what: str) -> Run | _Packed | None:
        found = self._kept.get((mark, what))
        if found is not None:
            self._kept.move_to_end((mark, what))
        return found

    def _keep(self, key: tuple[int, str], what: Run | _Packed) -> None:
        self._forget(key)
        self._kept[key] = what
        self.size += what.nbytes + ENTRY

    def _forget(self, key: tuple[int, str]) -> None:
        what = self._kept.pop(key, None)
        if what is not None:
            self.size -= what.nbytes + ENTRY


def _hashes(c: sa.Connection, block: Block) -> Hashes:
    return np.frombuffer(_read(c, block, "hashes"), dtype=np.int64)


def _read(c: sa.Connection, block: Block, column: str) -> Any:
    table = block.table
    found = c.execute(
        sa.select(table.c[column]).where(
            table.c.system == block.system, table.c.id == block.id, table.c.mark == block.mark
        )
    ).scalar_one_or_none()
    if found is None:
        raise Conflict(f"block {block.id} of {block.system} was merged meanwhile; look again")
    return found
