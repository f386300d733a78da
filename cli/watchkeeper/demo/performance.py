"""The demo from start to end: each phase says what it does and is timed."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from importlib import resources
from pathlib import Path
from typing import TextIO

import pyarrow as pa

from watchkeeper.client import Client
from watchkeeper.commands.apply import apply_files
from watchkeeper.commands.reference import upload
from watchkeeper.demo import closing, dataset, server, watching
from watchkeeper.demo.receiver import Received, Receiver, new_secret
from watchkeeper.demo.timeline import SYSTEM, VERSION, Stream, reference_of, stream_of
from watchkeeper.progress import Progress
from watchkeeper.publishing import Outcome, OverHTTP
from watchkeeper_shared.clock import Clock
from watchkeeper_shared.errors import PermanentError

SECRET_VARIABLE = "DEMO_CHANNEL_SECRET"  # noqa: S105  a name, not a secret
ROWS_PER_REQUEST = 2000
FORTNIGHTS = "employment-ma"
_PATIENCE = timedelta(minutes=5)
_CHANNEL = """\
apiVersion: watchkeeper/v1
kind: Channel
metadata: {{name: oncall}}
spec: {{type: webhook, url: "{url}", secret_env: {variable}}}
"""


@dataclass
class Stage:
    """What the demo works with.

    Parameters
    ----------
    data, cache
        Where the all-in-one process keeps its files, and the download is kept.
    port
        Of the console; 0 takes a free one.
    env
        The environment that the process gets.
    clock, out
        For durations, and where to tell.
    phases
        What was done so far, and how many seconds each part took.
    """

    data: Path
    cache: Path
    port: int
    env: Mapping[str, str]
    clock: Clock
    out: TextIO
    phases: list[tuple[str, float]] = field(default_factory=list)

    def say(self, line: str = "") -> None:
        """Tell one line."""
        print(line, file=self.out, flush=True)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Time one part."""
        began = self.clock.monotonic()
        yield
        self.phases.append((name, self.clock.monotonic() - began))


@contextmanager
def performed(stage: Stage) -> Iterator[str]:
    """Do everything up to the report, then serve on while the block runs.

    Yields
    ------
    str
        The console's address.
    """
    stage.data.mkdir(parents=True, exist_ok=True)
    with stage.phase("data"):
        tables = dataset.load(dataset.fetch(stage.cache))
        stream = stream_of(tables)
    _introduce(stage, tables, stream)
    secret = new_secret(secrets.token_bytes(32))
    env = dict(stage.env) | {SECRET_VARIABLE: secret}
    with ExitStack() as stack:
        receiver = stack.enter_context(Receiver(secret, _teller(stage)))
        with stage.phase("start"):
            url = stack.enter_context(server.running(stage.data, env, stage.port))
        client = stack.enter_context(Client(url, (stage.data / "admin.token").read_text().strip()))
        stage.say(f"Watchkeeper serves at {url}, embedded log and SQLite in {stage.data}")
        with stage.phase("apply"):
            _apply(stage, client, receiver.url)
        with stage.phase("reference"):
            rows = reference_of(tables).combine_chunks().to_batches()[0]
            stage.say("  " + upload(client, rows, SYSTEM, VERSION))
        with stage.phase("stream"):
            _stream(stage, client, stream)
        with stage.phase("judge"):
            _wait(stage, client, stream)
        until = stream.predictions["time"][-1].as_py()
        for line in closing.told(client, SYSTEM, until, receiver.received):
            stage.say(line)
        _farewell(stage, url)
        yield url


def _introduce(stage: Stage, tables: dataset.Tables, stream: Stream) -> None:
    reference, rows = tables.reference.num_rows, stream.predictions.num_rows
    stage.say(
        f"employment_MA, real data: {reference:,} rows of 2015 as reference, {rows:,} predictions\n"
        "of 2016 to 2018. A row carries its year and nothing finer, and the order in the file is\n"
        "no time: in 2017 and 2018 it is sorted by kind of household. So the rows of a year are\n"
        "spread evenly over it in a random order with a fixed seed. Labels come 60 to 90 days\n"
        "after their predictions, separately."
    )


def _apply(stage: Stage, client: Client, hook: str) -> None:
    channel = stage.data / "channel.yaml"
    channel.write_text(_CHANNEL.format(url=hook, variable=SECRET_VARIABLE))
    files = [channel]
    for name in ("system.yaml", "policy.yaml"):
        path = stage.data / name
        path.write_text(resources.files("watchkeeper.demo").joinpath(name).read_text("utf-8"))
        files.append(path)
    for line in apply_files(client, tuple(files)).objects:
        stage.say(f"  {line}")


def _stream(stage: Stage, client: Client, stream: Stream) -> None:
    total = stream.predictions.num_rows + stream.labels.num_rows
    progress = Progress(stage.out, "streamed", total)
    to, outcome = OverHTTP(client), Outcome()
    for part in stream.parts(ROWS_PER_REQUEST):
        outcome.add(to.send(part.batch, part.kind), outcome.rows)
        progress.show(outcome.rows, f"now {_month(part.batch)}")
    progress.finish()
    if outcome.rejected:
        raise PermanentError(f"{outcome.rejected} rows were rejected: {outcome.rejects[0]}")


def _month(batch: pa.RecordBatch) -> str:
    return f"{batch.column('time')[-1].as_py():%B %Y}"


def _wait(stage: Stage, client: Client, stream: Stream) -> None:
    total = stream.predictions.num_rows
    progress = Progress(stage.out, "judged", total)

    def is_judged() -> bool:
        volumes = watching.all_of(client, SYSTEM, "volume")
        coverage = watching.all_of(client, SYSTEM, "label_coverage")
        now = watching.judged(volumes, coverage, FORTNIGHTS)
        progress.show(now.rows, f"{now.windows} windows, {now.settled} with all their labels")
        return now.rows == total and now.settled == now.windows

    watching.until(is_judged, stage.clock, _PATIENCE, "judging every window")
    progress.finish()
    watching.until(
        lambda: closing.is_settled(client), stage.clock, _PATIENCE, "evidence and deliveries"
    )


def _teller(stage: Stage) -> Callable[[Received], None]:
    def tell(one: Received) -> None:
        seal = "signature verified" if one.genuine else "SIGNATURE WRONG"
        stage.say(f"\n  ► on call is told ({seal}): {closing.headline(one)}")

    return tell


def _farewell(stage: Stage, url: str) -> None:
    took = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in stage.phases)
    stage.say(f"\nTook {sum(seconds for _, seconds in stage.phases):.0f} s: {took}")
    stage.say(f"Console  {url}/")
    stage.say(f"Token    {stage.data / 'admin.token'}")
