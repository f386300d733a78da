"""Blocks as they are used in memory: the most recently used ones, within a bound of bytes."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import numpy as np
import sqlalchemy as sa

from watchkeeper_monitor.store.arrays import Arrays, unpack
from watchkeeper_monitor.store.hashes import Run
from watchkeeper_shared.errors import Conflict


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
    """What was read of blocks. One thread.

    Parameters
    ----------
    bound
        How many bytes are kept; what is needed beyond it is read again each time.
    """

    def __init__(self, bound: int) -> None:
        self._bound = bound
        self._kept: OrderedDict[tuple[int, str], Run | Arrays] = OrderedDict()
        self.size = 0

    def run(self, c: sa.Connection, block: Block) -> Run:
        """Return the hashes of a block.

        Raises
        ------
        Conflict
            The block was merged into another one since it was listed: list again.
        """
        found = self._get(block.mark, "hashes")
        if not isinstance(found, Run):
            found = Run(np.frombuffer(_read(c, block, "hashes"), dtype=np.int64))
            self.put(block.mark, found)
        return found

    def content(self, c: sa.Connection, block: Block) -> Arrays:
        """Return the columns of a block; errors as for `run`."""
        found = self._get(block.mark, "content")
        if not isinstance(found, Arrays):
            found = unpack(_read(c, block, "content"))
            self.put(block.mark, found)
        return found

    def _get(self, mark: int, what: str) -> Run | Arrays | None:
        found = self._kept.get((mark, what))
        if found is not None:
            self._kept.move_to_end((mark, what))
        return found

    def put(self, mark: int, what: Run | Arrays) -> None:
        """Keep what was just written or read, and forget what was used longest ago."""
        self._kept[mark, "hashes" if isinstance(what, Run) else "content"] = what
        self.size += what.nbytes
        while self.size > self._bound and len(self._kept) > 1:
            self._forget(next(iter(self._kept)))

    def drop(self, block: Block) -> None:
        """Forget a block that is no more."""
        for key in ((block.mark, "hashes"), (block.mark, "content")):
            if key in self._kept:
                self._forget(key)

    def _forget(self, key: tuple[int, str]) -> None:
        self.size -= self._kept.pop(key).nbytes


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
