"""The profile: constant-size, mergeable, never a raw row."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import accumulate, pairwise

import numpy as np
import numpy.typing as npt

from watchkeeper_monitor.grids import Grid
from watchkeeper_monitor.grids.columns import Columns
from watchkeeper_monitor.profiles import labelling
from watchkeeper_monitor.profiles.boundless import total
from watchkeeper_monitor.profiles.counting import add_coded, add_numeric
from watchkeeper_monitor.profiles.exact import Quantity, carry
from watchkeeper_monitor.profiles.expecting import add_expected
from watchkeeper_monitor.profiles.holding import mark_held
from watchkeeper_monitor.profiles.labelling import Labelled
from watchkeeper_monitor.profiles.layout import ERROR_SUMS, Layout, layout_of
from watchkeeper_monitor.profiles.packing import pack, unpack
from watchkeeper_monitor.profiles.running import add_running
from watchkeeper_monitor.profiles.segments import rows_of
from watchkeeper_shared.errors import Conflict, MalformedRecord

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

__all__ = ["Labelled", "Profile"]

_MAGIC = b"WKP4"
_BEFORE = b"WKP3"
"""What is stored under it has neither far rows (ADR 17) nor a place for `echoed`."""
_BINARY = 2
_ID_BYTES = 8


@dataclass(slots=True, eq=False)
class Profile:
    """Counts and sums of predictions, and of the labels that reached them, on one grid.

    Merging is elementwise addition of integers (and the lesser and greater of two extremes),
    so any split of the rows, merged in any order, gives the same bytes.

    Parameters
    ----------
    grid
        The cells. Only profiles of one grid merge.
    vector
        int64, laid out by `layout_of(grid)`.
    extremes
        float64 `[2, axes + 1]`: least and greatest value seen, and in the last column the
        newest event time in microseconds since 1970; `inf` and `-inf` before the first.
        Labels never change them.
    slices
        Profiles of declared slices of the rows, by name (see `segments`).
    layout
        Where each section stands.
    """

    grid: Grid
    vector: Ints
    extremes: Floats
    slices: dict[str, Profile] = field(default_factory=dict)
    layout: Layout = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Look the layout up once: sections are read many times."""
        self.layout = layout_of(self.grid)

    @classmethod
    def empty(cls, grid: Grid, slices: Iterable[str] = ()) -> Profile:
        """Return the profile of no rows, that will count these slices too."""
        extremes = np.empty((2, len(grid.axes) + 1))
        extremes[0], extremes[1] = np.inf, -np.inf
        vector = np.zeros(layout_of(grid).size, dtype=np.int64)
        return cls(grid, vector, extremes, {name: cls.empty(grid) for name in slices})

    def section(self, name: str) -> Ints:
        """Return one section as a view (see `profiles.layout` for names and shapes)."""
        return self.layout.view(self.vector, name)

    def sums(self, name: str, quantity: Quantity) -> Floats:
        """Return the two-limb sums of a section as numbers."""
        return quantity.total(self.section(name))

    def error_sum(self, name: str, quantity: Quantity) -> Fraction:
        """Return one of `ERROR_SUMS` of near and far rows together, exactly."""
        far = self.section("far_sums")[ERROR_SUMS.index(name)]
        return quantity.exact(self.section(name)) + total(far)

    @property
    def rows(self) -> int:
        """How many predictions were added."""
        return int(self.section("rows")[0])

    @property
    def labelled(self) -> int:
        """How many labels were added; those of `echoed` are of no row."""
        return int(self.section("labelled")[0])

    @property
    def echoed(self) -> int:
        """How many of the labels told themselves of predictions that did not come."""
        return int(self.section("echoed")[0])

    def cells(self, row: int) -> Ints:
        """Return the cell counts of axis number `row`."""
        starts = self.layout.cell_starts
        return self.section("cells")[starts[row] : starts[row + 1]]

    def categories(self, row: int) -> Ints:
        """Return the code counts of categorical feature number `row`."""
        starts = self.layout.category_starts
        return self.section("categories")[starts[row] : starts[row + 1]]

    def groups(self, row: int) -> slice:
        """Return where the groups of attribute number `row` stand in the group sections."""
        starts = self.layout.group_starts
        return slice(int(starts[row]), int(starts[row + 1]))

    def add_predictions(self, columns: Columns) -> None:
        """Add a batch of predictions."""
        if not columns.n:
            return
        at = self.layout
        at.view(self.vector, "rows")[0] += columns.n
        score_cells = add_numeric(self.vector, self.extremes, columns, self.grid, at)
        add_coded(self.vector, columns, self.grid, at)
        add_running(self.vector, columns, at)
        if columns.times is not None:
            self.extremes[1, -1] = max(self.extremes[1, -1], float(columns.times.max()))
        for name, part in self.slices.items():
            part.add_predictions(columns.take(rows_of(name, self.grid, columns.groups)))
        add_expected(self.vector, columns, score_cells, self.grid, at)

    @property
    def newest(self) -> float | None:
        """The newest event time in seconds since 1970; None before the first."""
        newest = float(self.extremes[1, -1])
        return newest / 1e6 if np.isfinite(newest) else None

    def add_labels(self, labelled: Labelled, sign: int = 1) -> None:
        """Add labels of predictions, or with `sign=-1` take back what was added.

        A corrected label is the old one taken back and the new one added.
        """
        if sign not in (-1, 1):
            raise ValueError(f"sign must be 1 or -1, got {sign}")
        labelled = self._without_strangers(labelled, sign)
        if len(labelled.label):
            labelling.add(self.vector, labelled, sign, self.grid, self.layout)
            for name, part in self.slices.items():
                part.add_labels(labelled.take(rows_of(name, self.grid, labelled.groups)), sign)

    def _without_strangers(self, labelled: Labelled, sign: int) -> Labelled:
        """Set aside labels that are neither of the two classes: they are no wrong answers.

        Of three or more classes a new one may be real, and the model was wrong about it.
        """
        if self.grid.positive < 0 or len(self.grid.classes) != _BINARY:
            return labelled
        known = np.asarray(labelled.label < _BINARY)
        if known.all():
            return labelled
        self.section("unknown_labels")[0] += sign * int(np.count_nonzero(~known))
        return labelled.take(known)

    def merge(self, other: Profile) -> None:
        """Add another profile of the same grid.

        Raises
        ------
        Conflict
            The grids differ: there is no way to count one's cells in the other's.
        """
        if other.grid is not self.grid and other.grid.id != self.grid.id:
            raise Conflict(
                f"profiles of two grids do not merge: {self.grid.id[:12]} and {other.grid.id[:12]}"
            )
        self.vector += other.vector
        np.minimum(self.extremes[0], other.extremes[0], out=self.extremes[0])
        np.maximum(self.extremes[1], other.extremes[1], out=self.extremes[1])
        for name, part in other.slices.items():
            self.slices.setdefault(name, Profile.empty(self.grid)).merge(part)

    def to_bytes(self) -> bytes:
        """Return compact bytes; equal contents give equal bytes."""
        normal, near = self.vector.copy(), self.layout.near
        places = self.layout.sum_places
        limbs = carry(np.stack([normal[places], normal[places + 1]], axis=-1))
        normal[places], normal[places + 1] = limbs[:, 0], limbs[:, 1]
        own = self.extremes.astype("<f8").tobytes() + pack(normal[:near])
        parts = [own, *self._far_bytes(normal[near:]), *self._slice_bytes()]
        sizes = b"".join(len(part).to_bytes(4, "big") for part in parts)
        return b"".join((_head(self.grid), len(parts).to_bytes(2, "big"), sizes, *parts))

    def _far_bytes(self, far: Ints) -> list[bytes]:
        """Return what is far, of a regression alone: no bytes where nothing is."""
        if not self.grid.regression:
            return []
        return [pack(far) if far.any() else b""]

    def _slice_bytes(self) -> list[bytes]:
        """Return name and bytes of each slice that anything was counted in, in text order."""
        filled = [name for name in sorted(self.slices) if self.slices[name].vector.any()]
        return [part for name in filled for part in (name.encode(), self.slices[name].to_bytes())]

    @classmethod
    def from_bytes(cls, grid: Grid, data: bytes, slices: Collection[str] | None = None) -> Profile:
        """Read what `to_bytes` wrote.

        Parameters
        ----------
        slices
            Which slices to read; None reads them all.

        Raises
        ------
        MalformedRecord
            The bytes are no profile of this grid.
        """
        head = _head(grid)
        before = data.startswith(_BEFORE + head[len(_MAGIC) :])
        if not before and not data.startswith(head):
            raise MalformedRecord("malformed", f"these bytes are no profile of grid {grid.id[:12]}")
        try:
            own, *rest = _parts(data[len(head) :])
            width = 16 * (len(grid.axes) + 1)
            extremes = np.frombuffer(own[:width], dtype="<f8").astype(np.float64).reshape(2, -1)
            far, *rest = rest if grid.regression and not before else (b"", *rest)
            vector = _vector(layout_of(grid), own[width:], far, before=before)
            names = [name.decode() for name in rest[::2]]
        except ValueError as error:
            raise MalformedRecord("malformed", f"a broken profile: {error}") from error
        wanted = names if slices is None else slices
        found = {
            name: cls.from_bytes(grid, part)
            for name, part in zip(names, rest[1::2], strict=True)
            if name in wanted
        }
        read = cls(grid, vector, extremes, found)
        if before and grid.regression:
            mark_held(vector, extremes, grid, layout_of(grid))
        return read

    def without_labels(self) -> Profile:
        """Return a copy without what labels added."""
        bare = replace(self, vector=self.vector.copy())
        for start, end in self.layout.of_labels:
            bare.vector[start:end] = 0
        return bare


def _head(grid: Grid) -> bytes:
    return _MAGIC + bytes.fromhex(grid.id[: 2 * _ID_BYTES])


def _vector(at: Layout, near: bytes, far: bytes, *, before: bool) -> Ints:
    """Return the vector that these bytes hold; what they lack is zero."""
    vector, lacks = np.zeros(at.size, dtype=np.int64), int(before)
    stored = unpack(near, at.near - lacks)
    vector[: at.near] = np.insert(stored, at.sections["echoed"][0], 0) if before else stored
    if far:
        vector[at.near :] = unpack(far, at.size - at.near)
    return vector


def _parts(data: bytes) -> list[bytes]:
    """Split what `to_bytes` joined: the number of parts, their lengths, the parts."""
    count = int.from_bytes(data[:2], "big")
    start = 2 + 4 * count
    lengths = [int.from_bytes(data[at : at + 4], "big") for at in range(2, start, 4)]
    if not count or start + sum(lengths) != len(data):
        raise ValueError(f"{count} parts do not make {len(data)} bytes")
    ends = list(accumulate(lengths, initial=start))
    return [data[a:b] for a, b in pairwise(ends)]
