"""An estimate may open a breach; only labels end it.

Estimates are blind to a change of what makes a label positive, so a good one is no proof. A
window counts towards the end of an estimated breach only if the realised number of that very
window is inside the rule's limits too: when labels come, the window is amended and judged
again. Without labels the breach stays open until people decide. An estimate never touches a
breach of the realised metric, which is a series of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from watchkeeper_monitor.rule.decision import is_calm
from watchkeeper_monitor.rule.judgements import Series
from watchkeeper_monitor.rule.stretches import Point
from watchkeeper_shared.specs import Rule
from watchkeeper_shared.states import State

PREFIX = "estimated_"

_OF_GROUPS = {
    "accuracy": "group_accuracy",
    "precision": "group_precision",
    "recall": "true_positive_rate",
}

Subject = tuple[str, str]
"""A realised metric and its segment."""
Said = Mapping[datetime, Sequence[tuple[State, float | None]]]
"""What was judged of a realised metric, by window."""


def realised(metric: str, segment: str) -> Subject | None:
    """Return what confirms a metric; None for one that is no estimate.

    Examples
    --------
    >>> realised("estimated_recall", "SEX=2")
    ('true_positive_rate', 'SEX=2')
    >>> realised("recall", "") is None
    True
    """
    if not metric.startswith(PREFIX):
        return None
    name = metric.removeprefix(PREFIX)
    return (_OF_GROUPS.get(name, name) if segment else name), segment


def confirmed(
    series: Series, points: Sequence[Point], rule: Rule, said: Mapping[Subject, Said]
) -> list[Point]:
    """Return the points of a series, those of an estimate marked where no label agrees."""
    subject = realised(series.metric, series.segment)
    if subject is None:
        return list(points)
    by_window = said.get(subject, {})
    return [
        msgspec.structs.replace(point, confirmed=_agrees(by_window.get(point.window, ()), rule))
        for point in points
    ]


def _agrees(said: Sequence[tuple[State, float | None]], rule: Rule) -> bool:
    return bool(said) and all(is_calm(state, value, rule) for state, value in said)
