"""What to do with the columns of an Arrow stream, worked out once for each schema.

A sender writes the same schema in front of every batch. Which columns mean something, and
whether any must be turned into its canonical type, depends on that schema alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

import pyarrow as pa

from watchkeeper_shared.errors import MalformedRecord
from watchkeeper_shared.events.rejects import RejectCode
from watchkeeper_shared.events.rows import Kind
from watchkeeper_shared.events.shapes import fit, shape_of

_REMEMBERED = 256
_LONGEST = 1 << 16
"""Longer schemas are looked at again each time: a stranger's must not fill the memory."""


@dataclass(frozen=True, slots=True)
class Written:
    """A schema as it was written.

    Parameters
    ----------
    head
        The bytes of its message, by which it is known again.
    kind
        What the stream holds.
    schema
        What the bytes say.
    """

    head: bytes
    kind: Kind
    schema: pa.Schema = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do with each batch of one schema.

    Parameters
    ----------
    names
        The columns that mean something.
    is_canonical
        Every column means something and has its canonical type: batches are taken as they are.
    """

    names: tuple[str, ...]
    is_canonical: bool


def plan_of(written: Written) -> Plan:
    """Return the plan for a schema.

    Raises
    ------
    MalformedRecord
        A column comes twice.
    """
    return _planned(written) if len(written.head) <= _LONGEST else _plan(written)


def _plan(written: Written) -> Plan:
    schema, kind = written.schema, written.kind
    if len(set(schema.names)) < len(schema.names):
        twice = next(name for name in schema.names if schema.names.count(name) > 1)
        raise MalformedRecord(RejectCode.MALFORMED, f"column {twice} comes twice")
    names = tuple(name for name in schema.names if shape_of(name, kind) is not None)
    return Plan(names, len(names) == len(schema) and _is_canonical(schema, kind))


_planned = lru_cache(maxsize=_REMEMBERED)(_plan)


def _is_canonical(schema: pa.Schema, kind: Kind) -> bool:
    """Return whether fitting a column to its shape would change none, as empty ones show."""
    bare = pa.schema([(one.name, one.type) for one in schema])
    try:
        fitted = [_fitted(one, kind) for one in schema]
    except (MalformedRecord, pa.ArrowException):
        return False
    return fitted == schema.types and bool(schema.equals(bare, check_metadata=True))


def _fitted(one: pa.Field, kind: Kind) -> pa.DataType | None:
    shape = shape_of(one.name, kind)
    return None if shape is None else fit(one.name, pa.array([], one.type), shape).type
