"""`make bench`: measure everything, print a table, write build/bench.json."""

from __future__ import annotations

import os
import sys
from pathlib import Path

# Before anything imports evidently: its usage statistics stay off.
os.environ["DO_NOT_TRACK"] = "1"  # noqa: TID251 - the edge of a command

from benchmarks import (
    clients,
    evaluation,
    false_alarms,
    ingest,
    load,
    memory,
    monitor,
    profiles,
    rollups,
    statistics,
    windows,
)
from benchmarks.figure import Figure, table, write
from benchmarks.peers import racing

PARTS = {
    "profiles": profiles.figures,
    "windows": windows.figures,
    "statistics": statistics.figures,
    "peers": racing.figures,
    "evaluation": evaluation.figures,
    "monitor": monitor.figures,
    "memory": memory.figures,
    "rollups": rollups.figures,
    "clients": clients.figures,
    "ingest": ingest.figures,
    "load": load.figures,
    "alarms": false_alarms.figures,
}
RESULT = Path("build/bench.json")


def main(chosen: list[str]) -> None:
    """Run the chosen parts, or all of them; only a whole run is written down."""
    measured: list[Figure] = []
    for name in chosen or PARTS:
        for figure in PARTS[name]():
            measured.append(figure)
            print(table([figure]), flush=True)
    if not chosen:
        write(measured, RESULT)
        print(f"\n{len(measured)} figures written to {RESULT}")


if __name__ == "__main__":
    main(sys.argv[1:])
