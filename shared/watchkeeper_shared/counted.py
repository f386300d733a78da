"""How many of what, as people read it."""

from __future__ import annotations


def counted(count: int, one: str, many: str = "") -> str:
    """Return a count with its noun, in the singular for one.

    Parameters
    ----------
    one, many
        The noun; left out, many is `one` with an s.

    Examples
    --------
    >>> counted(1, "row"), counted(1500, "row"), counted(0, "series", "series")
    ('1 row', '1,500 rows', '0 series')
    """
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"
