"""What one policy would have told that another would not, and the other way round."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from watchkeeper_monitor.backtesting.replaying import Breach


class Change(StrEnum):
    """What becomes of a breach under the new policy."""

    GAINED = "gained"
    LOST = "lost"
    KEPT = "kept"


@dataclass(frozen=True, slots=True)
class Compared:
    """One breach of either policy; of one that both tell, as the new policy tells it."""

    change: Change
    breach: Breach


def compare(new: Sequence[Breach], in_force: Sequence[Breach]) -> list[Compared]:
    """Return every breach with what becomes of it, in the order of their openings.

    Two breaches are one if they are of the same metric, column and segment and overlap in
    time; rules may have other names and windows another size.
    """
    found = [Compared(Change.KEPT if _has(one, in_force) else Change.GAINED, one) for one in new]
    found += [Compared(Change.LOST, one) for one in in_force if not _has(one, new)]
    return sorted(found, key=lambda one: (one.breach.opened, one.breach.series, one.change))


def _has(breach: Breach, others: Iterable[Breach]) -> bool:
    return any(_is_same(breach, other) for other in others)


def _is_same(a: Breach, b: Breach) -> bool:
    """Return whether both are of the same thing and overlap."""
    of_a, of_b = a.series, b.series
    if (of_a.metric, of_a.column, of_a.segment) != (of_b.metric, of_b.column, of_b.segment):
        return False
    return _starts_in(a, b) and _starts_in(b, a)


def _starts_in(a: Breach, b: Breach) -> bool:
    """Return whether `a` opened before `b` was over."""
    return b.cleared is None or a.opened.start < b.cleared
