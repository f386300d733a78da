"""When a run is at rest: everything is published, read, joined, judged, told and delivered."""

from __future__ import annotations

from datetime import datetime
from threading import Event
from typing import Any

import sqlalchemy as sa

from havoc.fleet import Fleet
from havoc.ground import Ground
from havoc.reading import ends
from havoc.story import Plan
from watchkeeper_shared.clock import SystemClock
from watchkeeper_shared.db import tables
from watchkeeper_shared.db.unit_of_work import Database
from watchkeeper_shared.errors import LogUnavailable, StoreUnavailable
from watchkeeper_shared.eventlog.port import TopicPartition
from watchkeeper_shared.topics import BREACHES, LABELS, PREDICTIONS

_READERS = {PREDICTIONS.name: "monitor", LABELS.name: "monitor", BREACHES.name: "alerting"}


class Rest:
    """Waits for it, and says what is missing when it does not come.

    Parameters
    ----------
    plan
        Where the story ends, and how many partitions there are.
    """

    def __init__(self, ground: Ground, database: Database, fleet: Fleet, plan: Plan) -> None:
        self._ground = ground
        self._database = database
        self._fleet = fleet
        self._plan = plan
        self._open = _open_until(plan.end)

    def wait(self, patience: float) -> None:
        """Return once all is at rest, twice in a row, within so many seconds.

        Raises
        ------
        TimeoutError
            It did not come to rest in time.
        """
        clock = SystemClock()
        until = clock.monotonic() + patience
        quiet, missing = 0, ["nothing was asked yet"]
        while quiet < 2:
            if clock.monotonic() > until:
                said = "; ".join([*missing, self._buried()])
                raise TimeoutError(f"{said}\n{self._fleet.autopsy()}")
            Event().wait(0.5)
            self._fleet.look_after()
            try:
                missing = self._missing()
            except (StoreUnavailable, LogUnavailable) as error:
                missing = [str(error)]
            quiet = 0 if missing else quiet + 1

    def _buried(self) -> str:
        """Return the reasons of the dead letters: what was buried by mistake is waited for."""
        codes = tables.dead_letters.c.code
        with self._database.read() as c:
            found = c.execute(sa.select(codes, sa.func.count()).group_by(codes)).all()
        return f"dead letters: {dict(tuple(row) for row in found)}"

    def _missing(self) -> list[str]:
        if any(one.runs for one in self._fleet.of("publisher")):
            return ["the publisher is not done"]
        with self._database.read() as c:
            stored = self._stored(c)
            missing = [
                f"{name}: {count}"
                for name, query in self._open.items()
                if (count := c.scalar(query))
            ]
        if missing:
            return missing
        found = ends(self._ground, list(_READERS))
        if len(found) < self._plan.partitions * len(_READERS):
            return [f"only these partitions are seen: {sorted(found)}"]
        return [
            f"{at} is read to {stored.get(at, 0)} of {end}"
            for at, end in found.items()
            if stored.get(at, 0) < end
        ]

    def _stored(self, c: sa.Connection) -> dict[TopicPartition, int]:
        rows = c.execute(sa.select(tables.positions)).all()
        return {
            TopicPartition(row.topic, row.partition): row.next_offset
            for row in rows
            if row.consumer == _READERS.get(row.topic)
        }


def _count(table: sa.Table, *where: sa.ColumnElement[bool]) -> sa.Select[Any]:
    return sa.select(sa.func.count()).select_from(table).where(*where)


def _open_until(end: datetime) -> dict[str, sa.Select[Any]]:
    """Return what counts everything that is still to be done, windows after `end` apart."""
    windows = tables.windows.c
    return _OPEN | {
        "provisional windows": _count(
            tables.windows, windows.status == "provisional", windows.start < end
        )
    }


_OPEN: dict[str, sa.Select[Any]] = {
    "changed panes": _count(tables.panes, tables.panes.c.changed != tables.panes.c.judged),
    "labels to join": sa.select(sa.func.sum(tables.labels.c.rows)).where(
        tables.labels.c.state == "waiting"
    ),
    "messages to send": _count(tables.outbox, tables.outbox.c.sent_at.is_(None)),
    "notifications to deliver": _count(tables.deliveries, tables.deliveries.c.state == "queued"),
}
