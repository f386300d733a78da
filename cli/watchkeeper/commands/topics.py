"""`watchkeeper topics create`: the topics of the event log."""

from __future__ import annotations

import click

from watchkeeper_shared.clock import SystemClock
from watchkeeper_shared.eventlog.opening import create_topics, log_of
from watchkeeper_shared.settings import LogSettings, environment, read
from watchkeeper_shared.topics import TOPICS


@click.group()
def topics() -> None:
    """Create the topics of the event log."""


@topics.command()
@click.option("--partitions", type=click.IntRange(1, 10_000), help="How many each topic has.")
def create(partitions: int | None) -> None:
    """Create what is missing; topics that exist are left as they are."""
    settings = read(LogSettings, environment())
    count = partitions or settings.topic_partitions
    log = log_of(settings, SystemClock())
    try:
        create_topics(log, count)
    finally:
        log.close()
    for one in TOPICS:
        click.echo(f"{one.name} ({one.key}): written by {', '.join(one.writers)}")
