"""The approved baseline of one system version: its grid, its profile, a sample of its rows."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from watchkeeper_monitor.grids import Grid
from watchkeeper_monitor.grids.columns import (
    Columns,
    class_scores_of,
    encode,
    groups_of,
    prediction_of,
)
from watchkeeper_monitor.profiles import Labelled, Profile
from watchkeeper_monitor.profiles.segments import rows_of
from watchkeeper_monitor.sampling.priorities import bottom
from watchkeeper_shared.counted import counted
from watchkeeper_shared.errors import InvalidObject, MalformedRecord
from watchkeeper_shared.events.batches import ANSWERS
from watchkeeper_shared.events.validation import MAX_NAME
from watchkeeper_shared.specs import AISystem

MOST_ROWS = 5_000_000
"""A reference is built in memory; more rows than this add nothing that could be measured."""
SAMPLE_ROWS = 5_000
_CHUNK = 65_536
_MAGIC = b"WKREF1\n"


class _Head(msgspec.Struct, frozen=True):
    system: str
    version: str
    grid: int  # length in bytes
    profile: int
    sample: int


@dataclass(frozen=True)
class Reference:
    """What a window is compared with.

    Parameters
    ----------
    grid, profile
        The cells, and the reference rows counted in them; with labels where there were any.
    sample
        At most 5,000 rows, bottom-k by the hash of the id, for the evidence report.
    system, version
        Whose reference this is.
    """

    grid: Grid
    profile: Profile
    sample: pa.RecordBatch
    system: str
    version: str

    @classmethod
    def build(
        cls,
        batches: Iterable[pa.RecordBatch],
        spec: AISystem,
        system: str,
        version: str,
    ) -> Reference:
        """Build a reference from canonical batches; a `label` column is counted too.

        Raises
        ------
        InvalidObject
            There is no row, there are more than 5 million, or a text cannot be held.
        """
        table = _table(batches, f"reference of {system} version {version}")
        _check_scores(table, f"reference of {system} version {version}")
        _check_texts(table, f"reference of {system} version {version}")
        grid = Grid.build(table, spec, version)
        profile = Profile.empty(grid)
        for batch in table.to_batches(max_chunksize=_CHUNK):
            add_rows(profile, batch)
        whole = table.combine_chunks().to_batches()
        return cls(grid, profile, bottom(whole[0], SAMPLE_ROWS), system, version)

    @cached_property
    def id(self) -> str:
        """SHA-256 of the artifact, in hexadecimal."""
        return hashlib.sha256(self.to_bytes()).hexdigest()

    @cached_property
    def _slices(self) -> dict[str, Profile]:
        return {}

    @cached_property
    def _sliced(self) -> dict[tuple[str, ...], Profile]:
        return {(): self.profile}

    def sliced(self, segments: Iterable[str]) -> Profile:
        """Return the reference's profile together with those of slices of its rows.

        Slices are of the policy, which comes after the reference: they are counted from the
        sample, and tests allow for how few rows that leaves.
        """
        wanted = tuple(segments)
        if wanted not in self._sliced:
            slices = {name: self._slice(name) for name in wanted}
            self._sliced[wanted] = replace(self.profile, slices=slices)
        return self._sliced[wanted]

    def _slice(self, name: str) -> Profile:
        if name not in self._slices:
            rows = rows_of(name, self.grid, groups_of(self.sample, self.grid))
            self._slices[name] = Profile.empty(self.grid)
            add_rows(self._slices[name], self.sample.filter(pa.array(rows)))
        return self._slices[name]

    def to_bytes(self) -> bytes:
        """Return the artifact: no time and no machine in it, so equal rows give equal bytes."""
        grid, profile, sample = self.grid.to_bytes(), self.profile.to_bytes(), _ipc(self.sample)
        head = _Head(self.system, self.version, len(grid), len(profile), len(sample))
        return b"".join((_MAGIC, msgspec.json.encode(head), b"\n", grid, profile, sample))

    @classmethod
    def from_bytes(cls, data: bytes) -> Reference:
        """Read what `to_bytes` wrote.

        Raises
        ------
        MalformedRecord
            The bytes are no reference, or not all of one.
        """
        newline = data.find(b"\n", len(_MAGIC))
        if not data.startswith(_MAGIC) or newline < 0:
            raise MalformedRecord("malformed", "these bytes are no reference artifact")
        # Most of an artifact is its sample, a megabyte and more: it is looked at, not copied.
        body = memoryview(data)[newline + 1 :]
        try:
            head = msgspec.json.decode(data[len(_MAGIC) : newline], type=_Head)
            ends = head.grid, head.grid + head.profile, head.grid + head.profile + head.sample
            if len(body) != ends[-1]:
                raise MalformedRecord(
                    "malformed", f"a reference of {ends[-1]} bytes came as {len(body)}"
                )
            grid = Grid.from_bytes(bytes(body[: ends[0]]))
            profile = Profile.from_bytes(grid, bytes(body[ends[0] : ends[1]]))
            sample = _from_ipc(body[ends[1] :])
        except (msgspec.DecodeError, pa.ArrowInvalid) as error:
            raise MalformedRecord("malformed", f"a broken reference: {error}") from error
        return cls(grid, profile, sample, head.system, head.version)


def add_rows(profile: Profile, batch: pa.RecordBatch) -> None:
    """Add a batch of predictions and, where it has a `label` column, their labels."""
    columns = encode(batch, profile.grid)
    profile.add_predictions(columns)
    if "label" in batch.schema.names:
        profile.add_labels(labelled_of(batch, profile.grid, columns))


def labelled_of(batch: pa.RecordBatch, grid: Grid, columns: Columns | None = None) -> Labelled:
    """Return the labelled rows of a batch with the columns `prediction`, `label` and so on.

    Parameters
    ----------
    columns
        The batch as `encode` returns it, where that is known.
    """
    columns = encode(batch, grid) if columns is None else columns
    rows = Labelled(
        prediction=columns.prediction,
        label=prediction_of(batch, grid, "label"),
        score=columns.score,
        groups=columns.groups,
        class_scores=class_scores_of(batch, grid) if grid.positive < 0 else None,
    )
    label = batch.column("label")
    return rows.take(np.asarray(label.is_valid())) if label.null_count else rows


def _check_scores(table: Any, what: str) -> None:
    """Refuse scores that are no probabilities: every limit would be set on nonsense."""
    if "score" not in table.schema.names:
        return
    column = table.column("score")
    if not (pa.types.is_floating(column.type) or pa.types.is_integer(column.type)):
        return
    wrong = pc.or_(pc.less(column, 0), pc.greater(column, 1))
    first = pc.index(wrong, True).as_py()
    if first >= 0:
        scores = counted(pc.sum(wrong).as_py(), "score is", "scores are")
        raise InvalidObject(
            f"{what}: {scores} outside 0 to 1, the first is "
            f"{column[first].as_py():g} in row {first + 1}; send the probability of the positive "
            "class, or leave the column `score` out"
        )


def _check_texts(table: Any, what: str) -> None:
    """Refuse names that no measurement could hold: judging would end over them."""
    for name in table.schema.names:
        column = table.column(name)
        if not pa.types.is_string(column.type):
            continue
        if pc.any(pc.match_substring(column, "\0")).as_py():
            raise InvalidObject(f"{what}: {name} holds the character NUL; remove it")
        is_named = name in ANSWERS or name.startswith("groups.")
        if is_named and (pc.max(pc.utf8_length(column)).as_py() or 0) > MAX_NAME:
            raise InvalidObject(f"{what}: {name} has texts of more than {MAX_NAME} characters")


def _table(batches: Iterable[pa.RecordBatch], what: str) -> Any:
    kept: list[pa.RecordBatch] = []
    rows = 0
    for batch in batches:
        kept.append(batch)
        rows += batch.num_rows
        if rows > MOST_ROWS:
            raise InvalidObject(f"{what}: more than {MOST_ROWS:,} rows; send a sample of them")
    if not rows:
        raise InvalidObject(f"{what}: there is no row")
    return pa.Table.from_batches(kept)


def _ipc(batch: pa.RecordBatch) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return bytes(sink.getvalue().to_pybytes())


def _from_ipc(data: memoryview) -> pa.RecordBatch:
    with pa.ipc.open_stream(pa.py_buffer(data)) as reader:
        return reader.read_next_batch()
