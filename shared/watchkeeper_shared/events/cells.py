"""What the cells of one column must be, and what happens to those that are not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from watchkeeper_shared.events.classes import as_classes
from watchkeeper_shared.events.rejects import RejectCode
from watchkeeper_shared.events.shapes import MIXED

_SHOWN = 60

Refuse = Callable[[pa.Array, RejectCode, Callable[[int], str]], None]
"""Takes the flags of the bad rows, the code, and the detail of one row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cells:
    """What one column may hold.

    Parameters
    ----------
    numbers, text
        Only numbers; only text, into which numbers are turned; both, each as it came;
        neither: the column is passed on as it is.
    share
        Numbers must lie between 0 and 1.
    longest
        The longest text in characters; 0 is no limit.
    """

    numbers: bool = False
    text: bool = False
    share: bool = False
    longest: int = 0


def fit_cells(name: str, column: pa.Array, cells: Cells, refuse: Refuse) -> pa.Array:
    """Return the column in its declared kind; refuse the rows whose cell does not fit.

    A null fits everywhere: a missing value is a signal about data quality, not an error.
    """
    if pa.types.is_null(column.type):
        return column.cast(pa.float64() if cells.numbers and not cells.text else pa.string())
    if cells.numbers or cells.text:
        _refuse_not_finite(name, column, refuse)
    if cells.numbers and not cells.text:
        column = _numbers(name, column, refuse)
        if cells.share:
            _refuse_no_share(name, column, refuse)
        return column
    if cells.text and (not cells.numbers or column.type == MIXED):
        column = as_classes(column)
    if cells.longest and pa.types.is_string(column.type):
        _refuse_long(name, column, cells.longest, refuse)
        _refuse_nul(name, column, refuse)
    return column


def _refuse_not_finite(name: str, column: pa.Array, refuse: Refuse) -> None:
    numbers = column.field("number") if column.type == MIXED else column
    if pa.types.is_floating(numbers.type) and not _all_finite(numbers):
        refuse(
            pc.invert(pc.is_finite(numbers)),
            RejectCode.NOT_FINITE,
            lambda row: f"{name} is {numbers[row]}; send a finite number, or null if it is missing",
        )


def _all_finite(numbers: pa.Array) -> bool:
    """Tell in one cheap look that there is nothing to refuse; nulls need the long one."""
    return not numbers.null_count and bool(np.isfinite(numbers.to_numpy()).all())


def _numbers(name: str, column: pa.Array, refuse: Refuse) -> pa.Array:
    """Return floats; a text among them is refused, also one that looks like a number."""
    if column.type == MIXED:
        numbers, _, texts = column.flatten()
    elif pa.types.is_string(column.type):
        numbers, texts = pa.nulls(len(column), pa.float64()), column
    else:
        # One type whatever the sender's: what is whole in one batch need not be in the next.
        return column.cast(pa.float64(), safe=False)
    refuse(
        texts.is_valid(),
        RejectCode.WRONG_TYPE,
        lambda row: (
            f"{name} is a text ({texts[row].as_py()[:_SHOWN]!r}); it is numeric: send a number"
        ),
    )
    return numbers


def _refuse_no_share(name: str, column: pa.Array, refuse: Refuse) -> None:
    refuse(
        pc.or_(pc.less(column, 0), pc.greater(column, 1)),
        RejectCode.OUT_OF_RANGE,
        lambda row: f"{name} is {column[row]}; it is a probability: send 0 to 1",
    )


def _ends(column: pa.Array) -> npt.NDArray[np.int32]:
    return np.frombuffer(column.buffers()[1], np.int32, len(column) + 1, 4 * column.offset)


def _longest_in_bytes(column: pa.Array) -> int:
    return int(np.diff(_ends(column)).max(initial=0))


def _refuse_long(name: str, column: pa.Array, longest: int, refuse: Refuse) -> None:
    if column.nbytes <= longest or _longest_in_bytes(column) <= longest:
        return  # a character has at least one byte
    lengths = pc.utf8_length(column)
    refuse(
        pc.greater(lengths, longest),
        RejectCode.TOO_LONG,
        lambda row: f"{name} has {lengths[row]} characters; at most {longest} are kept",
    )


def _refuse_nul(name: str, column: pa.Array, refuse: Refuse) -> None:
    """Refuse what PostgreSQL cannot hold: stored later, it would stop whoever stores it."""
    letters = column.buffers()[2]
    if not len(column) or letters is None:
        return
    ends = _ends(column)
    if np.frombuffer(letters, np.uint8)[ends[0] : ends[-1]].min(initial=1):
        return
    refuse(
        pc.match_substring(column, "\0"),
        RejectCode.MALFORMED,
        lambda _: f"{name} holds the character NUL; send text without it",
    )
