"""Peak memory of a monitor's process at one and at ten times the rows: it must not grow.

`python -m benchmarks.memory ROUNDS` works off so many rounds and prints the peak in MiB.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.figure import Figure
from benchmarks.house import arrow, house
from benchmarks.stream import batch

ROUND_BATCHES, BATCH_ROWS = 100, 1_000


def peak_after(rounds: int) -> float:
    """Return the peak resident MiB of this process after `rounds` of 100,000 rows each."""
    with house(None) as one:
        for turn in range(rounds):
            seeds = range(turn * ROUND_BATCHES, (turn + 1) * ROUND_BATCHES)
            one.feed(arrow(batch(BATCH_ROWS, seed), f"m{seed}") for seed in seeds)
            one.work_off()
    return _peak_of_this_process()


def _peak_of_this_process() -> float:
    """Read it from the kernel: `ru_maxrss` also counts the process that started this one."""
    status = Path("/proc/self/status").read_text("utf-8")
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


def _peak(rounds: int) -> float:
    command = [sys.executable, "-m", "benchmarks.memory", str(rounds)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def figures() -> Iterator[Figure]:
    """Yield the ratio of the two peaks, each from a fresh process."""
    once, tenfold = _peak(1), _peak(10)
    words = f"peak {once:.0f} MiB at 100,000 rows, {tenfold:.0f} MiB at 1,000,000"
    yield Figure("memory_10x_rows", tenfold / once, "x", words)


if __name__ == "__main__":
    print(peak_after(int(sys.argv[1])))
