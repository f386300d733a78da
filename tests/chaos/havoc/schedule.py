"""What happens when: a list of faults that follows from a seed. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np


class Act(StrEnum):
    """What is done to the processes; faults of the ground have names of their own."""

    KILL = "kill"
    FREEZE = "freeze"
    ROLL = "roll"  # one after the other is stopped in order and replaced
    SCALE = "scale"
    FULL = "full disk"
    GROUND = "ground"


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happens.

    Parameters
    ----------
    act
        What.
    calm
        Seconds of peace before it.
    seconds
        How long it lasts, where it lasts.
    dice
        A number in [0, 1) from which the interpreter chooses the victims.
    fault
        The name of the ground's fault.
    """

    act: Act
    calm: float
    seconds: float = 0.0
    dice: float = 0.0
    fault: str = ""


_WEIGHTS = {Act.KILL: 0.7, Act.FREEZE: 0.08, Act.ROLL: 0.05, Act.SCALE: 0.1, Act.FULL: 0.07}
_LONGER_THAN_A_SESSION = (7.0, 10.0)
LONGER_THAN_ALL = 45.0
"""Seconds: past every timeout of the clients, the longest being 30 s for a delivery."""

_AWAY = ("broker stopped", "broker frozen")
_CALM = (0.4, 3.0)


def kills_only(seed: int, rounds: int) -> list[Step]:
    """Return a schedule of nothing but SIGKILL."""
    rng = np.random.default_rng([seed, 1])
    return [Step(Act.KILL, rng.uniform(*_CALM), dice=rng.random()) for _ in range(rounds)]


def mixed(
    seed: int, kills: int, faults: Sequence[str] = (), *, every: int = 7, has_disk: bool = True
) -> list[Step]:
    """Return a schedule of everything, with so many kill rounds.

    Parameters
    ----------
    faults
        What can happen to the ground: each in turn, after every `every` steps.
    has_disk
        Whether the processes write to files that a full disk would stop.
    """
    rng = np.random.default_rng([seed, 2])
    weights = {act: weight for act, weight in _WEIGHTS.items() if has_disk or act is not Act.FULL}
    acts, chances = list(weights), np.array(list(weights.values()))
    steps: list[Step] = []
    done = turn = 0
    while done < kills:
        act = acts[rng.choice(len(acts), p=chances / chances.sum())]
        lasting = _lasting(act, rng)
        steps.append(Step(act, rng.uniform(*_CALM), lasting, rng.random()))
        done += act is Act.KILL
        if faults and len(steps) % every == 0:
            fault = faults[turn % len(faults)]
            steps.append(Step(Act.GROUND, rng.uniform(*_CALM), rng.uniform(1, 6), 0.0, fault))
            turn += 1
    half = len(steps) // 2
    away = [
        Step(Act.GROUND, 0.5, LONGER_THAN_ALL, 0.0, fault) for fault in _AWAY if fault in faults
    ]
    return steps[:half] + away + steps[half:]


def _lasting(act: Act, rng: np.random.Generator) -> float:
    if act is Act.FREEZE:
        return float(rng.uniform(*_LONGER_THAN_A_SESSION))
    return float(rng.uniform(1, 4)) if act is Act.FULL else 0.0
