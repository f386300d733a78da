"""What the embedded log promises beyond the port: processes, retention, crashes, full disks."""

from __future__ import annotations

import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from watchkeeper_shared.clock import SystemClock
from watchkeeper_shared.errors import LogUnavailable, OffsetGone
from watchkeeper_shared.eventlog.embedded import EmbeddedLog
from watchkeeper_shared.eventlog.port import Message, TopicPartition
from watchkeeper_shared.testing.contracts.eventlog import append, values
from watchkeeper_shared.testing.readings import PATIENCE, SLICE, Reading

PROLOGUE = """
import resource, sys
from datetime import timedelta
from pathlib import Path
from watchkeeper_shared.clock import SystemClock
from watchkeeper_shared.errors import LogUnavailable
from watchkeeper_shared.eventlog.embedded import EmbeddedLog
from watchkeeper_shared.eventlog.port import Message
log = EmbeddedLog(Path(sys.argv[1]), SystemClock(), expiry=timedelta(seconds=1))
log.create_topics({"t": 4})
"""

APPENDS = """
writer = log.writer()
who = sys.argv[2]
futures = [writer.append(Message("t", f"k{i % 5}", f"{who} {i}".encode())) for i in range(300)]
for future in futures:
    future.result(30)
log.close()
"""

JOINS = """
reader = log.reader("g", ["t"])
while not reader.poll(timedelta(seconds=0.2)).assigned:
    pass
print("joined", flush=True)
while True:
    reader.poll(timedelta(seconds=0.2))
"""

# Past the limit the operating system refuses to write, as a full disk does.
FILLS = """
writer = log.writer()
value = bytes(100_000)
kept, failed = [], 0
resource.setrlimit(resource.RLIMIT_FSIZE, (3_000_000, resource.RLIM_INFINITY))
for i in range(60):
    try:
        kept.append(writer.append(Message("t", "k", b"%d " % i + value)).result(30).offset)
    except LogUnavailable as error:
        failed += 1
        assert "append to" in str(error), error
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
kept.append(writer.append(Message("t", "k", b"again")).result(30).offset)
assert failed, "the disk was never full"
assert kept == list(range(len(kept))), kept
log.close()
print(len(kept))
"""


@contextmanager
def process(script: str, path: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-W", "error", "-c", PROLOGUE + script, str(path), *arguments]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield child
    finally:
        child.kill()
        child.communicate()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.db"


@pytest.fixture
def log(path: Path) -> Iterator[EmbeddedLog]:
    log = EmbeddedLog(path, SystemClock(), expiry=timedelta(seconds=1))
    yield log
    log.close()


class StoppedClock(SystemClock):
    """Monotonic time runs; the calendar stands where it is put."""

    def __init__(self, instant: datetime) -> None:
        self.instant = instant

    def now(self) -> datetime:
        return self.instant


def test_processes_that_open_and_append_at_once_lose_nothing(path: Path) -> None:
    with (
        process(APPENDS, path, "a") as a,
        process(APPENDS, path, "b") as b,
        process(APPENDS, path, "c") as c,
    ):
        assert [child.wait(PATIENCE) for child in (a, b, c)] == [0, 0, 0]
    log = EmbeddedLog(path, SystemClock())
    records = Reading(log, "t").drain(900)
    log.close()
    seen = defaultdict(list)
    for record in records:
        who, i = record.value.decode().split()
        seen[who, record.key].append(int(i))
    assert len(seen) == 15
    assert all(order == list(range(order[0], 300, 5)) for order in seen.values())
    assert len({(record.at, record.offset) for record in records}) == 900


def test_a_poll_wakes_when_another_process_appends(log: EmbeddedLog, path: Path) -> None:
    log.create_topics({"t": 4})
    reading = Reading(log, "t")
    reading.begin(4)
    clock = SystemClock()
    started = clock.monotonic()
    with process(APPENDS, path, "a"):
        assert reading.reader.poll(timedelta(minutes=4)).records
    assert clock.monotonic() - started < PATIENCE


def test_the_partitions_of_a_killed_member_are_handed_over(log: EmbeddedLog, path: Path) -> None:
    with process(JOINS, path) as member:
        assert member.stdout is not None
        assert member.stdout.readline() == "joined\n"
        reader = log.reader("g", ["t"])
        ours = reader.poll(timedelta(seconds=5)).assigned
        assert len(ours) == 2
        member.kill()
        rest = reader.poll(timedelta(seconds=PATIENCE))
    assert len(rest.assigned | (ours - rest.lost)) == 4


def test_a_full_disk_fails_appends_and_is_survived(log: EmbeddedLog, path: Path) -> None:
    with process(FILLS, path) as child:
        output, _ = child.communicate(timeout=PATIENCE)
        assert child.returncode == 0
    records = Reading(log, "t").drain(int(output))
    assert records[-1].value == b"again"
    order = [int(record.value.split()[0]) for record in records[:-1]]
    assert order == sorted(set(order))


def test_records_past_their_age_go_and_their_readers_are_told(path: Path) -> None:
    clock = StoppedClock(datetime(2026, 1, 1, tzinfo=UTC))
    log = EmbeddedLog(path, clock)
    log.create_topics({"t": 1})
    append(log, [Message("t", "k", b"old")] * 3)
    clock.instant += timedelta(days=8)
    append(log, [Message("t", "k", b"new")])
    assert log.retain("t", age=timedelta(days=7)) == 3
    assert log.retain("t", age=timedelta(days=7)) == 0
    reading = Reading(log, "t")
    assert values(reading.drain(1)) == [b"new"]
    with pytest.raises(OffsetGone):
        reading.reader.start(TopicPartition("t", 0), 1)
    assert reading.reader.beginning(TopicPartition("t", 0)) == 3
    log.close()


def test_each_partition_keeps_at_most_its_bytes(log: EmbeddedLog) -> None:
    log.create_topics({"t": 2})
    append(log, [Message("t", f"{i}", bytes(999)) for i in range(2000)])
    removed = log.retain("t", size=100_000)
    reading = Reading(log, "t")
    for at in reading.begin(2):
        kept = reading.reader.end(at) - reading.reader.beginning(at)
        assert 95 <= kept <= 100
        removed += kept
    assert removed == 2000


def test_a_log_that_forgot_everything_counts_on(log: EmbeddedLog) -> None:
    log.create_topics({"t": 1})
    append(log, [Message("t", "k", b"x")] * 5)
    assert log.retain("t", size=0) == 5
    assert append(log, [Message("t", "k", b"y")]) == [5]
    assert values(Reading(log, "t").drain(1)) == [b"y"]


def test_a_reader_is_told_that_all_it_waited_for_is_gone(log: EmbeddedLog) -> None:
    log.create_topics({"t": 1})
    append(log, [Message("t", "k", b"x")] * 5)
    reading = Reading(log, "t", offset=2)
    (at,) = reading.begin(1)
    log.retain("t", size=0)
    with pytest.raises(OffsetGone) as gone:
        reading.drain(1)
    assert (gone.value.offset, gone.value.beginning, gone.value.end) == (2, 5, 5)
    reading.start(at, 5)
    append(log, [Message("t", "k", b"y")])
    assert values(reading.drain(1)) == [b"y"]


def test_every_partition_that_retention_overtakes_is_told(log: EmbeddedLog) -> None:
    log.create_topics({"t": 2})
    append(log, [Message("t", f"{i}", b"x") for i in range(50)])
    reading = Reading(log, "t", offset=0)
    reading.begin(2)
    log.retain("t", size=0)
    told = set()
    for _ in range(2):
        with pytest.raises(OffsetGone) as gone:
            reading.drain(1)
        told.add(gone.value.partition)
    assert told == {0, 1}


def test_a_topic_that_comes_back_under_a_reader_is_lost_and_assigned_anew(
    log: EmbeddedLog,
) -> None:
    log.create_topics({"t": 1})
    append(log, [Message("t", "k", b"before")] * 3)
    reading = Reading(log, "t")
    (at,) = reading.begin(1)
    reading.drain(3)
    log.delete_topic("t")
    log.create_topics({"t": 1})
    poll = reading.reader.poll(timedelta(seconds=5))
    assert poll.lost == poll.assigned == frozenset({at})
    append(log, [Message("t", "k", b"after")])
    reading.start(at, 0)
    assert values(reading.drain(1)) == [b"after"]


def test_a_writer_refuses_what_would_not_fit_its_memory(path: Path) -> None:
    log = EmbeddedLog(path, SystemClock(), budget=10_000)
    log.create_topics({"t": 1})
    future = log.writer().append(Message("t", "k", bytes(10_001)))
    with pytest.raises(LogUnavailable, match="slow down"):
        future.result(PATIENCE)
    log.close()


def test_reports_can_be_read_by_lag_tools(log: EmbeddedLog) -> None:
    log.create_topics({"t": 1})
    reader = log.reader("g", ["t"])
    reader.report({TopicPartition("t", 0): 7})
    reader.close()
    assert log.reported("g") == {("t", 0): 7}


def test_a_reader_works_long_between_polls_without_losing_its_share(log: EmbeddedLog) -> None:
    log.create_topics({"t": 1})
    reader, other = log.reader("g", ["t"]), log.reader("h", ["t"])
    assert reader.poll(timedelta(seconds=5)).assigned
    assert other.poll(timedelta(seconds=5)).assigned
    # Three lifetimes of a member that does not beat pass while only the other one polls.
    other.poll(timedelta(seconds=3))
    poll = reader.poll(SLICE)
    assert not poll.lost
    assert not poll.assigned


def test_a_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(LogUnavailable, match="nowhere"):
        EmbeddedLog(tmp_path / "nowhere" / "log.db", SystemClock())


def test_a_file_that_is_no_log_is_refused(path: Path) -> None:
    path.write_text("not a database, but long enough to look at" * 100)
    with pytest.raises(LogUnavailable, match=r"log\.db"):
        EmbeddedLog(path, SystemClock())
