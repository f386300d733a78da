"""A backtest shared among processes: systems know nothing of each other."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace

from watchkeeper_monitor.backtesting.reporting import Report
from watchkeeper_monitor.backtesting.running import Backtest, Found, Question
from watchkeeper_shared.clock import SystemClock
from watchkeeper_shared.db.engine import open_engine
from watchkeeper_shared.db.registry import Registry
from watchkeeper_shared.db.unit_of_work import Database

FEW = 8
"""So many systems are replayed sooner than another process has started."""


def run(url: str, question: Question, processes: int) -> Report:
    """Answer a question on the database at `url` with so many processes.

    Raises
    ------
    StoreUnavailable
        The database is away; nothing was changed, ask again.
    """
    engine = open_engine(url)
    try:
        whole = _backtest(Database(engine), question)
        systems = whole.systems()
        if processes < 2 or len(systems) <= FEW:  # noqa: PLR2004 - one is this one
            return whole.report(whole.found())
        shares = [frozenset(systems[at::processes]) for at in range(min(processes, len(systems)))]
        start = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(processes, mp_context=start) as pool:
            asked = [replace(question, systems=share) for share in shares]
            parts = pool.map(_found, [url] * len(asked), asked)
            return whole.report([one for part in parts for one in part])
    finally:
        engine.dispose()


def _backtest(database: Database, question: Question) -> Backtest:
    registry = Registry(database, SystemClock())
    registry.refresh()
    return Backtest(database, registry, question)


def _found(url: str, question: Question) -> list[Found]:
    engine = open_engine(url)
    try:
        return _backtest(Database(engine), question).found()
    finally:
        engine.dispose()
