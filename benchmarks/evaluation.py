"""A thousand systems: judging one window of each, and replaying ninety days of all.

The database is filled once with the profiles of ninety days; what is measured reads it back,
as the judge and `watchkeeper backtest` do.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter, process_time

import msgspec
import pyarrow.compute as pc
import sqlalchemy as sa

from benchmarks.figure import Figure
from benchmarks.stream import VERSION, batch, spec
from watchkeeper_monitor.backtesting.running import Question
from watchkeeper_monitor.backtesting.sharing import run
from watchkeeper_monitor.metrics import measure
from watchkeeper_monitor.profiles import Profile
from watchkeeper_monitor.references.reference import Reference, add_rows
from watchkeeper_monitor.rule.judgements import judge
from watchkeeper_shared.db import migrations, tables
from watchkeeper_shared.db.engine import open_engine
from watchkeeper_shared.db.registry import Applied
from watchkeeper_shared.db.unit_of_work import Database
from watchkeeper_shared.specs import OversightPolicy, Rule, WindowSpec

SYSTEMS, DAYS, ROWS = 1_000, 90, 1_000
START = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def policy(breach: float) -> OversightPolicy:
    """Return limits on the drift of every feature and on accuracy."""
    names = tuple(f"s{number:04d}" for number in range(SYSTEMS))
    drift = Rule(id="drift", metric="psi", columns=("*",), warn=0.1, breach=breach)
    accuracy = Rule(id="accuracy", metric="accuracy", below=True, breach=0.5)
    return OversightPolicy(
        systems=names, rules=(drift, accuracy), window=WindowSpec(size="1d", lateness="1h")
    )


def figures() -> Iterator[Figure]:
    """Yield both figures."""
    reference = Reference.build([batch(10_000, 1, labels=True)], spec(), "s", VERSION)
    days = [_profile(reference, day) for day in range(DAYS)]
    yield _evaluated(reference, days)
    with _stored(reference, days) as database:
        yield _replayed(database)


def _profile(reference: Reference, day: int) -> Profile:
    """Return a day's rows; every tenth day one feature moves by a third of its spread."""
    rows = batch(ROWS, 100 + day, labels=True)
    if day % 10 == 0:
        moved = pc.add(rows.column("features.n0"), 0.4)
        rows = rows.set_column(rows.schema.get_field_index("features.n0"), "features.n0", moved)
    profile = Profile.empty(reference.grid)
    add_rows(profile, rows)
    return profile


def _evaluated(reference: Reference, days: list[Profile]) -> Figure:
    """Measure and judge one window of each system with the whole catalogue."""
    system, limits = spec(), policy(0.25)
    judged, identity = 0, reference.id
    start, used = perf_counter(), process_time()
    for number in range(SYSTEMS):
        window = days[number % DAYS]
        values = measure(system, reference.grid, window, reference.profile)
        judged += len(judge(values, limits, system.features, identity))
    taken, used = perf_counter() - start, process_time() - used
    words = f"{SYSTEMS:,} systems x 20 features, {judged:,} measurements; {used:.1f} s of processor"
    return Figure("evaluate_1000_systems_s", taken, "s", words)


@contextmanager
def _stored(reference: Reference, days: list[Profile]) -> Iterator[Database]:
    with tempfile.TemporaryDirectory(prefix="watchkeeper-bench-") as folder:
        engine = open_engine(f"sqlite:///{Path(folder) / 'state.db'}")
        migrations.upgrade(engine)
        database = Database(engine)
        with database.transaction() as c:
            _fill(c, reference, days)
        try:
            yield database
        finally:
            engine.dispose()


def _fill(c: sa.Connection, reference: Reference, days: list[Profile]) -> None:
    """Store what the monitor would have stored; all systems share one reference's rows."""
    for name in _names():
        _declare(c, "AISystem", name, msgspec.to_builtins(spec()))
        one = Reference(reference.grid, reference.profile, reference.sample, name, VERSION)
        c.execute(
            sa.insert(tables.references).values(
                id=one.id,
                system=name,
                version=VERSION,
                current=True,
                rows=10_000,
                author="bench",
                applied_at=START,
                artifact=one.to_bytes(),
            )
        )
        c.execute(sa.insert(tables.panes), [_pane(name, day) for day in range(DAYS)])
        c.execute(
            sa.insert(tables.profiles),
            [
                _pane_key(name, day)
                | {"reference": one.id, "source": "predictions/0", "rows": ROWS}
                | {"profile": profile.to_bytes()}
                for day, profile in enumerate(days)
            ],
        )
    _declare(c, "OversightPolicy", "fleet", msgspec.to_builtins(policy(0.25)))


def _names() -> list[str]:
    return [f"s{number:04d}" for number in range(SYSTEMS)]


def _declare(c: sa.Connection, kind: str, name: str, content: object) -> None:
    c.execute(
        sa.insert(tables.objects).values(
            kind=kind,
            name=name,
            revision=1,
            current=True,
            hash=name,
            spec=content,
            author="bench",
            applied_at=START,
        )
    )


def _pane_key(name: str, day: int) -> dict[str, object]:
    return {
        "system": name,
        "version": VERSION,
        "pane_start": START + day * DAY,
        "pane_end": START + (day + 1) * DAY,
    }


def _pane(name: str, day: int) -> dict[str, object]:
    return _pane_key(name, day) | {"changed": 1, "judged": 1}


def _replayed(database: Database) -> Figure:
    """Replay another limit over ninety days against the one in force, in this process alone."""
    until = START + (DAYS + 1) * DAY
    names = frozenset(_names())
    question = Question(Applied("fleet", 0, "new", policy(0.12)), START, until, names)
    start, used = perf_counter(), process_time()
    report = run(str(database.engine.url), question, processes=1)
    taken, used = perf_counter() - start, process_time() - used
    found = report.totals["gained"] + report.totals["lost"]
    words = (
        f"two policies over {report.windows:,} windows, {found:,} breaches change; "
        f"in one process, {used:.1f} s of processor"
    )
    return Figure("backtest_90d_1000_systems_s", taken, "s", words)
