"""Whether a process is alive and whether it can work: two questions, two answers.

*Alive* asks only the process itself: does every loop still turn? If not, a restart helps.
*Ready* asks what the work needs: the database, the log. A restart would not bring them
back, so their absence must never make a process look dead.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from watchkeeper_shared.clock import Clock
from watchkeeper_shared.errors import WatchkeeperError

_OK = "ok"
_SECONDS_BETWEEN_CHECKS = 1.0


@dataclass(frozen=True, slots=True)
class Report:
    """An answer with its reasons: `checks` is `ok` or what is wrong, by name."""

    checks: Mapping[str, str]

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return all(answer == _OK for answer in self.checks.values())


@dataclass(slots=True)
class _Loop:
    max_age: float
    beat_at: float


class Health:
    """What a process says about itself. Safe to use from several threads.

    Parameters
    ----------
    clock
        For the age of beats.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._loops: dict[str, _Loop] = {}
        self._checks: dict[str, Callable[[], object]] = {}
        self._lock = threading.Lock()
        self._answers: dict[str, str] = {}
        self._asked_at: float | None = None

    def loop(self, name: str, max_age: timedelta = timedelta(seconds=60)) -> Callable[[], None]:
        """Watch a loop; return what it must call on every turn.

        Parameters
        ----------
        max_age
            The longest a healthy turn takes. Past it the process counts as dead.
        """
        self._loops[name] = _Loop(max_age.total_seconds(), self._clock.monotonic())
        return partial(self._beat, name)

    def ended(self, name: str) -> None:
        """Forget a loop that ended on purpose."""
        self._loops.pop(name, None)

    def check(self, name: str, check: Callable[[], object]) -> None:
        """Add something the work needs; `check` raises one of our errors while it is away."""
        self._checks[name] = check

    def liveness(self) -> Report:
        """Return whether every loop turned lately."""
        now = self._clock.monotonic()
        return Report({name: _age(loop, now) for name, loop in list(self._loops.items())})

    def readiness(self) -> Report:
        """Return whether the process is alive and has what it needs; asks once a second."""
        with self._lock:
            now = self._clock.monotonic()
            if self._asked_at is None or now - self._asked_at >= _SECONDS_BETWEEN_CHECKS:
                self._answers = {name: _answer(check) for name, check in self._checks.items()}
                self._asked_at = self._clock.monotonic()
            return Report({**self.liveness().checks, **self._answers})

    def _beat(self, name: str) -> None:
        loop = self._loops.get(name)
        if loop is not None:
            loop.beat_at = self._clock.monotonic()


def _age(loop: _Loop, now: float) -> str:
    age = now - loop.beat_at
    return _OK if age <= loop.max_age else f"no turn for {age:.0f} s, at most {loop.max_age:.0f} s"


def _answer(check: Callable[[], object]) -> str:
    try:
        check()
    except WatchkeeperError as error:
        return f"{type(error).__name__}: {error}"
    return _OK
