"""What a monitor holds in memory while its database is away and Kafka goes on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from benchmarks.figure import Figure
from benchmarks.loading import Sender, Watcher
from benchmarks.plant import Plant
from benchmarks.residence import Memory

OUTAGE_SECONDS, ROWS_PER_S = 8.0, 20_000

_END = sa.text("select pg_terminate_backend(pid) from pg_stat_activity where datname = :name")


def outage(one: Plant, seconds: float = OUTAGE_SECONDS) -> Iterator[Figure]:
    """Send while the database refuses everybody, then let the monitors catch up."""
    url, ingest = one.start("watchkeeper", "ingest")
    monitors = [one.start("watchkeeper", "monitor")[1] for _ in range(2)]
    sender, watcher = Sender(url, one.token), Watcher(one)
    already = watcher.stored()
    sender.steady(3.0, ROWS_PER_S)
    watcher.until(already + sum(n for _, n in sender.accepted), measured=False)
    memory = Memory("load_outage", ingest, monitors)
    with _away(one):
        sender.steady(seconds, ROWS_PER_S)
        memory.note()
    sent = sum(n for _, n in sender.accepted)
    watcher.until(already + sent, measured=False)
    words = f"database away for {seconds:.0f} s at {ROWS_PER_S:,} rows/s; after catching up"
    yield from memory.figures(words)
    lost = already + sent - watcher.stored()
    yield Figure("load_outage_rows_lost", lost, "rows", f"{words}; of {sent:,}")
    one.stop()


@contextmanager
def _away(one: Plant) -> Iterator[None]:
    """Let the database take no connection; what stands beside it ends this again."""
    name = one.database.engine.url.database
    beside = sa.create_engine(one.database.engine.url.set(database="postgres"))
    with beside.connect().execution_options(isolation_level="AUTOCOMMIT") as c:
        c.execute(sa.text(f'alter database "{name}" with allow_connections false'))
        c.execute(_END, {"name": name})
        try:
            yield
        finally:
            c.execute(sa.text(f'alter database "{name}" with allow_connections true'))
    beside.dispose()
    one.database.engine.dispose()
