"""Small bodies wait a moment for company: all that are here then are decided on together."""

from __future__ import annotations

import asyncio

from watchkeeper_ingest.acceptance import Accepted
from watchkeeper_ingest.deciding import Body, Decider

_AT_ONCE = 64
"""So many bodies hold the event loop for some milliseconds; others go next."""


class Company:
    """Gathers what comes within one turn of the event loop. Used on that loop only.

    The moment costs an idle process nothing, and grows by itself with the load: the longer
    a turn takes, the more requests are here after it.

    Parameters
    ----------
    decider
        What decides.
    """

    def __init__(self, decider: Decider) -> None:
        self._decider = decider
        self._waiting: list[tuple[Body, asyncio.Future[Accepted]]] = []

    async def decide(self, body: Body) -> Accepted:
        """Return what was decided on a body; raises as `Decider.decide`."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Accepted] = loop.create_future()
        if not self._waiting:
            loop.call_soon(self._decide)
        self._waiting.append((body, answer))
        return await answer

    def _decide(self) -> None:
        now, self._waiting = self._waiting[:_AT_ONCE], self._waiting[_AT_ONCE:]
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._decide)
        decided = self._decider.decide_all([body for body, _ in now])
        for (_, answer), outcome in zip(now, decided, strict=True):
            if answer.cancelled():
                continue
            if isinstance(outcome, Exception):
                answer.set_exception(outcome)
            else:
                answer.set_result(outcome)
