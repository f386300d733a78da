"""Who is judged next. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator


class Rota:
    """Each system once in a round; one whose window has closed does not wait for its place.

    A round may be left at any point and is gone on with later.
    """

    def __init__(self) -> None:
        self._left: deque[str] = deque()
        self._hurried: set[str] = set()

    @property
    def is_over(self) -> bool:
        """Whether the round is over, or none has begun."""
        return not self._left

    def turn(self, systems: Iterable[str], closed: Iterable[str]) -> Iterator[str]:
        """Yield who is next, until the round is over; who was yielded counts as looked at.

        Parameters
        ----------
        systems
            All of them, for a new round.
        closed
            Those with a window that nothing is waited for any more. Each comes first, but
            once in a round: another process may hold it, and it would stay closed here.

        Examples
        --------
        >>> rota = Rota()
        >>> next(rota.turn(["a", "b", "c"], []))
        'a'
        >>> list(rota.turn(["a", "b", "c"], ["c"]))
        ['c', 'b']
        """
        if self.is_over:
            self._left, self._hurried = deque(systems), set()
        for system in closed:
            if system not in self._hurried:
                self._hurried.add(system)
                yield system
        while self._left:
            system = self._left.popleft()
            if system not in self._hurried:
                yield system
