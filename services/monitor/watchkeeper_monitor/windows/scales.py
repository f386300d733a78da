"""Blocks of windows, twice as long from scale to scale: where small lasting shifts show.

```
window     0   1   2   3   4   5   6   7   8 …
scale 2  [  0   ] [  1   ] [  2   ] [  3   ]
scale 4  [      0        ] [      1        ]
scale 8  [              0                  ]      a block is a merge of its two halves
```

Blocks are aligned to 1970-01-01T00:00:00Z like windows, so every worker cuts them alike. They
are tumbling: a window is in one block of each scale, and all scales together ask less than
once more per window.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from watchkeeper_monitor.windows.spans import EPOCH, Span
from watchkeeper_shared.specs import WindowSpec

POOLED = (2, 4, 8, 16, 32, 64)
"""How many windows a block may hold; a shift that 64 windows do not show is left unseen."""


@dataclass(frozen=True, slots=True)
class Block:
    """So many windows side by side.

    Parameters
    ----------
    scale
        How many, a power of two.
    span
        From the start of the first to the end of the last.
    """

    scale: int
    span: Span

    @property
    def halves(self) -> tuple[Span, Span]:
        """The two stretches that it is the merge of."""
        middle = self.span.start + (self.span.end - self.span.start) / 2
        return Span(self.span.start, middle), Span(middle, self.span.end)


def blocks_ending(window: Span, spec: WindowSpec) -> tuple[Block, ...]:
    """Return the blocks of which `window` is the last, the smallest first.

    Where windows overlap, only those that start at a whole number of sizes are in blocks:
    a row must not be in a pool twice.

    Examples
    --------
    >>> from datetime import timedelta
    >>> day = timedelta(days=1)
    >>> fourth = Span(EPOCH + 3 * day, EPOCH + 4 * day)
    >>> [block.scale for block in blocks_ending(fourth, WindowSpec())]
    [2, 4]
    """
    place = _place(window, spec)
    if place is None:
        return ()
    return tuple(
        Block(scale, Span(window.end - scale * spec.size_delta, window.end))
        for scale in POOLED
        if (place + 1) % scale == 0
    )


def reach(window: Span, spec: WindowSpec) -> Span:
    """Return all that a window may speak of: itself, and the longest block that ends with it.

    Examples
    --------
    >>> from datetime import timedelta
    >>> day = timedelta(days=1)
    >>> reach(Span(EPOCH + 3 * day, EPOCH + 4 * day), WindowSpec()).start == EPOCH
    True
    """
    found = blocks_ending(window, spec)
    return found[-1].span if found else window


def ends_over(window: Span, spec: WindowSpec) -> tuple[Span, ...]:
    """Return the later windows that close a block which holds `window`, the nearest first.

    They carry what those blocks say, so they change when it changes.

    Examples
    --------
    >>> from datetime import timedelta
    >>> day = timedelta(days=1)
    >>> [end.start.day for end in ends_over(Span(EPOCH, EPOCH + day), WindowSpec())][:3]
    [2, 4, 8]
    """
    place = _place(window, spec)
    if place is None:
        return ()
    return tuple(_ends(window, spec, place))


def _ends(window: Span, spec: WindowSpec, place: int) -> Iterable[Span]:
    size, nearest = spec.size_delta, place
    for scale in POOLED:
        last = place // scale * scale + scale - 1
        if last > nearest:
            nearest = last
            ahead = (last - place) * size
            yield Span(window.start + ahead, window.end + ahead)


def is_side_by_side(window: Span, spec: WindowSpec) -> bool:
    """Return whether a window shares no row with its neighbours in blocks."""
    return _place(window, spec) is not None


def _place(window: Span, spec: WindowSpec) -> int | None:
    """Return the number of a window among those that do not overlap; None between them."""
    size = spec.size_delta
    if window.end - window.start != size:
        return None
    number, rest = divmod(window.start - EPOCH, size)
    return None if rest else number
