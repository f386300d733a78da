"""Late labels find the window of their prediction, many at once.

```
waiting labels ─► which predictions? ─► what was applied before? ─► per pane: take back, add
      └─ not found: they wait on, and are looked for among newer predictions only
labels that told of their prediction ─► did it come? ─► per pane: take back, add
```

One process at a time joins for a system (the judge's lease), so a label is applied once; what
is applied is written down in the same transaction, so that a correction takes exactly that back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import sqlalchemy as sa

from watchkeeper_monitor.flush.labelled_panes import Bools, Found, Ints, LabelledPanes
from watchkeeper_monitor.references.baselines import Baselines
from watchkeeper_monitor.store import index, labels
from watchkeeper_monitor.store.arrays import Arrays
from watchkeeper_monitor.store.hashes import Asked
from watchkeeper_monitor.store.index import Entries, Told
from watchkeeper_monitor.store.labels import Labels, Listed, State
from watchkeeper_monitor.store.shelf import Block, Shelf
from watchkeeper_shared.db.types import to_micros
from watchkeeper_shared.specs import AISystem

CHUNK = 200_000
"""About how many labels one transaction joins."""


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
        self._panes = LabelledPanes(c, system, spec, baselines, slices)

    def is_due(self, before: datetime) -> bool:
        """Return whether a label waits that was not looked for everywhere, or waited too long."""
        return any(
            self._unlooked(state, head) or labels.older(self._c, self._system, state, before)
            for state, head in self._heads().items()
        )

    def step(self, before: datetime) -> Joined:
        """Give up labels that came before an instant; join a chunk of the others."""
        heads = self._heads()
        done = Joined(given_up=self._give_up(State.WAITING, before))
        self._give_up(State.ECHOED, before)  # they stay as they are counted
        alone, more = _chunk(self._unlooked(State.ECHOED, heads[State.ECHOED]))
        for one in alone:
            self._overtake(one, heads[State.ECHOED])
        waiting, done.more = _chunk(self._unlooked(State.WAITING, heads[State.WAITING]))
        done.more |= more
        for one in waiting:
            if one.checked:
                done.labels += self._join([one.block], one.checked, heads[State.WAITING])
        fresh = [one.block for one in waiting if not one.checked]
        if fresh:
            done.labels += self._join(fresh, 0, heads[State.WAITING])
        return done

    def _heads(self) -> Mapping[State, int]:
        """Return up to where labels that wait are to be looked for, by their state."""
        newest, seen = (index.newest(self._c, self._system, *told) for told in ((), (Told.SEEN,)))
        return {State.WAITING: newest, State.ECHOED: seen}

    def _unlooked(self, state: State, head: int) -> list[Listed]:
        found = labels.listed(self._c, self._system, state)
        return [one for one in found if one.checked < head]

    def _give_up(self, state: State, before: datetime) -> int:
        gone = set[int]()
        limit = to_micros(before)
        for block in labels.older(self._c, self._system, state, before):
            whole = labels.load(self._c, self._shelf, block.block)
            stays = whole.columns["received"] >= limit
            gone.update(whole.hashes[~stays].tolist())
            labels.remove(self._c, self._shelf, block.block)
            kept = whole.take(np.flatnonzero(stays))
            labels.add(self._c, self._shelf, self._system, state, kept, block.checked)
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
            self._apply(Found(whole.take(at), entries), head)
        return int(at.size)

    def _find(self, wanted: Labels, checked: int) -> tuple[Ints, Entries | None]:
        """Return which labels have a prediction, and what is known of it.

        What a label is counted with is what it is corrected with. Before that, a prediction
        that was seen counts before one that is only echoed.
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

    def _apply(self, found: Found, head: int) -> None:
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
        # The block first: who writes takes its number before it touches panes, as a flush does.
        labels.add(self._c, self._shelf, self._system, State.APPLIED, _as_counted(found))
        first = np.delete(np.arange(len(found.labels.hashes)), corrected)
        alone = found.take(first[found.echoed[first]])
        labels.add(self._c, self._shelf, self._system, State.ECHOED, alone.labels, head)
        old = found.take(corrected)
        self._panes.change([] if before is None else [_counted_before(before, old)], [found])

    def _overtake(self, one: Listed, head: int) -> None:
        """Count labels with predictions that came after them, no longer with what they said."""
        c, shelf, system, block = self._c, self._shelf, self._system, one.block
        asked = Asked(shelf.run(c, block).ordered)
        taken = np.zeros(len(asked.ordered), dtype=np.bool_)
        parts = self._look(Told.SEEN, asked, one.checked, taken, ~taken)
        if not parts:
            labels.note_checked(c, block, head)
            return
        whole, at = labels.load(c, shelf, block), np.flatnonzero(taken)
        labels.remove(c, shelf, block)
        rest = np.delete(np.arange(len(taken)), at)
        labels.add(c, shelf, system, State.ECHOED, whole.take(rest), head)
        self._replace(index.together(parts))

    def _replace(self, came: Entries) -> None:
        """Take back what echoes of these predictions are counted with, and add the predictions."""
        c, shelf, system = self._c, self._shelf, self._system
        before = labels.find(c, shelf, system, State.APPLIED, Asked(came.hashes))
        if before is None:
            return
        before = before.take(np.flatnonzero(before.columns["echoed"]))
        taken = np.zeros(len(before.hashes), dtype=np.bool_)
        parts = self._look(Told.ECHOED, Asked(before.hashes), 0, taken, ~taken)
        if not parts:
            return
        old = Found(before.take(np.flatnonzero(taken)), index.together(parts))
        at = came.hashes.searchsorted(old.labels.hashes)
        new = Found(old.labels, Entries(came.hashes[at], came.content.take(at)))
        labels.add(c, shelf, system, State.APPLIED, _as_counted(new))
        self._panes.change([old], [new])


def _chunk(found: Sequence[Listed]) -> tuple[Sequence[Listed], bool]:
    """Return the first blocks, until they hold enough rows, and whether there are more."""
    rows = 0
    for place, one in enumerate(found):
        if rows >= CHUNK:
            return found[:place], True
        rows += one.block.rows
    return found, False


def _is_newer(one: Labels, other: Labels) -> Bools:
    """Return where a label became known later; at equal times, came later or with it."""
    mine, theirs = one.columns, other.columns
    later = mine["time"] > theirs["time"]
    tied = mine["time"] == theirs["time"]
    return np.asarray(later | (tied & (mine["received"] >= theirs["received"])))


def _as_counted(found: Found) -> Labels:
    """Return labels with what they are counted with: the prediction, or what they said of it."""
    columns = found.labels.columns | {"echoed": found.entries.content.columns["echoed"]}
    return Labels(found.labels.hashes, columns, found.labels.texts)


def _counted_before(before: Labels, found: Found) -> Found:
    """Return older labels of the same predictions, as they were counted."""
    content = found.entries.content
    columns = content.columns | {"echoed": before.columns["echoed"]}
    return Found(before, Entries(found.entries.hashes, Arrays(columns, content.notes)))
