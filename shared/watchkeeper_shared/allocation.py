"""From whom a process takes its memory."""

from __future__ import annotations

import pyarrow as pa


def share_one_heap() -> None:
    """Let Arrow take its memory where numpy does.

    Arrow's own allocator keeps what one flush needed for its next batch, and the heap keeps as
    much beside it: 10 to 20 MiB that one of them alone does not take. The heap is not told to
    give large blocks back at once: 50 MiB less, but each page is then asked for anew in every
    flush, two to five times as many page faults.
    """
    pa.set_memory_pool(pa.system_memory_pool())
