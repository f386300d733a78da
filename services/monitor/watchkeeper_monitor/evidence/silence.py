"""Switches telemetry off by being imported, before any library that has some.

evidently decides while it is imported whether it may report home; `DO_NOT_TRACK` with any
value forbids it.
"""

from __future__ import annotations

import os

SILENT = {
    "DO_NOT_TRACK": "1",
    "ITERATIVE_DO_NOT_TRACK": "1",
    "NML_DISABLE_USAGE_LOGGING": "1",
    "MPLBACKEND": "Agg",
}

os.environ.update(SILENT)  # noqa: TID251 - not a setting of ours: the libraries read it
