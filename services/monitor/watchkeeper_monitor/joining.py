"""Late labels find the window of their prediction.

waiting label + index row ─► Profile.add_labels on the prediction's pane, under the source
"labels". A corrected label takes back what was applied for the same id, first.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import sqlalchemy as sa
from numpy.typing import NDArray

from watchkeeper_monitor.baselines import Baselines
from watchkeeper_monitor.grids import Grid
from watchkeeper_monitor.profiles import Labelled, Profile
from watchkeeper_monitor.store import index, labels, panes
from watchkeeper_monitor.store.labels import Joined
from watchkeeper_shared.specs import AISystem

CHUNK = 20_000
"""How many labels one transaction joins."""


def join(
    c: sa.Connection,
    system: str,
    spec: AISystem,
    baselines: Baselines,
    slices: Sequence[str] = (),
) -> int:
    """Join one chunk of waiting labels, in the caller's transaction; return how many.

    Parameters
    ----------
    slices
        Which slices of the rows are counted too (see `segments`).
    """
    by_pane = labels.joined(c, system, CHUNK)
    for key, rows in sorted(by_pane.items()):
        baseline = baselines.under(key.reference, key.system, spec, key.version)
        if baseline is None:
            continue  # counted on a bare grid that nobody can rebuild; see `Baselines.under`
        delta = Profile.empty(baseline.grid, slices)
        corrected = [one for one in rows if one.applied is not None]
        delta.add_labels(_arrays(corrected, [one.applied for one in corrected], baseline.grid), -1)
        delta.add_labels(_arrays(rows, [one.label for one in rows], baseline.grid))
        panes.merge_profile(c, key, panes.LABELS_SOURCE, delta, baseline.grid, rows=0)
    panes.touch(c, by_pane)
    joined = [one for rows in by_pane.values() for one in rows]
    labels.applied(c, system, joined)
    return len(joined)


def _arrays(rows: Sequence[Joined], texts: Sequence[str | None], grid: Grid) -> Labelled:
    scores = [np.nan if one.score is None else one.score for one in rows]
    return Labelled(
        prediction=_coded([one.prediction for one in rows], grid),
        label=_coded(texts, grid),
        score=np.array(scores, dtype=np.float64),
        groups=index.unpacked([one.groups for one in rows], len(grid.attributes)),
    )


def _coded(texts: Sequence[str | None], grid: Grid) -> NDArray[np.int16] | NDArray[np.float64]:
    if grid.regression:
        return np.array([float(text or "nan") for text in texts], dtype=np.float64)
    return grid.label_codes(pa.array(texts, pa.string()))
