"""`watchkeeper withdraw`: a system, policy or channel that is not in force any more."""

from __future__ import annotations

import json

import click

from watchkeeper.client import Client
from watchkeeper.options import of_a_client


@click.command()
@click.argument("thing", metavar="KIND/NAME")
@click.option("--reason", required=True, help="Why; stands in the audit log.")
@of_a_client
def withdraw(thing: str, reason: str, url: str, token: str) -> None:
    """Take one object out of force, named as `apply` prints it: AISystem/employment-ma.

    A system is not judged from then on, its open breaches end, and what is still sent for it
    is refused. Nothing is deleted, and applying the object again puts it back.
    """
    kind, slash, name = thing.partition("/")
    if not slash:
        raise click.BadParameter(
            f"name its kind too, as in AISystem/{thing}", param_hint="KIND/NAME"
        )
    body = json.dumps({"kind": kind, "name": name, "reason": reason}).encode()
    with Client(url, token) as client:
        answer = client.send(
            "POST", "/v1/withdraw", body=body, content_type="application/json"
        ).json()
    done = answer["metadata"]
    by, at, why = (done["withdrawn"][part] for part in ("by", "at", "reason"))
    click.echo(f"{thing} withdrawn by {by} at {at}: {why} (revision {done['revision']})")
