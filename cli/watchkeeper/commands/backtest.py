"""`watchkeeper backtest`: what a changed policy would have told, from stored profiles."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import click
import msgspec

from watchkeeper.options import FILE
from watchkeeper_alerting.applying.application import check
from watchkeeper_alerting.applying.documents import Document, SourceFile
from watchkeeper_monitor.backtesting.reporting import Line, Report
from watchkeeper_monitor.backtesting.running import Question
from watchkeeper_monitor.backtesting.sharing import run
from watchkeeper_shared.clock import SystemClock
from watchkeeper_shared.counted import counted
from watchkeeper_shared.db.engine import open_engine
from watchkeeper_shared.db.registry import Applied
from watchkeeper_shared.db.unit_of_work import Database
from watchkeeper_shared.errors import InvalidObject
from watchkeeper_shared.settings import StoreSettings, environment, read
from watchkeeper_shared.specs import OversightPolicy, parse_duration

_MOST_SHOWN = 10
_STDIN = "-"


@click.command()
@click.option("--policy", "file", type=FILE, required=True, help="The new policy; - reads it.")
@click.option("--since", required=True, help="How far back (90d), or from which instant on.")
@click.option("--until", default="", help="Up to which instant; left out: now.")
@click.option("--system", "systems", multiple=True, help="Only this system. Repeatable.")
@click.option(
    "--processes", type=click.IntRange(0, 64), default=0, help="How many; 0: one per processor."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document per policy.")
def backtest(
    *, file: Path, since: str, until: str, systems: tuple[str, ...], processes: int, as_json: bool
) -> None:
    """Replay a policy over stored profiles and list the breaches gained and lost.

    Compares with the policy of the same name that is in force. Reads
    WATCHKEEPER_DATABASE_URL, changes nothing and needs no raw rows.
    """
    clock = SystemClock()
    end = _instant(until) if until else clock.now()
    url = read(StoreSettings, environment()).database_url
    engine = open_engine(url)
    try:
        policies = policies_in(Database(engine), file)
    finally:
        engine.dispose()
    for policy in policies:
        question = Question(policy, _start(since, end), end, frozenset(systems))
        report = run(url, question, processes or os.cpu_count() or 1)
        click.echo(msgspec.json.encode(report).decode() if as_json else text(report))


def policies_in(database: Database, file: Path) -> list[Applied[OversightPolicy]]:
    """Return the policies of a file, checked as `apply` checks them.

    Raises
    ------
    InvalidObject
        The file cannot be read, something in it is wrong, or no policy is in it.
    """
    try:
        if str(file) == _STDIN:
            source = SourceFile("standard input", sys.stdin.read())
        else:
            source = SourceFile(str(file), file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidObject(f"{file} cannot be read: {error}") from error
    with database.read() as c:
        found = [_policy(one) for one in check(c, [source]).documents]
    policies = [one for one in found if one is not None]
    if not policies:
        raise InvalidObject(f"{file}: there is no OversightPolicy in here")
    return policies


def _policy(document: Document) -> Applied[OversightPolicy] | None:
    if not isinstance(document.spec, OversightPolicy):
        return None
    return Applied(document.name, 0, document.hash, document.spec)


def _start(since: str, end: datetime) -> datetime:
    """Read a length of time before `end`, or an instant."""
    try:
        return end - parse_duration(since)
    except ValueError:
        return _instant(since)


def _instant(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidObject(
            f"{text!r} is neither a duration such as 90d nor an instant such as 2026-08-01"
        ) from error
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def text(report: Report) -> str:
    """Return a report as lines for a terminal."""
    totals = ", ".join(f"{count} {name}" for name, count in report.totals.items())
    span = f"{report.since:%Y-%m-%d %H:%M} to {report.until:%Y-%m-%d %H:%M} UTC"
    size = f"{counted(report.windows, 'window')} of {counted(report.systems, 'system')}"
    lines = [
        f"policy {report.name} over {size}, {span}: breaches {totals}",
        *(f"note: {note}" for note in report.notes),
        *_table(report.breaches),
    ]
    for one in report.skipped[:_MOST_SHOWN]:
        span = f"{one.window.start:%Y-%m-%d %H:%M} to {one.window.end:%Y-%m-%d %H:%M}"
        lines.append(f"not replayed ({one.policy} policy) {one.system} {span}: {one.reason}")
    if len(report.skipped) > _MOST_SHOWN:
        lines.append(f"and {len(report.skipped) - _MOST_SHOWN:,} more, all in --json")
    return "\n".join(lines)


def _table(breaches: Sequence[Line]) -> list[str]:
    """Return the breaches as aligned columns, the reason of each below it."""
    if not breaches:
        return ["no breach is gained or lost"]
    head = ("change", "system", "rule", "what", "opened", "cleared", "value")
    rows = [head, *(_cells(one) for one in breaches)]
    widths = [max(len(row[at]) for row in rows) for at in range(len(head))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    reasons = ["", *(f"    {one.reason}" for one in breaches)]
    return [part for pair in zip(lines, reasons, strict=True) for part in pair if part]


def _cells(one: Line) -> tuple[str, ...]:
    where = one.segment or one.column
    return (
        one.change,
        f"{one.system} {one.version}",
        one.rule,
        f"{one.metric} of {where}" if where else one.metric,
        f"{one.opened.start:%Y-%m-%d %H:%M}",
        "open" if one.cleared is None else f"{one.cleared:%Y-%m-%d %H:%M}",
        "" if one.value is None else f"{one.value:.4g}",
    )
