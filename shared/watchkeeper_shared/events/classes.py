"""Classes and categories are text: the prediction `1`, `1.0` and `"1"` are the class "1"."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc


def class_name(value: float | str) -> str:
    """Return the class that one value stands for.

    Examples
    --------
    >>> class_name(1), class_name(1.0), class_name("1"), class_name(0.5), class_name(-0.0)
    ('1', '1', '1', '0.5', '0')
    """
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def as_classes(column: pa.Array) -> pa.Array:
    """Return the classes that a column of values stands for; nulls stay null.

    Parameters
    ----------
    column
        Text, whole numbers, real numbers, or a mixed column of `shapes.MIXED`.

    Returns
    -------
    pa.StringArray

    Examples
    --------
    >>> as_classes(pa.array([1.0, None, 0.5])).to_pylist()
    ['1', None, '0.5']
    """
    if pa.types.is_string(column.type):
        return column
    if pa.types.is_struct(column.type):
        numbers, whole, texts = column.flatten()
        return pc.coalesce(texts, as_classes(whole), as_classes(numbers))
    if not pa.types.is_floating(column.type):
        return column.cast(pa.string())
    # A class comes back again and again, so only the distinct values are written in Python.
    coded = column.dictionary_encode()
    names = pa.array([class_name(value) for value in coded.dictionary.to_pylist()], pa.string())
    return names.take(coded.indices)
