"""`watchkeeper dlq`: look at dead letters, and send them back where they came from."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click

from watchkeeper import letters
from watchkeeper.folder import Folder
from watchkeeper.letters import Letter
from watchkeeper_shared.clock import SystemClock
from watchkeeper_shared.counted import counted
from watchkeeper_shared.db import outbox
from watchkeeper_shared.db.engine import open_engine
from watchkeeper_shared.db.unit_of_work import Database
from watchkeeper_shared.eventlog.opening import log_of
from watchkeeper_shared.eventlog.port import EventLog
from watchkeeper_shared.settings import LogSettings, StoreSettings, environment, read
from watchkeeper_shared.topics import TOPICS

_DEAD = [topic.dead_letters for topic in TOPICS]
_LONGEST = 160

_data = click.option(
    "--data",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The folder of `watchkeeper up`; left out: WATCHKEEPER_* say where things are.",
)
_code = click.option("--code", help="Only letters with this reason, such as unknown_system.")


@dataclass(frozen=True, kw_only=True)
class DlqSettings(StoreSettings, LogSettings):
    """Where the log and the database are."""


@click.group()
def dlq() -> None:
    """Look at dead letters, and send them back where they came from."""


@dlq.command("list")
@_data
@click.option("--topic", type=click.Choice(_DEAD), help="Left out: every dead letter topic.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True)
@_code
def listed(data: Path | None, topic: str | None, limit: int, code: str | None) -> None:
    """Print the newest dead letters, a line each, oldest first."""
    with _opened(data) as (log, database):
        newest = deque(_chosen(log, [topic] if topic else _DEAD, code), maxlen=limit)
        with database.read() as c:
            sent = outbox.known(c, [one.identity for one in newest])
    for one in newest:
        click.echo(_line(one, is_replayed=one.identity in sent))
    click.echo(counted(len(newest), "dead letter"), err=True)


@dlq.command()
@_data
@click.option("--topic", type=click.Choice(_DEAD), required=True)
@click.option("--offset", "offsets", type=int, multiple=True, help="Which letter. Repeatable.")
@click.option("--all", "everything", is_flag=True, help="Every letter of the topic.")
@_code
@click.option("--reason", default="replayed by hand", help="Why; stands in the audit log.")
def replay(
    data: Path | None,
    topic: str,
    offsets: tuple[int, ...],
    everything: bool,  # noqa: FBT001 - click passes a flag by name
    code: str | None,
    reason: str,
) -> None:
    """Send dead letters back to the topic they came from, each once ever.

    Key, bytes and headers are the original ones; the header `__watchkeeper.replayed` is added.
    Predictions that were counted already are known by their ids and not counted again.
    """
    if bool(offsets) == everything:
        raise click.UsageError("say which: --offset N (repeatable), or --all")
    with _opened(data) as (log, database):
        found = _chosen(log, [topic], code)
        chosen = [one for one in found if everything or one.record.offset in offsets]
        done = letters.replay(database, log, SystemClock(), chosen, reason)
    click.echo(
        f"{done.now} sent back, {done.before} were sent back before"
        + (f", {done.impossible} are no letters of ours and stay" if done.impossible else "")
    )


@contextmanager
def _opened(data: Path | None) -> Iterator[tuple[EventLog, Database]]:
    env = environment() if data is None else Folder(data.absolute()).environment(environment())
    settings = read(DlqSettings, env)
    log = log_of(settings, SystemClock())
    engine = open_engine(settings.database_url)
    try:
        yield log, Database(engine)
    finally:
        log.close()
        engine.dispose()


def _chosen(log: EventLog, topics: list[str], code: str | None) -> Iterator[Letter]:
    for one in letters.letters(log, SystemClock(), topics):
        if code is None or (one.verdict is not None and one.verdict.code == code):
            yield one


def _line(one: Letter, *, is_replayed: bool) -> str:
    record, why = one.record, one.verdict
    place = f"{record.at.topic} {record.offset} {record.timestamp:%Y-%m-%dT%H:%M:%SZ}"
    if why is None:
        return f"{place} not ours: {len(record.value)} bytes"
    detail = " ".join(why.detail.split())[:_LONGEST]
    mark = " (replayed)" if is_replayed else ""
    was = f"{why.topic}/{why.partition}/{why.offset}"
    of = f" system={why.system}" if why.system else ""
    return f"{place} {why.code}{of} key={record.key} from {was} by {why.consumer}{mark}: {detail}"
