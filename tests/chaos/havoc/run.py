"""A run: start everything, let the schedule happen, wait until all is at rest, look."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from havoc import publisher
from havoc.fleet import Fleet, Member
from havoc.ground import Ground
from havoc.outcome import Outcome, outcome_of
from havoc.rest import Rest
from havoc.schedule import Act, Step
from havoc.story import SECRET_VARIABLE, Plan, declare
from watchkeeper.demo.receiver import Received, Receiver, new_secret
from watchkeeper_shared.clock import SystemClock
from watchkeeper_shared.db.engine import open_engine
from watchkeeper_shared.db.unit_of_work import Database
from watchkeeper_shared.eventlog.opening import create_topics, open_log
from watchkeeper_shared.settings import LogSettings, read

_SECRET = new_secret(bytes(range(32)))
_MOST_WORKERS = 4
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Result:
    """What a run left behind.

    Parameters
    ----------
    outcome
        The state at the end.
    counts
        What was done to the processes.
    faults
        Ends that nobody asked for.
    seconds
        From the first message until all was at rest.
    """

    outcome: Outcome
    counts: dict[str, int]
    faults: list[str]
    seconds: float


def run(
    plan: Plan,
    ground: Ground,
    folder: Path,
    steps: Sequence[Step] = (),
    *,
    workers: int = 2,
    patience: float = 150,
    say: Say = lambda _: None,
) -> Result:
    """Let the schedule happen to real processes, and return what is left.

    Parameters
    ----------
    folder
        For what the processes say.
    workers
        How many monitors there are at first.
    patience
        How many seconds the rest may take after the last fault.

    Raises
    ------
    TimeoutError
        Not everything was read, judged and told in that time; the message says what is missing.
    """
    clock, told = SystemClock(), list[Received]()
    with closing(Database(open_engine(ground.url))) as database:
        with Receiver(_SECRET, told.append) as receiver:
            _prepare(plan, ground, database, receiver.url)
            fleet = Fleet(folder, {**ground.env, SECRET_VARIABLE: _SECRET})
            began = clock.monotonic()
            try:
                _set_out(fleet, plan, steps, workers)
                for step in steps:
                    _happen(step, fleet, ground, say)
                Rest(ground, database, fleet, plan).wait(patience)
                taken = clock.monotonic() - began
                _bring_home(fleet)
            finally:
                fleet.end()
        found = outcome_of(plan, ground, database, told)
    return Result(found, dict(fleet.counts), fleet.faults, taken)


def _prepare(plan: Plan, ground: Ground, database: Database, receiver: str) -> None:
    settings = read(LogSettings, ground.env)
    with closing(open_log(settings.kafka_bootstrap, settings.log_path, SystemClock())) as log:
        create_topics(log, plan.partitions)
    declare(database, receiver)


def _set_out(fleet: Fleet, plan: Plan, steps: Sequence[Step], workers: int) -> None:
    fleet.start("alerting")
    for _ in range(workers):
        fleet.start("monitor")
    lasting = sum(step.calm + step.seconds for step in steps)
    fleet.start("publisher", publisher.words(fleet.folder / "note", lasting, plan))


def _bring_home(fleet: Fleet) -> None:
    for member in list(fleet.members):
        if member.role != "publisher":
            fleet.stop(member)


def _happen(step: Step, fleet: Fleet, ground: Ground, say: Say) -> None:
    Event().wait(step.calm)
    fleet.look_after()
    say(f"{step.act} {step.fault} {step.seconds:.1f}")
    monitors, everybody = fleet.of("monitor"), [one for one in fleet.members if one.runs]
    match step.act:
        case Act.KILL:
            fleet.kill(_victims(everybody, step.dice))
        case Act.FREEZE:
            fleet.freeze(_victims(monitors, step.dice), step.seconds)
        case Act.ROLL:
            fleet.roll([*monitors, *fleet.of("alerting")])
        case Act.SCALE:
            _scale(fleet, monitors, 1 + int(step.dice * _MOST_WORKERS))
        case Act.FULL:
            fleet.fill_disk(_victims(everybody, step.dice), step.seconds)
        case _:
            fleet.counts[step.fault] += 1
            ground.faults[step.fault](step.seconds)


def _victims(members: Sequence[Member], dice: float) -> list[Member]:
    """Choose by one number: mostly one, sometimes two, now and then all of them."""
    if dice > 0.95:
        return list(members)
    count = 2 if dice > 0.75 else 1
    first = int(dice * 7919) % len(members)
    return [members[(first + nth) % len(members)] for nth in range(min(count, len(members)))]


def _scale(fleet: Fleet, monitors: Sequence[Member], count: int) -> None:
    for _ in range(count - len(monitors)):
        fleet.start("monitor")
    for one in monitors[count:]:
        fleet.stop(one)


def tell(line: str) -> None:
    """Print a line of progress."""
    sys.stderr.write(f"  {line}\n")
