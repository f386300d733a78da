"""One published figure, and the list that a run makes of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from time import perf_counter

COMMAND = "make bench"


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value.

    Parameters
    ----------
    name
        Stable name; later runs are compared by it.
    value, unit
        What was measured.
    baseline
        What it was measured against, in the same run, with that side's own figure.
    """

    name: str
    value: float
    unit: str
    baseline: str
    command: str = COMMAND


def seconds(work: Callable[[], object], *, rounds: int) -> float:
    """Return the median wall seconds of `work` over `rounds` runs."""
    taken = []
    for _ in range(rounds):
        start = perf_counter()
        work()
        taken.append(perf_counter() - start)
    return median(taken)


def alternate(
    ours: Callable[[], object], theirs: Callable[[], object], *, rounds: int, runs: int = 1
) -> tuple[float, float]:
    """Return the median seconds of both, run in turns so that a noisy minute hits both.

    Parameters
    ----------
    runs
        How often ours runs in its turn: a few milliseconds after seconds of another's work tell
        of the caches that it left. The turn counts by its median.
    """
    mine, other = [], []
    for _ in range(rounds):
        mine.append(seconds(ours, rounds=runs))
        other.append(seconds(theirs, rounds=1))
    return median(mine), median(other)


def write(figures: Iterable[Figure], path: Path) -> None:
    """Write the figures as a JSON list."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([asdict(one) for one in figures], indent=1) + "\n", "utf-8")


def table(figures: Iterable[Figure]) -> str:
    """Return the figures as aligned lines for a terminal."""
    lines = [f"{one.name:<32} {one.value:>14,.3f}  {one.unit:<8} {one.baseline}" for one in figures]
    return "\n".join(lines)
