"""Late labels find the window of their prediction, many at once.

```
waiting labels ─► which predictions? ─► what was applied before? ─► per pane: take back, add
      └─ not found: they wait on, and are looked for among newer predictions only
```

One process at a time joins for a system (the judge's lease), so a label is applied once; what
is applied is written down in the same transaction, so that a correction takes exactly that back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pyarrow as pa
import sqlalchemy as sa
from numpy.typing import NDArray

from watchkeeper_monitor.grids import Grid
from watchkeeper_monitor.profiles import Labelled, Profile
from watchkeeper_monitor.references.baselines import Baselines
from watchkeeper_monitor.store import index, labels, panes
from watchkeeper_monitor.store.hashes import Asked
from watchkeeper_monitor.store.index import Entries, Told
from watchkeeper_monitor.store.labels import Labels, State
from watchkeeper_monitor.store.shelf import Block, Shelf
from watchkeeper_shared.db.types import to_micros
from watchkeeper_shared.specs import AISystem

CHUNK = 200_000
"""About how many labels one transaction joins."""

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


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
    labels
        Those labels.
    entries
        What is known of the prediction of each, in the same order.
    """

    labels: Labels
    entries: Entries

    def take(self, at: Ints) -> Found:
        """Return some of them."""
        content = self.entries.content.take(at)
        return Found(self.labels.take(at), Entries(self.entries.hashes[at], content))


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

    def __init__(
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
        head = index.newest(self._c, self._system)
        blocks = labels.listed(self._c, self._system, State.WAITING)
        if any(one.checked < head for one in blocks):
            return True
        return bool(labels.older(self._c, self._system, before))

    def step(self, before: datetime) -> Joined:
        """Give up labels that came before an instant; join a chunk of the others."""
        done, head = Joined(given_up=self._give_up(before)), index.newest(self._c, self._system)
        fresh: list[Block] = []
        rows = 0
        for one in labels.listed(self._c, self._system, State.WAITING):
            if one.checked >= head:
                continue
            done.more = rows >= CHUNK
            if done.more:
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
        at, entries = self._find(whole, checked)
        if entries is None and len(blocks) == 1:
            labels.note_checked(c, blocks[0], head)
            return 0
        for block in blocks:
            labels.remove(c, shelf, block)
        rest = np.delete(np.arange(len(whole.hashes)), at)
        labels.add(c, shelf, self._system, State.WAITING, whole.take(rest), head)
        if entries is not None:
            self._apply(Found(whole.take(at), entries))
        return int(at.size)

    def _find(self, wanted: Labels, checked: int) -> tuple[Ints, Entries | None]:
        """Return which labels have a prediction, and what is known of it.

        What a label was counted with once is what it is corrected with. Before that, a
        prediction that was seen counts before one that is only echoed.
        """
        asked = Asked(wanted.hashes)
        before = labels.find(self._c, self._shelf, self._system, State.APPLIED, asked)
        echoes = np.zeros(len(wanted.hashes), dtype=np.bool_)
        if before is not None:
            at = wanted.hashes.searchsorted(before.hashes)
            echoes[at] = before.columns["echoed"] != 0
        taken = np.zeros(len(wanted.hashes), dtype=np.bool_)
        parts = []
        for told, may in ((Told.ECHOED, echoes), (Told.SEEN, ~echoes), (Told.ECHOED, ~echoes)):
            parts += self._look(told, asked, checked, taken, may)
        if not parts:
            return np.flatnonzero(taken), None
        return np.flatnonzero(taken), index.together(parts)

    def _look(
        self, told: Told, asked: Asked, checked: int, taken: Bools, may: Bools
    ) -> list[Entries]:
        """Return entries of those that `may` be taken and were not, and note them as taken.

        From the oldest block on: whatever comes later under an id that was there before, the
        labels of that id stay where they are.
        """
        parts = []
        for block in reversed(index.blocks(self._c, self._system, told, checked)):
            here, at = self._shelf.run(self._c, block).find(asked)
            free = may[here] & ~taken[here]
            if not free.any():
                continue
            here, at = here[free], at[free]
            taken[here] = True
            content = self._shelf.content(self._c, block).take(at)
            content.columns["echoed"] = np.full(len(at), told is Told.ECHOED, dtype=np.int8)
            parts.append(Entries(asked.ordered[here], content))
        return parts

    def _apply(self, found: Found) -> None:
        """Add labels to the panes of their predictions, and take back what they correct."""
        before = labels.find(
            self._c, self._shelf, self._system, State.APPLIED, Asked(found.labels.hashes)
        )
        corrected = np.zeros(0, dtype=np.int64)
        if before is not None:
            at = found.labels.hashes.searchsorted(before.hashes)
            newer = _is_newer(found.labels.take(at), before)
            # An older label, come later, changes nothing.
            stays = np.delete(np.arange(len(found.labels.hashes)), at[~newer])
            before, found = before.take(np.flatnonzero(newer)), found.take(stays)
            corrected = found.labels.hashes.searchsorted(before.hashes)
        columns = found.labels.columns | {"echoed": found.entries.content.columns["echoed"]}
        applied = Labels(found.labels.hashes, columns, found.labels.texts)
        # The block first: who writes takes its number before it touches panes, as a flush does.
        labels.add(self._c, self._shelf, self._system, State.APPLIED, applied)
        self._count(found, before, corrected)

    def _count(self, found: Found, before: Labels | None, corrected: Ints) -> None:
        places = found.entries.content.columns["pane"]
        touched = []
        for place, key in enumerate(index.pane_keys(self._system, found.entries.content)):
            mine = np.flatnonzero(places == place)
            baseline = self._baselines.under(key.reference, key.system, self._spec, key.version)
            if not mine.size or baseline is None:
                continue  # counted on a bare grid that nobody can rebuild; see `Baselines.under`
            delta = Profile.empty(baseline.grid, self._slices)
            if before is not None:
                theirs = np.flatnonzero(places[corrected] == place)
                old = _labelled(found.take(corrected[theirs]), before.take(theirs), baseline.grid)
                delta.add_labels(old, -1)
            own = found.take(mine)
            delta.add_labels(_labelled(own, own.labels, baseline.grid))
            panes.merge_profile(self._c, key, panes.LABELS_SOURCE, delta, baseline.grid, rows=0)
            touched.append(key)
        panes.touch(self._c, touched)


def _is_newer(one: Labels, other: Labels) -> Bools:
    """Return where a label became known later; at equal times, came later or with it."""
    mine, theirs = one.columns, other.columns
    later = mine["time"] > theirs["time"]
    tied = mine["time"] == theirs["time"]
    return np.asarray(later | (tied & (mine["received"] >= theirs["received"])))


def _labelled(found: Found, said: Labels, grid: Grid) -> Labelled:
    columns = found.entries.content.columns
    codes = _coded(said.texts, grid)[said.columns["label"]]
    classes = columns.get("scores")
    return Labelled(
        prediction=columns["prediction"],
        label=codes,
        score=columns["score"],
        groups=columns["groups"][: len(grid.attributes)],
        class_scores=None if classes is None else classes[: len(grid.classes)],
    )


def _coded(texts: Sequence[str], grid: Grid) -> NDArray[np.int16] | NDArray[np.float64]:
    if grid.regression:
        return np.array([float(text) for text in texts], dtype=np.float64)
    return grid.label_codes(pa.array(texts, pa.string()))
