"""Arrow and numpy share one heap, so that neither keeps what the other could use."""

from __future__ import annotations

import subprocess
import sys

WORK = """
import pyarrow as pa
from watchkeeper_shared.allocation import share_one_heap
share_one_heap()
kept = pa.array([1, 2, 3])
print(pa.default_memory_pool().backend_name, pa.system_memory_pool().bytes_allocated() > 0)
"""


def test_arrow_takes_its_memory_from_the_heap() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WORK], check=True, capture_output=True, text=True, timeout=60
    )

    assert done.stdout.split() == ["system", "True"]
