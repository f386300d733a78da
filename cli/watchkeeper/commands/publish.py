"""`watchkeeper publish`: predictions and labels from files."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from watchkeeper import publishing, tables
from watchkeeper.client import Client
from watchkeeper.direct import OntoLog
from watchkeeper.options import FILE, of_a_client, of_a_table
from watchkeeper.progress import Progress
from watchkeeper_shared.clock import SystemClock
from watchkeeper_shared.errors import InvalidObject
from watchkeeper_shared.eventlog.opening import log_of
from watchkeeper_shared.events.rows import Kind
from watchkeeper_shared.settings import LogSettings, environment, read


@click.command()
@click.option("--system", required=True)
@click.option("--version", required=True)
@click.option("--labels", type=FILE, help="A file of labels, sent after the predictions.")
@click.option("--transport", type=click.Choice(["http", "kafka"]), default="http")
@click.option("--batch-rows", type=click.IntRange(1, 100_000), default=1000, show_default=True)
@of_a_table
@of_a_client
@click.argument("file", type=FILE)
def publish(  # noqa: PLR0913  one argument per option
    *,
    system: str,
    version: str,
    labels: Path | None,
    transport: str,
    batch_rows: int,
    pairs: tuple[str, ...],
    url: str,
    token: str,
    file: Path,
) -> None:
    """Send the predictions in FILE, and labels if given; ends when all is acknowledged.

    Files are Parquet, CSV or NDJSON with the columns id, time, prediction, score,
    features.NAME, groups.NAME (labels: id, time, label), or others named with --map.
    With --transport kafka they go onto the log that WATCHKEEPER_KAFKA_BOOTSTRAP names
    (without it: WATCHKEEPER_LOG_PATH), and the monitor checks the rows.
    """
    renamed = tables.parse_map(pairs)
    files = [(Kind.PREDICTIONS, file)] + ([(Kind.LABELS, labels)] if labels else [])
    with _destination(transport, system, url, token) as to:
        for kind, path in files:
            _send_file(path, kind, to, (system, version), renamed, batch_rows)


def _send_file(
    path: Path,
    kind: Kind,
    to: publishing.Destination,
    of: tuple[str, str],
    renamed: dict[str, str],
    rows: int,
) -> None:
    progress = Progress(sys.stderr, kind.value, tables.count(path))
    batches = (
        publishing.stamped(one, kind, *of)
        for one in tables.read(path, _named_for(kind, renamed), rows)
    )
    try:
        outcome = publishing.publish(batches, kind, to, progress.show)
    finally:
        progress.finish()
    click.echo(
        f"{path.name}: {outcome.accepted:,} accepted, {outcome.duplicates:,} duplicates, "
        f"{outcome.rejected:,} rejected"
    )
    for line in outcome.rejects:
        click.echo(f"  {line}")
    if outcome.rejected and outcome.rejected == outcome.rows:
        raise InvalidObject(f"{path}: every row was rejected; the first reasons are above")


def _named_for(kind: Kind, renamed: dict[str, str]) -> dict[str, str]:
    """Keep the renamings that a file of this kind can have."""
    other = {"label"} if kind is Kind.PREDICTIONS else {"prediction", "score"}
    return {
        field: column
        for field, column in renamed.items()
        if field not in other
        and not (kind is Kind.LABELS and field.partition(".")[0] in {"features", "groups"})
    }


@contextmanager
def _destination(
    transport: str, system: str, url: str, token: str
) -> Iterator[publishing.Destination]:
    if transport == "http":
        with Client(url, token) as client:
            yield publishing.OverHTTP(client)
        return
    settings, clock = read(LogSettings, environment()), SystemClock()
    log = log_of(settings, clock)
    writer = log.writer()
    try:
        yield OntoLog(writer, system, clock)
    finally:
        writer.close()
        log.close()
