"""Large arrays that stay, each in a mapping of its own.

What stays for long stands, in the heap, between what every flush needs and frees: memory of
the process then grows to nearly twice what is kept, and little of it goes back. A mapping costs
what it holds, and goes back to the system when the array does.
"""

from __future__ import annotations

import mmap
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

LEAST = 128 << 10
"""Smaller arrays stay in the heap: a process may have some tens of thousands of mappings."""

_Any = TypeVar("_Any", bound=np.generic)


def apart(array: NDArray[_Any]) -> NDArray[_Any]:
    """Return the array, or where it is large a copy of it in a mapping of its own.

    Parameters
    ----------
    array
        Of one dimension.
    """
    if array.nbytes < LEAST:
        return array
    room = mmap.mmap(-1, array.nbytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    own: NDArray[Any] = np.frombuffer(room, dtype=array.dtype)
    own[:] = array
    return own
