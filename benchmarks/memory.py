"""Peak memory of a monitor's process over ten million rows: it must not grow.

`python -m benchmarks.memory ROUNDS [MIB]` works off so many rounds of 100,000 rows with so much
memory declared for the index, and prints the peak in MiB after a tenth of them and after all.

The index in memory fills up to what is declared for it, 10 bytes for each prediction, and is
then full for ever. So the ratio is taken where it is full from the first figure on; beside it
stands the growth with the default, which may not be more than what is declared.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

from benchmarks.figure import Figure
from benchmarks.house import arrow, house
from benchmarks.stream import batch
from watchkeeper_monitor.settings import Pace
from watchkeeper_shared.allocation import share_one_heap

ROUND_BATCHES, BATCH_ROWS, ROUNDS = 100, 1_000, 100
SMALL, DEFAULT = 8, Pace().index_memory >> 20
"""MiB for the index: full after 0.8 million predictions, and what is set if nothing is said."""


def peaks(rounds: int, mebibytes: int) -> tuple[float, float]:
    """Return the peak resident MiB of this process after a tenth of the rounds and after all."""
    share_one_heap()  # as the command of the monitor does
    first = 0.0
    # Every flush is as large as one may be: how many come early is not for the load to decide.
    pace = Pace(index_memory=mebibytes << 20, flush_interval=timedelta(minutes=5))
    with house(None, pace=pace) as one:
        for turn in range(rounds):
            seeds = range(turn * ROUND_BATCHES, (turn + 1) * ROUND_BATCHES)
            one.feed(arrow(batch(BATCH_ROWS, seed), f"m{seed}") for seed in seeds)
            one.work_off()
            if turn + 1 == max(1, rounds // 10):
                first = _peak_of_this_process()
    return first, _peak_of_this_process()


def _peak_of_this_process() -> float:
    """Read it from the kernel: `ru_maxrss` also counts the process that started this one."""
    status = Path("/proc/self/status").read_text("utf-8")
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


def _measured(mebibytes: int) -> tuple[float, float]:
    command = [sys.executable, "-m", "benchmarks.memory", str(ROUNDS), str(mebibytes)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    first, last = map(float, done.stdout.split()[-2:])
    return first, last


def figures() -> Iterator[Figure]:
    """Yield what ten times the rows add, each from one process; both run at once."""
    with ThreadPoolExecutor(2) as pool:
        (first, last), (early, late) = pool.map(_measured, (SMALL, DEFAULT))
    words = "peak {:.0f} MiB at 1 million rows, {:.0f} MiB at 10 million; {} MiB for the index"
    yield Figure("memory_10x_rows", last / first, "x", words.format(first, last, SMALL))
    said = words.format(early, late, DEFAULT)
    yield Figure("memory_10x_rows_growth", late - early, "MiB", f"{said}, the default")


if __name__ == "__main__":
    print(*peaks(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else DEFAULT))
