"""Rows of the monitor's tables, as it writes them, for tests of what is read from them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from watchkeeper_shared.db.tables import measurements, windows
from watchkeeper_shared.db.unit_of_work import Database


def measure(database: Database, start: datetime, **changes: Any) -> None:
    """Store one measurement, and its window if it is a new one."""
    value = changes.get("value", 0.83)
    row: dict[str, Any] = {
        "system": "employment-ma",
        "version": "1",
        "policy": "employment-ma",
        "policy_hash": "c" * 64,
        "rule": "",
        "metric": "accuracy",
        "column": "",
        "segment": "",
        "window_start": start,
        "window_end": start + timedelta(days=1),
        "revision": 1,
        "current": True,
        "status": "final",
        "value": value,
        "low": None if value is None else round(value - 0.02, 6),
        "high": None if value is None else round(value + 0.02, 6),
        "n": 2150,
        "reference": "d" * 64,
        "reference_n": 68785,
        "warn": 0.1,
        "breach": 0.25,
        "state": "ok",
        "reason": "",
        "computed_at": start + timedelta(days=1),
        **changes,
    }
    with database.transaction() as c:
        c.execute(sa.insert(measurements).values(**row))
        _keep_window(c, row)


def _keep_window(c: sa.Connection, row: dict[str, Any]) -> None:
    key = {
        "policy": row["policy"],
        "system": row["system"],
        "version": row["version"],
        "start": row["window_start"],
    }
    known = sa.select(windows.c.start).filter_by(**key)
    if c.execute(known).one_or_none() is None:
        rest = {
            "end": row["window_end"],
            "revision": row["revision"],
            "status": row["status"],
            "rows": row["n"],
            "judged_at": row["computed_at"],
        }
        missing = {
            one.name: ""
            for one in windows.c
            if not one.nullable and one.name not in {**key, **rest}
        }
        c.execute(sa.insert(windows).values(**key, **rest, **missing))
