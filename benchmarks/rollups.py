"""What ninety days of one system with 20 features take on disk: as panes, as hours, as days."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from time import process_time

import sqlalchemy as sa

from benchmarks.figure import Figure, table
from benchmarks.stream import START, SYSTEM, VERSION, batch, spec
from watchkeeper_monitor.judge.duties import RollUp
from watchkeeper_monitor.profiles import Profile
from watchkeeper_monitor.references.baselines import Baseline
from watchkeeper_monitor.references.reference import Reference, add_rows
from watchkeeper_monitor.windows.resolution import DAY, HOUR
from watchkeeper_shared.db import migrations, tables
from watchkeeper_shared.db.engine import open_engine
from watchkeeper_shared.db.unit_of_work import Database

DAYS, PANE, ROWS = 90, timedelta(minutes=5), 100
"""Windows of five minutes, a prediction every three seconds, each with its label."""
KINDS = 96
"""So many different panes, which come again in turn."""
AFTER = START + 365 * DAY


def figures() -> Iterator[Figure]:
    """Yield how much less hours and days take than their panes, and what it costs to make them."""
    reference = Reference.build([batch(10_000, 1, labels=True)], spec(), SYSTEM, VERSION)
    with tempfile.TemporaryDirectory(prefix="watchkeeper-bench-") as name:
        file = Path(name) / "state.db"
        engine = open_engine(f"sqlite:///{file}")
        migrations.upgrade(engine)
        empty = _size(file)
        count = _fill(engine, reference)
        panes = _size(file) - empty
        hours_taken = _roll_up(engine, reference, HOUR)
        hours = _size(file) - empty
        _roll_up(engine, reference, DAY)
        days = _size(file) - empty
        engine.dispose()
    words = f"{count:,} panes of {ROWS} rows {panes / 2**20:.0f} MiB"
    inside = f"{words}; as hours {hours / 2**20:.1f} MiB"
    yield Figure("rollup_bytes_ratio", panes / hours, "x", inside)
    yield Figure("rollup_days_bytes_ratio", panes / days, "x", f"{words}; {days / 2**20:.2f} MiB")
    taken = 1_000 * hours_taken / count
    yield Figure("rollup_pane_ms", taken, "ms", "processor time per pane that becomes part of one")


def _fill(engine: sa.Engine, reference: Reference) -> int:
    """Store the panes as the flush and the label join would; return how many."""
    kinds = [_kind(reference, seed) for seed in range(KINDS)]
    starts = [START + at * PANE for at in range(DAYS * DAY // PANE)]
    keys = [
        {"system": SYSTEM, "version": VERSION, "pane_start": start, "pane_end": start + PANE}
        for start in starts
    ]
    with engine.begin() as c:
        resting = {"changed": 2, "judged": 2, "judged_at": starts[-1]}
        c.execute(sa.insert(tables.panes), [key | resting for key in keys])
        for place, source in enumerate(("predictions/0", "labels")):
            rows = [
                key
                | {"reference": reference.id, "source": source, "rows": ROWS * (1 - place)}
                | {"profile": kinds[at % KINDS][place]}
                for at, key in enumerate(keys)
            ]
            c.execute(sa.insert(tables.profiles), rows)
    return len(keys)


def _kind(reference: Reference, seed: int) -> tuple[bytes, bytes]:
    """Return the profile that a flush stores of some rows, and the one of their labels."""
    rows = batch(ROWS, 100 + seed, labels=True)
    flushed, whole = Profile.empty(reference.grid), Profile.empty(reference.grid)
    add_rows(flushed, rows.drop_columns(["label"]))
    add_rows(whole, rows)
    # Labels change no extremes, so what is left of them is what nothing was added to.
    labels = Profile.empty(reference.grid)
    labels.vector += whole.vector - flushed.vector
    return flushed.to_bytes(), labels.to_bytes()


def _roll_up(engine: sa.Engine, reference: Reference, length: timedelta) -> float:
    """Roll up everything as the keeper does; return the seconds of processor time."""
    database, baseline = Database(engine), Baseline(reference.id, reference.grid, reference)
    duty = RollUp("pane", SYSTEM, length, AFTER, (), lambda _key, _version: baseline)
    start = process_time()
    found: bool | None = False
    while found is not None:
        with database.read() as c:
            found = duty.find(c)
        if found:
            with database.transaction() as c:
                duty.work(c)
    return process_time() - start


def _size(file: Path) -> int:
    """Return the bytes of the file without what was freed in it."""
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("VACUUM")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return file.stat().st_size


if __name__ == "__main__":
    for figure in figures():
        print(table([figure]))
