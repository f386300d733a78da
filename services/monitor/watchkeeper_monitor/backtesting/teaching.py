"""What a block of the past teaches about spread, worked out for the series that are asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

from watchkeeper_monitor.metrics import Value
from watchkeeper_monitor.rule.dispersion import Sight, sight
from watchkeeper_monitor.rule.experience import Key
from watchkeeper_monitor.rule.judgements import key_of


class Taught(Mapping[Key, Sight]):
    """The sights of one block; few windows ask, and those for one series or two.

    Parameters
    ----------
    values
        What the block says.
    """

    def __init__(self, values: Sequence[Value]) -> None:
        self._values = values
        self._known: dict[Key, Sight | None] = {}

    @cached_property
    def _by_key(self) -> dict[Key, Value]:
        return {key_of(value): value for value in self._values}

    def __getitem__(self, key: Key) -> Sight:
        """Return the sight of a series."""
        if key not in self._known:
            value = self._by_key.get(key)
            self._known[key] = None if value is None else sight(value)
        found = self._known[key]
        if found is None:
            raise KeyError(key)
        return found

    def __iter__(self) -> Iterator[Key]:
        """Iterate over the series that teach."""
        return (key for key in self._by_key if key in self)

    def __len__(self) -> int:
        """Return how many series teach."""
        return sum(1 for _ in self)
