"""`watchkeeper apply`: systems, policies and channels from files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import click

from watchkeeper.client import Client
from watchkeeper.options import FILE, of_a_client
from watchkeeper_shared.errors import InvalidObject


@click.command()
@click.option("-f", "--file", "files", type=FILE, multiple=True, required=True)
@click.option("--dry-run", is_flag=True, help="Check and show what would change.")
@of_a_client
def apply(files: tuple[Path, ...], dry_run: bool, url: str, token: str) -> None:  # noqa: FBT001
    """Apply every document in the files, all or none; the same again changes nothing."""
    with Client(url, token) as client:
        outcome = apply_files(client, files, dry_run=dry_run)
    for line in outcome.objects:
        click.echo(line)
    for warning in outcome.warnings:
        click.echo(f"warning: {warning}", err=True)


class Outcome(NamedTuple):
    """One line per object, and what was taken although it is most likely not meant."""

    objects: list[str]
    warnings: list[str]


def apply_files(client: Client, files: tuple[Path, ...], *, dry_run: bool = False) -> Outcome:
    """Apply the files and return what became of them.

    Raises
    ------
    InvalidObject
        A file cannot be read, or something in it is wrong: `file:line: what`.
    """
    body = {"files": [{"name": str(path), "text": _text(path)} for path in files]}
    reply = client.send(
        "POST",
        "/v1/apply",
        body=json.dumps(body).encode(),
        content_type="application/json",
        params={"dry_run": dry_run},
    ).json()
    objects = [
        f"{one['kind']}/{one['name']} {one['outcome']} (revision {one['revision']})"
        for one in reply["objects"]
    ]
    return Outcome(objects, reply["warnings"])


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise InvalidObject(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InvalidObject(f"{path}: byte {error.start} is not UTF-8") from error
