"""The loops of a service: a thread for each, its turns watched, all of them ended together."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Protocol

from watchkeeper_shared.observability.health import Health

Loop = Callable[[threading.Event, Callable[[], None]], None]
"""Works until the event is set, and calls the other on every turn."""


class Loops:
    """Turns every loop in a thread of its own.

    Parameters
    ----------
    loops
        What turns, by name.
    health
        Watches the turns.
    turn
        The longest that a healthy turn takes.
    """

    def __init__(self, loops: Mapping[str, Loop], health: Health, turn: timedelta) -> None:
        self._loops = loops
        self._health = health
        self._turn = turn
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self.failure: BaseException | None = None

    def start(self, on_failure: Callable[[], None] = lambda: None) -> None:
        """Begin to turn.

        Parameters
        ----------
        on_failure
            Called when a loop ended by a bug; `failure` then holds it, and the others end too.
        """
        for name, loop in self._loops.items():
            beat = self._health.loop(name, self._turn)
            thread = threading.Thread(
                target=self._guarded, args=(loop, beat, on_failure), name=name, daemon=True
            )
            self._threads.append(thread)
            thread.start()

    def stop(self) -> None:
        """Ask every loop to end, and wait for it. Idempotent."""
        self._stop.set()
        for thread in self._threads:
            thread.join()
            self._health.ended(thread.name)
        self._threads.clear()

    def _guarded(
        self, loop: Loop, beat: Callable[[], None], on_failure: Callable[[], None]
    ) -> None:
        try:
            loop(self._stop, beat)
        except BaseException as error:
            self.failure = error
            self._stop.set()
            on_failure()
            raise


class Service(Protocol):
    """What turns in the background of a process."""

    @property
    def failure(self) -> BaseException | None:
        """The bug that ended it, if one did."""
        ...

    def start(self, on_failure: Callable[[], None]) -> None:
        """Begin to turn; call `on_failure` when a bug ended it."""
        ...

    def stop(self) -> None:
        """Finish what is in flight and end."""
        ...


@contextmanager
def turning(service: Service, stop: threading.Event) -> Iterator[None]:
    """Let a service turn while the block runs; a bug in it sets `stop` and is raised at the end."""
    try:
        service.start(stop.set)
        yield
    finally:
        service.stop()
    if service.failure is not None:
        raise service.failure
