"""`watchkeeper reference build`: from a file of approved rows to a baseline in force."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec
import pyarrow as pa

from watchkeeper import tables
from watchkeeper.client import Client
from watchkeeper.options import FILE, of_a_client, of_a_table
from watchkeeper_monitor.references.reference import Reference
from watchkeeper_monitor.references.remarks import remarks
from watchkeeper_shared.counted import counted
from watchkeeper_shared.errors import InvalidObject, NotFound
from watchkeeper_shared.events.batches import concatenate
from watchkeeper_shared.specs import AISystem

_ROWS = 65_536


@click.group()
def reference() -> None:
    """Build and upload references."""


@reference.command()
@click.option("--system", required=True)
@click.option("--version", required=True)
@of_a_table
@of_a_client
@click.argument("file", type=FILE)
def build(
    *, system: str, version: str, pairs: tuple[str, ...], url: str, token: str, file: Path
) -> None:
    """Build the reference of one system version from FILE and put it in force.

    FILE is Parquet, CSV or NDJSON with the columns prediction, score, features.NAME,
    groups.NAME and label, or others named with --map. The rows stay here; only the
    aggregate and a sample of 5,000 rows travel.
    """
    batches = list(tables.read(file, tables.parse_map(pairs), _ROWS))
    if not batches:
        raise InvalidObject(f"{file} has no rows")
    with Client(url, token) as client:
        click.echo(upload(client, concatenate(batches), system, version))


def upload(client: Client, rows: pa.RecordBatch, system: str, version: str) -> str:
    """Build the reference of `rows`, put it in force, and return what to say about it.

    A line that says so, and one for each column that says too little.

    Raises
    ------
    NotFound
        The system was not applied yet.
    """
    try:
        declared = client.get(f"/v1/systems/{system}")
    except NotFound as error:
        raise NotFound(f"there is no system {system}; apply its file first: {error}") from error
    spec = msgspec.convert(declared["spec"], AISystem)
    built = Reference.build([rows], spec, system, version)
    stored = client.send(
        "PUT",
        "/v1/references",
        body=built.to_bytes(),
        content_type="application/octet-stream",
        params={"system": system, "version": version, "rows": rows.num_rows, "sha256": built.id},
    ).json()
    size = counted(rows.num_rows, "row")
    said = f"reference {stored['id']} of {system} version {version}: {size}"
    return "\n".join([said, *(f"  warning: {one}" for one in remarks(built))])
