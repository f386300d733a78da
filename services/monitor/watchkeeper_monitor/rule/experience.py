"""What earlier windows taught about the dispersion of each series, at each scale.

Only windows in control teach. What lies in a block that breached, at any scale, is left out
when the question is asked, not when the window was stored: an amendment that raises or
withdraws a breach changes what was learnt from it too. And but for the first 30 windows after
a reference, nothing teaches before it is 128 windows old: what the pools can find in it, they
have found by then. Otherwise a small drift would teach itself normal while they look for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from watchkeeper_monitor.rule.dispersion import ASSUMED, FEWEST, Dispersion, Sight, learnt
from watchkeeper_monitor.windows.scales import POOLED
from watchkeeper_monitor.windows.spans import Span

PROVEN = 2 * POOLED[-1]
"""Within so many windows a pool of every scale lies wholly after a change."""

Key = tuple[str, str, str]
"""Metric, column and segment."""
Sights = Mapping[datetime, Mapping[Key, Sight]]
"""By the start of the block."""
Broken = Mapping[Key, Sequence[Span]]
"""Blocks that breached by themselves."""


class Experience:
    """Answers how dispersed a series is. Reads nothing until it is asked.

    Parameters
    ----------
    window
        The window that is judged.
    recall
        Gives the sights of blocks of one scale that ended before it did.
    broken
        Gives the blocks that breached and whose last window starts in a span.
    """

    def __init__(
        self,
        window: Span,
        recall: Callable[[int], Sights],
        broken: Callable[[datetime, datetime], Broken],
    ) -> None:
        self._size = window.end - window.start
        self._proven = window.end - PROVEN * self._size
        self._recall = recall
        self._broken = broken
        self._recalled: dict[int, tuple[Sights, Broken]] = {}

    def dispersion(self, key: Key, scale: int, until_then: float = ASSUMED) -> Dispersion:
        """Return the factor of a series; a scale that is not learnt takes the next smaller."""
        smaller = self.dispersion(key, scale // 2, until_then) if scale > 1 else None
        return learnt(self._in_control(key, scale), smaller, until_then)

    def _in_control(self, key: Key, scale: int) -> dict[datetime, Sight]:
        if scale not in self._recalled:
            self._recalled[scale] = self._at(scale)
        sights, breaches = self._recalled[scale]
        broken, length = breaches.get(key, ()), scale * self._size
        calm = [
            start
            for start in sorted(sights)
            if key in sights[start]
            and not any(span.start < start + length and start < span.end for span in broken)
        ]
        at_once = FEWEST if scale == 1 else 0
        return {
            start: sights[start][key]
            for place, start in enumerate(calm)
            if place < at_once or start + length <= self._proven
        }

    def _at(self, scale: int) -> tuple[Sights, Broken]:
        sights = self._recall(scale)
        if not sights:
            return sights, {}
        # A block that ends so long after the last sight cannot reach back to it.
        return sights, self._broken(min(sights), max(sights) + PROVEN * self._size)
