"""Labels into the profiles of their predictions' panes, and out of them again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import sqlalchemy as sa
from numpy.typing import NDArray

from watchkeeper_monitor.grids import Grid
from watchkeeper_monitor.profiles import Labelled, Profile
from watchkeeper_monitor.references.baselines import Baselines
from watchkeeper_monitor.store import index, panes
from watchkeeper_monitor.store.index import Entries
from watchkeeper_monitor.store.labels import Labels
from watchkeeper_monitor.store.panes import PaneKey
from watchkeeper_shared.specs import AISystem

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Found:
    """Which labels have a prediction.

    Parameters
    ----------
    labels
        Those labels.
    entries
        What is known of the prediction of each, in the same order; the column `echoed` is 1
        where the label alone told of it.
    """

    labels: Labels
    entries: Entries

    @property
    def echoed(self) -> Bools:
        """Where the label alone told of its prediction."""
        return np.asarray(self.entries.content.columns["echoed"] != 0)

    def take(self, at: Ints) -> Found:
        """Return some of them."""
        content = self.entries.content.take(at)
        return Found(self.labels.take(at), Entries(self.entries.hashes[at], content))


class LabelledPanes:
    """Changes what labels add to the panes of one system, in the caller's transaction.

    Parameters
    ----------
    system, spec, baselines
        What the predictions were counted on.
    slices
        Which slices of the rows are counted too (see `segments`).
    """

    def __init__(
        self,
        c: sa.Connection,
        system: str,
        spec: AISystem,
        baselines: Baselines,
        slices: Sequence[str],
    ) -> None:
        self._c = c
        self._system = system
        self._spec = spec
        self._baselines = baselines
        self._slices = slices

    def change(self, gone: Sequence[Found], come: Sequence[Found]) -> None:
        """Take back labels that were counted, and count others; each pane is written once."""
        parts: defaultdict[PaneKey, list[tuple[int, Found]]] = defaultdict(list)
        for sign, some in ((-1, gone), (1, come)):
            for found in some:
                for key, mine in self._by_pane(found):
                    parts[key].append((sign, mine))
        touched = [key for key, mine in parts.items() if self._merge(key, mine)]
        panes.touch(self._c, touched)

    def _by_pane(self, found: Found) -> list[tuple[PaneKey, Found]]:
        places = found.entries.content.columns["pane"]
        keys = index.pane_keys(self._system, found.entries.content)
        every = ((key, np.flatnonzero(places == place)) for place, key in enumerate(keys))
        return [(key, found.take(mine)) for key, mine in every if mine.size]

    def _merge(self, key: PaneKey, parts: Sequence[tuple[int, Found]]) -> bool:
        """Add to one pane, unless nobody can rebuild its grid; see `Baselines.under`."""
        baseline = self._baselines.under(key.reference, key.system, self._spec, key.version)
        if baseline is None:
            return False
        delta = Profile.empty(baseline.grid, self._slices)
        for sign, found in parts:
            delta.add_labels(_labelled(found, baseline.grid), sign)
        panes.merge_profile(self._c, key, panes.LABELS_SOURCE, delta, baseline.grid, rows=0)
        return True


def _labelled(found: Found, grid: Grid) -> Labelled:
    columns, said = found.entries.content.columns, found.labels
    codes = _coded(said.texts, grid)[said.columns["label"]]
    classes = columns.get("scores")
    return Labelled(
        prediction=columns["prediction"],
        label=codes,
        score=columns["score"],
        groups=columns["groups"][: len(grid.attributes)],
        class_scores=None if classes is None else classes[: len(grid.classes)],
        echoed=found.echoed,
    )


def _coded(texts: Sequence[str], grid: Grid) -> NDArray[np.int16] | NDArray[np.float64]:
    if grid.regression:
        return np.array([float(text) for text in texts], dtype=np.float64)
    return grid.label_codes(pa.array(texts, pa.string()))
