"""What every metric means: one entry for each public name.

`docs/metrics.md` and the decision's default minimum rows come from here.
"""

from __future__ import annotations

from dataclasses import replace

from watchkeeper_monitor.metrics.entries import (
    drift,
    estimated,
    explanation,
    fairness,
    operation,
    performance,
    quality,
)
from watchkeeper_monitor.metrics.entries.entry import Entry
from watchkeeper_shared.metric_names import Family

__all__ = ["CATALOGUE", "Entry", "Family"]

_FAMILIES = {
    Family.DRIFT: drift.ENTRIES,
    Family.DATA_QUALITY: quality.ENTRIES,
    Family.PERFORMANCE: performance.ENTRIES,
    Family.FAIRNESS: fairness.ENTRIES | estimated.FAIRNESS,
    Family.OPERATION: operation.ENTRIES,
    Family.EXPLANATION: explanation.ENTRIES,
    Family.ESTIMATED: estimated.ENTRIES,
}

CATALOGUE: dict[str, Entry] = {
    name: replace(entry, family=family)
    for family, entries in _FAMILIES.items()
    for name, entry in entries.items()
}
