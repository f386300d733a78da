"""The frozen grid of one system version and its canonical bytes."""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from watchkeeper_monitor.grids.axes import Axis, Ends, Floats, as_floats
from watchkeeper_monitor.grids.buckets import Buckets
from watchkeeper_monitor.grids.calibration import Calibrator, Curve
from watchkeeper_monitor.grids.categories import MOST_GROUPS, Categories
from watchkeeper_monitor.grids.crossings import (
    MOST_CROSSED,
    Crossing,
    crossings_of,
    joined,
    parts_of,
)
from watchkeeper_monitor.grids.texts import Known, flat, texts
from watchkeeper_shared.errors import MalformedRecord
from watchkeeper_shared.specs import AISystem, FeatureKind, Task

MOST_CLASSES = 32
_LOGIT_STEPS = 1024
_LOGIT_REACH = 16.0
_OPPOSITES = {"1": "0", "0": "1", "true": "false", "false": "true", "yes": "no", "no": "yes"}


class Grid(msgspec.Struct, frozen=True, dict=True):
    """Every cell that a profile of this system version counts in.

    Frozen: a new reference is a new grid with a new id, and profiles of two grids do not merge.

    Parameters
    ----------
    axes
        Numeric features in declared order, then `score`, then `prediction` for regression.
    categories
        Categorical features, in declared order.
    attributes
        Protected attributes, in declared order.
    classes
        The classes of predictions and labels; anything else has the code `len(classes)`.
    positive
        The code of the positive class of a binary task; -1 elsewhere.
    referenced
        False when there was no reference: volume, nulls and confusion are counted, drift is not.
    calibrator
        From scores to probabilities, where a binary reference had labels and scores.
    """

    task: Task
    axes: tuple[Axis, ...]
    categories: tuple[Categories, ...]
    attributes: tuple[Categories, ...]
    classes: tuple[str, ...]
    positive: int
    referenced: bool = True
    calibrator: Calibrator | None = None

    def __eq__(self, other: object) -> bool:
        """Grids with one id are one grid; comparing thousands of edges would say the same."""
        return isinstance(other, Grid) and self.id == other.id

    def __hash__(self) -> int:
        """Hash by id, likewise."""
        return hash(self.id)

    @cached_property
    def id(self) -> str:
        """SHA-256 of the canonical bytes, in hexadecimal."""
        return hashlib.sha256(self.to_bytes()).hexdigest()

    @cached_property
    def score(self) -> int:
        """Which axis holds the score."""
        return [axis.field for axis in self.axes].index("score")

    @cached_property
    def buckets(self) -> Buckets:
        """What finds the cell of every value of all axes."""
        return Buckets.of(self.axes)

    @cached_property
    def score_buckets(self) -> Buckets:
        """What finds the cells of scores alone."""
        return Buckets.of([self.axes[self.score]])

    @cached_property
    def curve(self) -> Curve | None:
        """From a score in its cell to its calibrated probability; None without a calibrator."""
        edges = self.axes[self.score].edge_array
        return None if self.calibrator is None else self.calibrator.curve(edges)

    @cached_property
    def ends(self) -> Ends:
        """The outer edges of all axes."""
        return Ends.of(self.axes)

    @cached_property
    def features(self) -> tuple[str, ...]:
        """The names of the features: numeric ones first, then categorical ones."""
        numeric = (axis.name for axis in self.axes if axis.field.startswith("features."))
        return (*numeric, *(column.name for column in self.categories))

    @cached_property
    def crossings(self) -> tuple[Crossing, ...]:
        """How the groups of declared intersections follow from those of their attributes."""
        return crossings_of(self.attributes)

    @property
    def regression(self) -> bool:
        """Predictions and labels are numbers."""
        return self.task is Task.REGRESSION

    @cached_property
    def has_unit(self) -> bool:
        """Sums of a regression have a unit: the standard deviation of the reference's predictions.

        It is missing without a reference, and where the reference predicts one number only.
        """
        return self.axes[-1].sd > 0

    @cached_property
    def _known_classes(self) -> Known:
        return Known(self.classes)

    def label_codes(self, labels: Any) -> npt.NDArray[np.int16]:
        """Return the class code of every prediction or label of an Arrow array or sequence.

        A class that the grid does not know, and a null, have the code `len(classes)`.
        """
        column = labels if isinstance(labels, pa.Array) else pa.array(labels)
        codes = self._known_classes.places(column).astype(np.int16)
        codes[codes < 0] = len(self.classes)
        return codes

    def to_bytes(self) -> bytes:
        """Return the canonical bytes: equal grids give equal bytes on every machine."""
        return msgspec.json.encode(self)

    @classmethod
    def from_bytes(cls, data: bytes) -> Grid:
        """Read what `to_bytes` wrote.

        Raises
        ------
        MalformedRecord
            The bytes are no grid.
        """
        try:
            return msgspec.json.decode(data, type=cls)
        except msgspec.DecodeError as error:
            raise MalformedRecord("malformed", f"these bytes are no grid: {error}") from error

    @classmethod
    def build(cls, batch: pa.RecordBatch | pa.Table, spec: AISystem, version: str) -> Grid:
        """Fix the grid from reference rows in the canonical columns (ADR 1).

        A declared column that the batch does not have counts as all null.
        """
        features = spec.features_of(version)
        classes = _classes(batch, spec)
        calibrator = _calibrator(batch, spec)
        return cls(
            task=spec.task,
            axes=tuple(_axes(batch, features, spec.task, calibrator)),
            categories=tuple(
                Categories.build(name, f"features.{name}", _column(batch, f"features.{name}"))
                for name, kind in features.items()
                if kind is FeatureKind.CATEGORICAL
            ),
            attributes=tuple(_attribute(batch, name) for name in spec.groups),
            classes=classes,
            positive=_positive(classes, spec),
            calibrator=calibrator,
        )

    @classmethod
    def bare(cls, spec: AISystem, version: str) -> Grid:
        """Return the grid to use until there is a reference.

        Of groups it knows the declared reference group only, of classes the positive one and
        its usual opposite; a score is counted in full, because its range is known.
        """
        features = spec.features_of(version)
        positive = str(spec.positive_label)
        classes = tuple(sorted({positive, _OPPOSITES.get(positive.lower(), positive)}))
        if spec.task is not Task.BINARY:
            classes = ()
        return cls(
            task=spec.task,
            axes=tuple(_axes(pa.table({}), features, spec.task)),
            categories=tuple(
                Categories(name, f"features.{name}", open=True)
                for name, kind in features.items()
                if kind is FeatureKind.CATEGORICAL
            ),
            attributes=tuple(
                Categories(name, f"groups.{name}", values=(group.reference,), open=True)
                for name, group in spec.groups.items()
            ),
            classes=classes,
            positive=_positive(classes, spec),
            referenced=False,
        )


def logit_edges() -> Floats:
    """Return score edges that are equally far apart in log odds, from -16 to 16.

    Cells near 0 and 1, where a confident model puts most of its scores, are narrow; none is
    wider than 0.008, so scores rounded to two decimals each have a cell of their own.
    """
    logits = np.linspace(-_LOGIT_REACH, _LOGIT_REACH, _LOGIT_STEPS + 1)
    # Rounded, so that the last bit of exp, which differs between machines, decides nothing.
    return np.unique(np.round(1.0 / (1.0 + np.exp(-logits)), 12))


def _column(batch: pa.RecordBatch | pa.Table, field: str) -> Any:
    if field not in batch.schema.names:
        return pa.nulls(batch.num_rows)
    return flat(batch.column(field))


def _attribute(batch: pa.RecordBatch | pa.Table, name: str) -> Categories:
    """Fix the groups of an attribute, or of an intersection of several."""
    columns = {part: _column(batch, f"groups.{part}") for part in parts_of(name)}
    known = {
        part: Categories.build(part, f"groups.{part}", column, MOST_GROUPS)
        for part, column in columns.items()
    }
    if name in known:
        return known[name]
    # Rows of a window are told apart by its parts: what those do not name would never be seen.
    named = [known[part].named(column) for part, column in columns.items()]
    return Categories.build(name, f"groups.{name}", joined(named), MOST_CROSSED)


def _numbers(batch: pa.RecordBatch | pa.Table, field: str) -> Floats:
    column = _column(batch, field)
    kind = column.type
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return as_floats(column)
    return np.empty(0)


def _calibrator(batch: pa.RecordBatch | pa.Table, spec: AISystem) -> Calibrator | None:
    if spec.task is not Task.BINARY or "label" not in batch.schema.names:
        return None
    scores, labels = _numbers(batch, "score"), _column(batch, "label")
    if not scores.size:
        return None
    known = np.asarray(labels.is_valid())
    positive = Known([str(spec.positive_label)]).places(labels) == 0
    return Calibrator.fit(scores[known], positive[known])


def _axes(
    batch: pa.RecordBatch | pa.Table,
    features: dict[str, FeatureKind],
    task: Task,
    calibrator: Calibrator | None = None,
) -> list[Axis]:
    axes = [
        Axis.build(name, f"features.{name}", _numbers(batch, f"features.{name}"))
        for name, kind in features.items()
        if kind is FeatureKind.NUMERIC
    ]
    edges = logit_edges()
    if calibrator is not None:
        edges = np.union1d(edges, calibrator.bends)
    axes.append(Axis.build("score", "score", _numbers(batch, "score"), edges))
    if task is Task.REGRESSION:
        axes.append(Axis.build("prediction", "prediction", _numbers(batch, "prediction")))
    return axes


def _classes(batch: pa.RecordBatch | pa.Table, spec: AISystem) -> tuple[str, ...]:
    """Name the classes in predictions and labels; the positive one is always among them."""
    if spec.task is Task.REGRESSION:
        return ()
    seen = Categories.build(
        "prediction",
        "prediction",
        pa.concat_arrays([texts(_column(batch, field)) for field in ("prediction", "label")]),
        MOST_CLASSES,
    ).values
    named = {str(spec.positive_label)} if spec.task is Task.BINARY else set()
    return tuple(sorted({*seen, *named}))


def _positive(classes: tuple[str, ...], spec: AISystem) -> int:
    return classes.index(str(spec.positive_label)) if spec.task is Task.BINARY else -1
