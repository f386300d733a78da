"""The prediction index: what a late label must know about its prediction, and who was seen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from watchkeeper_monitor.store.many import among, chunks, write
from watchkeeper_monitor.store.panes import PaneKey
from watchkeeper_shared.db.tables import predictions
from watchkeeper_shared.db.types import to_micros

_INSERT = (
    "INSERT INTO predictions"
    " (system, version, reference, pane_start, pane_end, id_hash, prediction, score, groups)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


def known(c: sa.Connection, system: str, hashes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return those of `hashes` that the index has."""
    found: list[int] = []
    for chunk in chunks(hashes.tolist()):
        query = sa.select(predictions.c.id_hash).where(
            predictions.c.system == system, among(c, predictions.c.id_hash, chunk)
        )
        found += c.execute(query).scalars()
    return np.array(found, dtype=np.int64)


def insert(
    c: sa.Connection,
    key: PaneKey,
    hashes: NDArray[np.int64],
    predicted: Sequence[str],
    scores: NDArray[np.float64],
    groups: NDArray[np.int16],
) -> None:
    """Add predictions of one pane.

    Parameters
    ----------
    groups
        int16 `[attributes, n]`.

    Raises
    ------
    Conflict
        Another worker committed one of them since `known` was asked: ask again.
    """
    start, end = to_micros(key.pane.start), to_micros(key.pane.end)
    rows = zip(hashes.tolist(), predicted, _optional(scores), _packed(groups), strict=True)
    write(c, _INSERT, [(key.system, key.version, key.reference, start, end, *row) for row in rows])


def _optional(scores: NDArray[np.float64]) -> Iterable[float | None]:
    return (None if score != score else score for score in scores.tolist())  # noqa: PLR0124 - NaN


def _packed(groups: NDArray[np.int16]) -> list[bytes]:
    width = groups.shape[0] * 2
    data = np.ascontiguousarray(groups.T, dtype="<i2").tobytes()
    return [data[at * width : (at + 1) * width] for at in range(groups.shape[1])]


def unpacked(groups: Sequence[bytes], attributes: int) -> NDArray[np.int16]:
    """Return int16 `[attributes, n]` from what `insert` stored."""
    codes = np.frombuffer(b"".join(groups), dtype="<i2").astype(np.int16)
    return codes.reshape(len(groups), attributes).T
