"""Late labels find the window of their prediction, many at once.

```
waiting labels ─► which predictions? ─► what was applied before? ─► per pane: take back, add
      └─ not found: they wait on, and are looked for among newer predictions only
```

One process at a time joins for a system (the judge's lease), so a label is applied once; what
is applied is written down in the same transaction, so that a correction takes exactly that back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from watchkeeper_monitor.baselines import Baseline, Baselines
from watchkeeper_monitor.grids import Grid
from watchkeeper_monitor.profiles import Labelled, Profile
from watchkeeper_monitor.store import heads, index, labels, panes
from watchkeeper_monitor.store.arrays import Array, Arrays
from watchkeeper_monitor.store.hashes import Asked
from watchkeeper_monitor.store.index import Entries, Told
from watchkeeper_monitor.store.labels import Labels, Listed, State
from watchkeeper_monitor.store.panes import PaneKey
from watchkeeper_monitor.store.shelf import Block, Shelf
from watchkeeper_shared.db.types import to_micros
from watchkeeper_shared.specs import AISystem

CHUNK = 200_000
"""About how many labels one transaction joins."""

Ints = NDArray[np.int64]


@dataclass(slots=True)
class Joined:
    """What one piece of work did.

    Parameters
    ----------
    labels, given_up
        Labels that reached their prediction; labels dropped because it never came.
    more
        Whether there is more to join.
    """

    labels: int = 0
    given_up: int = 0
    more: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """Which labels have a prediction.

    Parameters
    ----------
    at
        Places of the labels, ascending.
    entries
        What is known of the prediction of each.
    echoed
        Whether that is what a label said.
    """

    at: Ints
    entries: Entries
    echoed: NDArray[np.bool_]


class Joiner:
    """Joins the labels of one system, in the caller's transaction.

    Parameters
    ----------
    shelf
        Blocks in memory.
    system, spec, baselines
        What the predictions were counted on.
    slices
        Which slices of the rows are counted too (see `segments`).
    """

    def __init__(  # noqa: PLR0913, PLR0917 - where labels are, and what they are counted on
        self,
        c: sa.Connection,
        shelf: Shelf,
        system: str,
        spec: AISystem,
        baselines: Baselines,
        slices: Sequence[str] = (),
    ) -> None:
        self._c = c
        self._shelf = shelf
        self._system = system
        self._spec = spec
        self._baselines = baselines
        self._slices = slices

    def is_due(self, before: datetime) -> bool:
        """Return whether a label waits that was not looked for everywhere, or waited too long."""
        head = self._head()
        blocks = labels.listed(self._c, self._system, State.WAITING)
        if any(one.checked < head for one in blocks):
            return True
        return labels.has_older(self._c, self._system, before)

    def _head(self) -> int:
        """Return the newest block of predictions."""
        found = [
            block.id for told in Told for block in index.blocks(self._c, self._system, told)
        ]
        return max(found, default=0) or 1  # labels count as looked for where nothing is

    def step(self, before: datetime) -> Joined:
        """Give up labels that came before an instant; join a chunk of the others."""
        done, head = Joined(given_up=self._give_up(before)), self._head()
        fresh: list[Block] = []
        rows = 0
        for one in labels.listed(self._c, self._system, State.WAITING):
            if one.checked >= head:
                continue
            if rows >= CHUNK:
                done.more = True
                break
            rows += one.block.rows
            if one.checked:
                done.labels += self._join([one.block], one.checked, head)
            else:
                fresh.append(one.block)
        if fresh:
            done.labels += self._join(fresh, 0, head)
        return done

    def _give_up(self, before: datetime) -> int:
        gone = set[int]()
        limit = to_micros(before)
        for block in labels.older(self._c, self._system, before):
            whole = labels.load(self._c, self._shelf, block.block)
            stays = whole.columns["received"] >= limit
            gone.update(whole.hashes[~stays].tolist())
            labels.remove(self._c, self._shelf, block.block)
            kept = whole.take(np.flatnonzero(stays))
            labels.add(self._c, self._shelf, self._system, State.WAITING, kept, block.checked)
        return len(gone)

    def _join(self, blocks: Sequence[Block], checked: int, head: int) -> int:
        """Look for the labels of some blocks among predictions past `checked`."""
        c, shelf = self._c, self._shelf
        whole = labels.together([labels.load(c, shelf, block) for block in blocks])
        found = self._find(whole, checked)
        if not found.at.size and len(blocks) == 1:
            labels.note_checked(c, blocks[0], head)
            return 0
        waits = np.ones(len(whole.hashes), dtype=np.bool_)
        waits[found.at] = False
        for block in blocks:
            labels.remove(c, shelf, block)
        rest = whole.take(np.flatnonzero(waits))
        labels.add(c, shelf, self._system, State.WAITING, rest, head)
        if found.at.size:
            self._apply(whole.take(found.at), found)
        return int(found.at.size)
