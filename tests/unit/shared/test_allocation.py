"""What a flush needed goes back to the system when the flush is over."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

# Blocks as a flush has them, freed, with one that stays after each: once the largest was freed,
# glibc by itself takes all of them from its heap, where those that stay keep the others.
WORK = """
import sys
from pathlib import Path
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from watchkeeper_shared.allocation import give_back_at_once

def resident():
    text = Path("/proc/self/status").read_text()
    return int(text.split("RssAnon:")[1].split()[0]) / 1024

def flush():
    used = []
    for size in range(100_000, 140_000, 1_000):
        used += [np.ones(size), pc.add(pa.array(np.ones(size)), 1.0)]
        stay.append(np.ones(1_000))

stay = []
if sys.argv[1] == "told":
    assert give_back_at_once()
flush()  # what is imported and started by the first
np.ones(3_000_000).sum()
before = resident()
for _ in range(4):
    flush()
print(pa.default_memory_pool().backend_name, resident() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from Linux")
def test_what_was_needed_for_a_while_is_not_kept() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WORK, "told"], check=True, capture_output=True, text=True, timeout=60
    )
    backend, grown = done.stdout.split()

    assert backend == "system"
    assert float(grown) < 8  # 160 arrays of 8 kB stay, and 30 MiB came and went each time
