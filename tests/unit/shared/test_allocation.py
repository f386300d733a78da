"""Arrow and numpy share one heap, so that neither keeps what the other could use."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

ARROW = """
import pyarrow as pa
from watchkeeper_shared.allocation import share_one_heap
share_one_heap()
kept = pa.array([1, 2, 3])
print(pa.default_memory_pool().backend_name, pa.system_memory_pool().bytes_allocated() > 0)
"""

FLUSHES = """
from resource import RUSAGE_SELF, getrusage
import numpy as np
from watchkeeper_shared.allocation import share_one_heap
share_one_heap()
def flush():
    before = getrusage(RUSAGE_SELF).ru_minflt
    arrays = [np.ones(3 << 17) for _ in range(12)]  # 36 MiB
    return getrusage(RUSAGE_SELF).ru_minflt - before
flush()
print(max(flush() for _ in range(5)))
"""

NOT_GLIBC = """
import ctypes
ctypes.pythonapi = object()  # musl and macOS have no mallopt
from watchkeeper_shared.allocation import share_one_heap
share_one_heap()
"""


def _said(program: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=60
    )
    return done.stdout.split()


def test_arrow_takes_its_memory_from_the_heap() -> None:
    assert _said(ARROW) == ["system", "True"]


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc is told when to give")
def test_a_flush_takes_the_pages_that_the_one_before_it_freed() -> None:
    faults = int(_said(FLUSHES)[0])

    assert faults < 500  # of 9,216 pages


def test_another_c_library_is_left_alone() -> None:
    assert _said(NOT_GLIBC) == []
