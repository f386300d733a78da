"""Streams whose truth is known: in control, in clusters or seasons, wandering, or shifted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from watchkeeper_shared.specs import AISystem, FeatureKind, Owner, Task

NUMERIC = tuple(f"number{place}" for place in range(14))
CATEGORICAL = tuple(f"choice{place}" for place in range(6))
FEATURES = NUMERIC + CATEGORICAL
SEASON = 7
FIRST_SHIFT, LAST_SHIFT = 64, 128
"""Between these windows, each feature at one of its own, so that every place in a block occurs."""

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

SPEC = AISystem(
    owner=Owner(team="bench", contact="bench@example.org"),
    purpose="A stream whose truth is known",
    task=Task.BINARY,
    features=dict.fromkeys(NUMERIC, FeatureKind.NUMERIC)
    | dict.fromkeys(CATEGORICAL, FeatureKind.CATEGORICAL),
)


@dataclass(frozen=True, slots=True)
class Stream:
    """What arrives.

    Parameters
    ----------
    name
        For the table.
    rows, reference_rows
        Of a window and of the reference.
    cluster
        So many rows in a row are the same: chi-square is so many times too large.
    swing
        Amplitude of a season of seven windows, in sd; each feature has its own phase.
    wander
        Standard deviation of each numeric feature's level from window to window, in sd.
    shift
        Added to every numeric feature from its own window on, in sd.
    """

    name: str
    rows: int = 1_000
    reference_rows: int = 10_000
    cluster: int = 1
    swing: float = 0.0
    wander: float = 0.0
    shift: float = 0.0

    def shifts_at(self, seed: int) -> Ints:
        """Return from which window on each numeric feature is shifted."""
        rng = np.random.default_rng((seed, 2))
        return rng.integers(FIRST_SHIFT, LAST_SHIFT, len(NUMERIC))

    def reference(self, seed: int) -> pa.RecordBatch:
        """Return the reference: independent rows of whole seasons and of many levels."""
        rng = np.random.default_rng((seed, 0))
        spread = (1 + self.wander**2) ** 0.5
        numbers = spread * rng.normal(size=(len(NUMERIC), self.reference_rows))
        numbers += self._season(rng.integers(0, SEASON, self.reference_rows))
        return _batch(numbers, _choices(rng, self.reference_rows))

    def window(self, place: int, seed: int) -> pa.RecordBatch:
        """Return the rows of one window; the same for everybody who watches."""
        rng = np.random.default_rng((seed, 1, place))
        distinct = -(-self.rows // self.cluster)
        numbers = rng.normal(size=(len(NUMERIC), distinct)) + self._season(np.array([place]))
        levels = np.random.default_rng((seed, 3, place)).normal(size=(len(NUMERIC), 1))
        numbers += self.wander * levels
        numbers += self.shift * (place >= self.shifts_at(seed))[:, None]
        choices = _choices(rng, distinct)
        same = np.repeat(np.arange(distinct), self.cluster)[: self.rows]
        return _batch(numbers[:, same], choices[:, same])

    def _season(self, places: Ints) -> Floats:
        phases = np.arange(len(NUMERIC))[:, None]
        swing: Floats = self.swing * np.sin(2 * np.pi * (places + phases) / SEASON)
        return swing


def _choices(rng: np.random.Generator, rows: int) -> Ints:
    """Return codes of categories with 2 to 20 values, the first the commonest."""
    sizes = np.array([2, 3, 5, 8, 12, 20])[:, None]
    return (sizes * rng.uniform(size=(len(CATEGORICAL), rows)) ** 1.5).astype(np.int64)


_NAMES = pa.array([f"v{code}" for code in range(20)])


def _batch(numbers: Floats, choices: Ints) -> pa.RecordBatch:
    columns = {f"features.{name}": pa.array(x) for name, x in zip(NUMERIC, numbers, strict=True)}
    for name, codes in zip(CATEGORICAL, choices, strict=True):
        columns[f"features.{name}"] = _NAMES.take(pa.array(codes))
    rows = numbers.shape[1]
    columns["prediction"] = pa.array(np.arange(rows) % 2)
    columns["id"] = pa.array([str(row) for row in range(rows)])
    return pa.RecordBatch.from_pydict(columns)
