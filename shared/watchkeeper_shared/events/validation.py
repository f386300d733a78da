"""Whether the rows of a batch hold against what was declared: one rule, one place.

Ingest calls this to answer each caller per item; the monitor calls it on what others wrote
to the topics, and counts by name. Vectorised: Python runs only for the rows that fail.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property

import pyarrow as pa
import pyarrow.compute as pc

from watchkeeper_shared.events.batches import distinct
from watchkeeper_shared.events.cells import Cells, fit_cells
from watchkeeper_shared.events.refusals import Refusals, as_mask
from watchkeeper_shared.events.rejects import Reject, RejectCode
from watchkeeper_shared.events.rows import REQUIRED, Kind
from watchkeeper_shared.events.shapes import INSTANT, Shape, shape_of
from watchkeeper_shared.specs import AISystem, FeatureKind, Task

MAX_NAME = 128
"""The longest id, system, version, class or group value, in characters."""

MAX_TEXT = 256
"""The longest categorical feature, in characters."""

FUTURE = timedelta(minutes=5)
"""How far a sender's clock may run ahead."""

EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


@dataclass(frozen=True, slots=True)
class Checked:
    """The rows that hold, and why the others do not.

    Parameters
    ----------
    batch
        Canonical columns only: features and groups as declared, numeric ones as numbers,
        categorical ones as text, missing ones null.
    rejects
        One for each other row, by its index in the batch that was checked.
    """

    batch: pa.RecordBatch
    rejects: tuple[Reject, ...]


def check_predictions(
    batch: pa.RecordBatch,
    system_name: str,
    spec: AISystem,
    versions: Collection[str],
    now: datetime,
) -> Checked:
    """Check predictions of one system.

    Parameters
    ----------
    batch
        As `codec.decode` returns it.
    system_name, spec
        The system that all rows must be of, and what was declared for it.
    versions
        The versions that are known; empty means that any is taken.
    now
        The present instant; event times past it by more than `FUTURE` are refused.
    """
    return _Check(batch, system_name, spec, versions, now, Kind.PREDICTIONS).run()


def check_labels(
    batch: pa.RecordBatch,
    system_name: str,
    spec: AISystem,
    versions: Collection[str],
    now: datetime,
) -> Checked:
    """Check labels of one system; parameters as for `check_predictions`."""
    return _Check(batch, system_name, spec, versions, now, Kind.LABELS).run()


class _Check:
    """One run over one batch. The order of the steps is the order of the reasons."""

    def __init__(
        self,
        batch: pa.RecordBatch,
        system_name: str,
        spec: AISystem,
        versions: Collection[str],
        now: datetime,
        kind: Kind,
    ) -> None:
        self._batch = batch
        self._system = system_name
        self._spec = spec
        self._versions = versions
        self._now = now
        self._kind = kind
        self._refusals = Refusals(batch.num_rows)
        self._columns = dict(zip(batch.schema.names, batch.columns, strict=True))
        self._explained = set(spec.features).union(*(v.features for v in spec.versions.values()))

    def run(self) -> Checked:
        for name in REQUIRED[self._kind]:
            self._present(name)
        if all(name in self._columns for name in REQUIRED[self._kind]):
            self._check_identity()
            self._check_times()
            self._check_columns()
        checked = pa.RecordBatch.from_pydict(self._columns)
        kept = self._refusals.kept
        if kept is not None:
            checked = checked.filter(kept)
        return Checked(checked, self._refusals.rejects)

    def _present(self, name: str) -> None:
        column = self._columns.get(name)
        if column is None:
            column = pa.nulls(self._batch.num_rows)
        if column.null_count:
            self._refuse(column.is_null(), RejectCode.MISSING_FIELD, lambda _: f"{name} is missing")
        if pa.types.is_string(column.type):
            empty = pc.equal(column, "")
            self._refuse(empty, RejectCode.MISSING_FIELD, lambda _: f"{name} is empty")

    def _refuse(self, bad: pa.Array, code: RejectCode, detail: Callable[[int], str]) -> None:
        if bad.true_count:
            self._refusals.add(as_mask(bad), code, detail)

    def _check_identity(self) -> None:
        system = self._columns["system"]
        self._refuse(
            pc.not_equal(system, self._system),
            RejectCode.UNKNOWN_SYSTEM,
            lambda row: (
                f"system is {_shown(system[row])} in a batch of {self._system!r}; "
                "send one system per batch"
            ),
        )
        version = self._columns.get("version")
        if version is None or not self._versions or set(self._said) <= set(self._versions):
            return
        known = pa.array(sorted(self._versions), pa.string())
        unknown = pc.and_(version.is_valid(), pc.invert(pc.is_in(version, value_set=known)))
        self._refuse(
            unknown,
            RejectCode.UNKNOWN_VERSION,
            lambda row: (
                f"version {_shown(version[row])} of {self._system} is not known; "
                f"known are {', '.join(known.to_pylist())}"
            ),
        )

    @cached_property
    def _said(self) -> list[str]:
        """The versions that are in the batch, in the order in which they come."""
        return distinct(self._columns["version"])

    def _check_times(self) -> None:
        limit = pa.scalar(self._now + FUTURE, INSTANT)
        for name in ("time", "prediction_time"):
            column = self._columns.get(name)
            if column is None:
                continue
            self._refuse(
                pc.greater(column, limit),
                RejectCode.TIME_IN_FUTURE,
                self._late(name, column),
            )
            self._refuse(
                pc.less(column, pa.scalar(EPOCH, INSTANT)),
                RejectCode.OUT_OF_RANGE,
                lambda _, name=name: f"{name} is before 1970; send the time of the event",  # type: ignore[misc]
            )

    def _late(self, name: str, column: pa.Array) -> Callable[[int], str]:
        def detail(row: int) -> str:
            # Written by Arrow: an instant past the year 9999 is none that Python could hold.
            when = column.slice(row, 1).cast(pa.string())[0].as_py()
            return (
                f"{name} {when} is more than 5 minutes after now ({self._now.isoformat()}); "
                "check the sender's clock"
            )

        return detail

    def _check_columns(self) -> None:
        """Bring every column to its declared kind and refuse the cells that do not fit."""
        rows = self._batch.num_rows
        wanted = self._wanted()
        fitted = {}
        for name, cells in wanted.items():
            column = self._columns.get(name)
            if column is None:
                column = pa.nulls(rows)
            fitted[name] = fit_cells(name, column, cells, self._refuse)
        self._columns = fitted
        for name in REQUIRED[self._kind]:
            column = fitted[name]
            if column.null_count:  # a mixed cell may be there and hold nothing
                detail = f"{name} holds neither a number nor a text"
                self._refuse(column.is_null(), RejectCode.MISSING_FIELD, lambda _, d=detail: d)  # type: ignore[misc]

    def _wanted(self) -> dict[str, Cells]:
        """Return the columns of the checked batch and what their cells must be."""
        wanted = {name: found for name in self._columns if (found := self._cells(name)) is not None}
        for attribute in self._spec.attributes if self._kind is Kind.PREDICTIONS else ():
            wanted.setdefault(f"groups.{attribute}", Cells(text=True, longest=MAX_NAME))
        if self._kind is Kind.PREDICTIONS:
            for feature, kind in self._features().items():
                wanted[f"features.{feature}"] = (
                    Cells(numbers=True)
                    if kind is FeatureKind.NUMERIC
                    else Cells(text=True, longest=MAX_TEXT)
                )
        return wanted

    def _features(self) -> dict[str, FeatureKind]:
        """Return the features of every version that is in the batch."""
        features: dict[str, FeatureKind] = {}
        for version in self._said:
            own = self._spec.features_of(version)
            clash = next((one for one in own if features.get(one, own[one]) != own[one]), None)
            if clash is None:
                features.update(own)
            else:
                self._refuse_version(version, clash)
        return features

    def _refuse_version(self, version: str, feature: str) -> None:
        """Refuse the rows of a version whose feature is of another kind than before it."""
        self._refuse(
            pc.equal(self._columns["version"], version),
            RejectCode.WRONG_TYPE,
            lambda _: (
                f"features.{feature} is of another kind in version {version!r} than in the "
                "rows before it; send one version per batch"
            ),
        )

    def _cells(self, name: str) -> Cells | None:
        """Return what a column's cells must be; None for a column that is ignored."""
        shape = shape_of(name, self._kind)
        if shape is None or not self._is_declared(name):
            return None
        if name in ("prediction", "label"):
            return self._answer()
        if shape in (Shape.TEXT, Shape.CATEGORY):
            return Cells(text=True, longest=MAX_NAME)
        if shape is Shape.NUMBER:
            return Cells(numbers=True, share=name.partition(".")[0] in ("score", "scores"))
        return Cells()

    def _is_declared(self, name: str) -> bool:
        """Tell whether a column means something here. Features are added by `_wanted`."""
        prefix, dot, rest = name.partition(".")
        if prefix == "groups":
            return rest in self._spec.attributes
        if prefix == "explanation":
            return rest in self._explained
        return prefix != "features" and (not dot or (len(rest) <= MAX_NAME and "\0" not in rest))

    def _answer(self) -> Cells:
        if self._spec.task is Task.REGRESSION:
            return Cells(numbers=True)
        return Cells(text=True, numbers=True, longest=MAX_NAME)


def _shown(scalar: pa.Scalar) -> str:
    return repr(scalar.as_py())[: MAX_NAME + 2]


def shifted(checked: Checked, positions: Collection[int]) -> tuple[Reject, ...]:
    """Return the rejects by their place in what was sent, not in the batch."""
    places = list(positions)
    return tuple(replace(one, index=int(places[one.index])) for one in checked.rejects)
