"""`make chaos`: at least a hundred kill rounds, over both logs and both databases.

    python -m havoc [SEED] [ROUNDS]

Prints one line per run and, of every run, what differed from the truth; fails if anything did.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from havoc import table
from havoc.ground import Servers, ground, servers
from havoc.outcome import Outcome
from havoc.run import Result, run, tell
from havoc.schedule import mixed
from havoc.story import Plan
from havoc.traffic import traffic
from havoc.verdict import differences


@dataclass(frozen=True, slots=True)
class Config:
    """One run.

    Parameters
    ----------
    name
        Of the log, the database, and how many monitors there are at first.
    share
        Of the kill rounds.
    """

    name: str
    workers: int
    share: float
    kafka: bool = False
    postgres: bool = False


CONFIGS = (
    Config("embedded, SQLite, 1", 1, 0.25),
    Config("embedded, SQLite, 4", 4, 0.15),
    Config("Kafka, PostgreSQL, 2", 2, 0.25, kafka=True, postgres=True),
    Config("Kafka, PostgreSQL, 4", 4, 0.25, kafka=True, postgres=True),
    Config("Kafka, SQLite, 3", 3, 0.1, kafka=True),
)


def main(seed: int, rounds: int) -> int:
    """Run every configuration; return how many differences there were."""
    summed: Counter[str] = Counter()
    sys.stdout.write(table.head() + "\n")
    for nth, config in enumerate(CONFIGS):
        plan = Plan(seed=seed + nth, hours=24)
        try:
            result = _havoc(plan, config, max(1, round(rounds * config.share)))
        except TimeoutError as error:
            summed["differences"] += 1
            sys.stdout.write(f"{config.name}, {plan.seed}: did not come to rest: {error}\n")
            continue
        found = differences(plan, traffic(plan).poison, result.outcome, _quiet(plan))
        sys.stdout.write(table.line(config.name, plan.seed, result, len(found)) + "\n")
        sys.stdout.writelines(f"    {one}\n" for one in [*result.faults, *found])
        sys.stdout.flush()
        summed += table.numbers(result) + Counter({"differences": len(found)})
    sys.stdout.write(table.total(summed) + "\n")
    return summed["differences"]


def _quiet(plan: Plan) -> Outcome:
    """Return what is left when nothing happens."""
    with tempfile.TemporaryDirectory(prefix="havoc-") as name:
        folder = Path(name)
        with ground("quiet", folder, Servers()) as still:
            return run(plan, still, folder, workers=1).outcome


def _havoc(plan: Plan, config: Config, kills: int) -> Result:
    env = os.environ  # noqa: TID251 - the edge of a command
    with (
        tempfile.TemporaryDirectory(prefix="havoc-") as name,
        servers(env, kafka=config.kafka, postgres=config.postgres) as its_servers,
        ground(config.name, Path(name), its_servers) as shaky,
    ):
        steps = mixed(plan.seed, kills, list(shaky.faults), has_disk=not config.postgres)
        folder = Path(name)
        return run(plan, shaky, folder, steps, workers=config.workers, patience=240, say=tell)


if __name__ == "__main__":
    numbers = [int(word) for word in sys.argv[1:]]
    sys.exit(1 if main(*(numbers + [1, 110][len(numbers) :])) else 0)
