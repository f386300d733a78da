"""What a run left behind, as values that can be compared with those of another run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import sqlalchemy as sa

from havoc.ground import Ground
from havoc.reading import records
from havoc.story import Plan
from watchkeeper.demo.receiver import Received
from watchkeeper_monitor.profiles import Profile
from watchkeeper_monitor.references.reference import Reference
from watchkeeper_shared.db import tables
from watchkeeper_shared.db.unit_of_work import Database
from watchkeeper_shared.eventlog.port import Record
from watchkeeper_shared.events import codec
from watchkeeper_shared.topics import LABELS, PREDICTIONS

Row = tuple[Any, ...]
_ERRORS = "__watchkeeper.errors."
_INDEXED = sa.select(sa.func.sum(tables.predictions.c.rows)).where(
    tables.predictions.c.kind == "seen"
)
_JOINED = sa.select(tables.labels.c.hashes).where(tables.labels.c.state == "applied")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The end of a run.

    Parameters
    ----------
    sent
        How often each prediction is in the log, by id.
    unreadable
        Where in the log the poison lies.
    rows, indexed, labelled, truths
        Predictions counted in panes; ids in the index; labels that were joined; how many
        predictions have a label in the log.
    profiles
        The merged profile of each pane, as bytes.
    windows
        Rows of each window, by policy, version and start.
    measurements
        Every measurement in force: what it is of, its value, n and state.
    duplicates
        What was counted as such.
    buried, letters
        Dead letters in the database; the positions that records of the dead letter topics name.
    episodes
        Breaches that stand: what they are of, when they opened and cleared.
    withdrawn
        How many breaches were raised on rows that were not all there yet, and taken back.
    alerts, tickets
        The state of the alert of each breach; the breach of each ticket.
    acts
        How often what was recorded about which alert.
    notified
        How often each turn of a breach was delivered and reached the person on call, under a
        true signature; repetitions carry the same id and count once.
    """

    sent: Counter[str]
    unreadable: list[Row]
    rows: int
    indexed: int
    labelled: int
    truths: int
    profiles: dict[Row, bytes]
    windows: dict[Row, int]
    measurements: dict[Row, Row]
    duplicates: int
    buried: list[Row]
    letters: Counter[Row]
    episodes: dict[str, Row]
    withdrawn: int
    alerts: dict[str, str]
    tickets: list[str]
    acts: Counter[Row]
    notified: Counter[Row]


def outcome_of(plan: Plan, ground: Ground, database: Database, told: Sequence[Received]) -> Outcome:
    """Read everything that matters from the log and the database."""
    written = records(ground, [PREDICTIONS.name, LABELS.name])
    dead = records(ground, [PREDICTIONS.dead_letters, LABELS.dead_letters])
    readable = [one for one in written if not _is_poison(one)]
    with database.read() as c:
        episodes = c.execute(sa.select(tables.episodes)).all()
        alerts = {row.id: row for row in c.execute(sa.select(tables.alerts))}
        return Outcome(
            sent=_ids(one for one in readable if one.at.topic == PREDICTIONS.name),
            unreadable=sorted(_place(one) for one in written if _is_poison(one)),
            rows=c.scalar(sa.select(sa.func.sum(tables.profiles.c.rows))) or 0,
            indexed=c.scalar(_INDEXED) or 0,
            truths=len(_ids(one for one in readable if one.at.topic == LABELS.name)),
            labelled=len(_hashes(c.execute(_JOINED).scalars())),
            profiles=_profiles(c),
            windows=_windows(c, plan.end),
            measurements=_measurements(c, plan.end),
            duplicates=_duplicates(c),
            buried=sorted(
                (row.topic, row.partition, row.offset)
                for row in c.execute(sa.select(tables.dead_letters))
            ),
            letters=Counter(_named(one) for one in dead),
            episodes={row.id: _episode(row) for row in episodes if row.state != "withdrawn"},
            withdrawn=sum(row.state == "withdrawn" for row in episodes),
            alerts={row.breach: row.state for row in alerts.values()},
            tickets=sorted(row.breach for row in c.execute(sa.select(tables.tickets))),
            acts=_acts(c, {f"Alert/{key}": row.breach for key, row in alerts.items()}),
            notified=_notified(c, {key: row.breach for key, row in alerts.items()}, told),
        )


def _hashes(blocks: Iterable[bytes]) -> set[int]:
    """Return the hashes of ids in blocks; one that was said again is in several."""
    return {one for block in blocks for one in np.frombuffer(block, np.int64).tolist()}


def _is_poison(record: Record) -> bool:
    return "ce_id" not in record.headers


def _place(record: Record) -> Row:
    return (record.at.topic, record.at.partition, record.offset)


def _named(letter: Record) -> Row:
    said = letter.headers
    place = int(said[_ERRORS + "partition"]), int(said[_ERRORS + "offset"])
    return (said[_ERRORS + "topic"], *place)


def _ids(found: Iterable[Record]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for one in found:
        batch = codec.decode(one.value, one.headers["content-type"])
        counts.update(batch.column("id").to_pylist())
    return counts


def _profiles(c: sa.Connection) -> dict[Row, bytes]:
    """Merge what the partitions and the labels wrote, pane by pane."""
    artifacts = c.execute(sa.select(tables.references.c.id, tables.references.c.artifact))
    grids = {row.id: Reference.from_bytes(row.artifact).grid for row in artifacts}
    merged: dict[Row, Profile] = {}
    for row in c.execute(sa.select(tables.profiles)):
        grid = grids[row.reference]
        key = (row.system, row.version, row.reference, row.pane_start, row.pane_end)
        into = merged.setdefault(key, Profile.empty(grid))
        into.merge(Profile.from_bytes(grid, row.profile))
    return {key: profile.to_bytes() for key, profile in merged.items()}


def _windows(c: sa.Connection, end: datetime) -> dict[Row, int]:
    rows = c.execute(sa.select(tables.windows).where(tables.windows.c.start < end))
    return {(row.policy, row.version, row.start): row.rows for row in rows}


def _measurements(c: sa.Connection, end: datetime) -> dict[Row, Row]:
    one = tables.measurements.c
    what = (one.policy, one.version, one.rule, one.metric, one.column, one.segment)
    said = (one.value, one.low, one.high, one.n, one.state)
    query = sa.select(*what, one.window_start, *said).where(
        one.current.is_(True), one.window_start < end
    )
    width, found = len(what) + 1, dict[Row, Row]()
    for row in c.execute(query):
        key, said_now = tuple(row[:width]), tuple(row[width:])
        assert key not in found, f"two measurements in force for {key}"
        found[key] = said_now
    return found


def _duplicates(c: sa.Connection) -> int:
    query = sa.select(sa.func.sum(tables.tallies.c.value))
    return int(c.scalar(query.where(tables.tallies.c.name == "duplicates")) or 0)


def _episode(row: Any) -> Row:
    of = (row.policy, row.version, row.rule, row.metric, row.column, row.segment)
    opened: datetime = row.opened_window
    return (*of, opened, row.cleared_window, row.state)


def _acts(c: sa.Connection, breaches: dict[str, str]) -> Counter[Row]:
    rows = c.execute(sa.select(tables.audit.c.subject, tables.audit.c.act)).all()
    return Counter((breaches[row.subject], row.act) for row in rows if row.subject in breaches)


def _notified(c: sa.Connection, breaches: dict[str, str], told: Sequence[Received]) -> Counter[Row]:
    arrived = {one.id for one in told if one.genuine}
    rows = c.execute(sa.select(tables.deliveries)).all()
    return Counter(
        (breaches[row.alert], row.event)
        for row in rows
        if row.state == "delivered" and row.id in arrived
    )
