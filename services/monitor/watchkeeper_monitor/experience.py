"""What earlier windows taught about the dispersion of each series, at each scale.

Only windows in control teach: what lies in a block that breached, at any scale, is left out
when the question is asked, not when the window was stored. So an amendment that raises or
withdraws a breach changes what was learnt from it too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

from watchkeeper_monitor.dispersion import Dispersion, Sight, learnt
from watchkeeper_monitor.scales import POOLED
from watchkeeper_monitor.windows import Span

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
    size
        Length of a window.
    recall
        Gives the sights of blocks of one scale, all before the window that is judged.
    broken
        Gives the blocks that breached and whose last window starts in a span.
    """

    def __init__(
        self,
        size: timedelta,
        recall: Callable[[int], Sights],
        broken: Callable[[datetime, datetime], Broken],
    ) -> None:
        self._size = size
        self._recall = recall
        self._broken = broken
        self._recalled: dict[int, tuple[Sights, Broken]] = {}

    def dispersion(self, key: Key, scale: int) -> Dispersion:
        """Return the factor of a series; a scale that is not learnt takes the next smaller."""
        smaller = self.dispersion(key, scale // 2) if scale > 1 else None
        return learnt(self._in_control(key, scale), smaller)

    def _in_control(self, key: Key, scale: int) -> dict[datetime, Sight]:
        if scale not in self._recalled:
            self._recalled[scale] = self._at(scale)
        sights, breaches = self._recalled[scale]
        broken, length = breaches.get(key, ()), scale * self._size
        return {
            start: seen[key]
            for start, seen in sights.items()
            if key in seen
            and not any(span.start < start + length and start < span.end for span in broken)
        }

    def _at(self, scale: int) -> tuple[Sights, Broken]:
        sights = self._recall(scale)
        if not sights:
            return sights, {}
        # A block twice the longest scale after the last sight cannot reach back to it.
        reach = 2 * POOLED[-1] * self._size
        return sights, self._broken(min(sights), max(sights) + reach)
