"""The report of a breach: made elsewhere, in bounded time, offline, or missing with why."""

from __future__ import annotations

import gzip
import hashlib
import json
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from prometheus_client import CollectorRegistry

from watchkeeper_monitor.evidence.desk import Desk
from watchkeeper_monitor.evidence.jobs import Failed, Job
from watchkeeper_monitor.evidence.process import COMMAND, MakerProcess
from watchkeeper_monitor.meters import Meters
from watchkeeper_monitor.settings import EvidenceSettings
from watchkeeper_shared.clock import SystemClock
from watchkeeper_shared.db import tables
from watchkeeper_shared.db.registry import Registry

MINUTE = timedelta(seconds=60)
JOB = Job("e", "a title", "made of 1 of 2 rows", datetime(2026, 1, 1, tzinfo=UTC), b"", b"")


def python(code: str) -> tuple[str, ...]:
    return (sys.executable, "-c", code)


def breach(world: Any, *, labelled: bool = False) -> Any:
    """Let a day drift, and return its frozen evidence."""
    world.predict(0, drifted=True)
    world.settle()
    if labelled:
        ids = [f"day0-None-{number}" for number in range(400)]
        world.label(ids, ["1", "0"] * 200)
    for day in (1, 2):
        world.go_to(day + 1)
        world.predict(day, rows=60)
        world.settle()
    (frozen,) = world.all(tables.evidence)
    return frozen


def desk(world: Any, maker: MakerProcess, *, reports: bool = True) -> Desk:
    settings = EvidenceSettings(evidence_reports=reports)
    registry = Registry(world.database, SystemClock())
    meters = Meters(CollectorRegistry())
    return Desk(world.database, registry, world.clock, settings, maker, meters)


@pytest.fixture(scope="module")
def maker() -> Iterator[MakerProcess]:
    """The real process, which may not open a network socket; it loads once for all tests."""
    process = MakerProcess(MINUTE, (*COMMAND, "--no-network"))
    yield process
    process.close()


def reported(world: Any, maker: MakerProcess, *, reports: bool = True) -> Any:
    """Make what is pending, and return the evidence as it is then."""
    clerk = desk(world, maker, reports=reports)
    while clerk.step():
        pass
    (found,) = world.all(tables.evidence)
    return found


def reported_by(world: Any, command: Sequence[str], patience: timedelta = MINUTE) -> Any:
    """Do the same in a process of the test's own."""
    process = MakerProcess(patience, command)
    found = reported(world, process)
    process.close()
    return found


@pytest.mark.evidence
def test_a_report_is_made_without_a_socket_and_says_of_how_many_rows(
    referenced: Any, maker: MakerProcess
) -> None:
    frozen = breach(referenced, labelled=True)

    made = reported(referenced, maker)

    assert (made.state, made.attempts) == ("ready", 1)
    start, end = (f"{edge:%Y-%m-%d %H:%M}" for edge in (frozen.window_start, frozen.window_end))
    assert made.reason == f"made of 400 of 400 rows from {start} to {end} UTC"
    assert made.report_hash == hashlib.sha256(made.report_json.encode()).hexdigest()
    assert made.sample_hash == hashlib.sha256(made.sample).hexdigest() == frozen.sample_hash
    report = json.loads(made.report_json)
    drift = {one["config"]["column"]: one["value"] for one in report["parts"]["drift"]["metrics"]}
    assert drift["features.AGE"] > 2  # twenty years older, at a deviation of eight
    assert drift["features.JOB"] < 0.1
    assert "performance" in report["parts"]
    page = gzip.decompress(made.report_html).decode()
    assert made.reason in page
    first = made.report_json

    _make_again(referenced)

    assert reported(referenced, maker).report_json == first


def _make_again(world: Any) -> None:
    with world.database.transaction() as c:
        c.execute(sa.update(tables.evidence).values(state="pending", report_json=None, attempts=0))


@pytest.mark.evidence
def test_a_column_without_values_does_not_end_the_report(
    referenced: Any, maker: MakerProcess
) -> None:
    world = referenced
    world.predict(0, drifted=True, without=("features.JOB", "score"))
    world.settle()
    for day in (1, 2):
        world.go_to(day + 1)
        world.predict(day, rows=60)
        world.settle()

    assert reported(world, maker).state == "ready"


@pytest.mark.parametrize(
    "leaving",
    [
        "import socket; socket.socket()",
        "import subprocess, sys; subprocess.run([sys.executable, '-c', ''])",
    ],
)
def test_the_guard_does_end_the_process(leaving: str) -> None:
    code = (
        "from watchkeeper_monitor.evidence import child\n"
        "child._forbid_network()\n"
        f"try: {leaving}\n"
        "except BaseException: pass\n"
        "child.main()"
    )
    maker = MakerProcess(MINUTE, python(code))

    answer = maker.make(JOB)
    maker.close()

    assert answer == Failed("the process that makes reports did not start")


def test_telemetry_is_off_before_the_library_is_imported() -> None:
    code = (
        "import sys, os\n"
        "class Spy:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'evidently':\n"
        "            from watchkeeper_monitor.evidence import jobs\n"
        "            reason = 'DO_NOT_TRACK=' + os.environ.get('DO_NOT_TRACK', 'unset')\n"
        "            jobs.write(sys.stdout.buffer, jobs.Failed(reason)); os._exit(0)\n"
        "sys.meta_path.insert(0, Spy())\n"
        "from watchkeeper_monitor.evidence import maker"
    )
    maker = MakerProcess(MINUTE, python(code))

    answer = maker.make(JOB)
    maker.close()

    assert answer == Failed("DO_NOT_TRACK=1")


def test_a_maker_that_hangs_is_killed_and_the_report_is_missing(referenced: Any) -> None:
    breach(referenced)
    code = (
        "import sys, threading\n"
        "from watchkeeper_monitor.evidence import jobs\n"
        "jobs.write(sys.stdout.buffer, jobs.Started())\n"
        "threading.Event().wait()"
    )

    made = reported_by(referenced, python(code), timedelta(milliseconds=300))

    assert (made.state, made.attempts) == ("missing", 2)
    assert made.reason == "no report could be made: it took longer than 0.3 seconds"
    assert made.sample_rows == 400


def test_a_maker_that_dies_is_tried_twice_and_the_report_is_missing(referenced: Any) -> None:
    breach(referenced)

    made = reported_by(referenced, python("raise SystemExit(3)"))

    assert (made.state, made.attempts) == ("missing", 2)


def test_without_the_extra_the_report_is_missing_and_says_what_to_install(referenced: Any) -> None:
    breach(referenced)
    code = (
        "import sys; sys.modules['evidently'] = None\n"
        "from watchkeeper_monitor.evidence.child import main; main()"
    )

    made = reported_by(referenced, python(code))

    assert made.state == "missing"
    assert "pip install 'watchkeeper[evidence]'" in made.reason


def test_without_a_reference_the_report_is_missing(world: Any, maker: MakerProcess) -> None:
    rule = {"id": "few", "metric": "volume", "below": True, "breach": 10_000, "min_rows": 1}
    world.policy([rule])
    world.predict(0)
    world.settle()
    world.clock.advance(timedelta(hours=1))
    world.settle()

    made = reported(world, maker)

    assert (made.state, made.attempts) == ("missing", 0)
    assert made.reason == "the version has no reference to compare the rows with"


def test_reports_can_be_switched_off(referenced: Any, maker: MakerProcess) -> None:
    breach(referenced)

    assert reported(referenced, maker, reports=False).state == "missing"


def test_a_stop_in_the_middle_leaves_the_report_for_the_next_start(referenced: Any) -> None:
    breach(referenced)
    maker = MakerProcess(MINUTE)
    clerk = desk(referenced, maker)
    maker.close()

    clerk.step()

    (left,) = referenced.all(tables.evidence)
    assert (left.state, left.attempts) == ("pending", 0)
