"""Several processes on one database: they wait for each other, and a kill undoes nothing kept."""

from __future__ import annotations

import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from watchkeeper_shared.db import audit, positions, tables
from watchkeeper_shared.db.engine import open_engine
from watchkeeper_shared.db.unit_of_work import Database
from watchkeeper_shared.errors import Conflict, Fenced, StoreUnavailable
from watchkeeper_shared.eventlog.port import TopicPartition

NOW = datetime(2026, 11, 23, 6, tzinfo=UTC)
AT = TopicPartition("predictions", 0)

_ACTS = """
import sys
from datetime import UTC, datetime
from watchkeeper_shared.db import audit
from watchkeeper_shared.db.engine import open_engine
from watchkeeper_shared.db.unit_of_work import Database

database = Database(open_engine(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
for number in range(int(sys.argv[2])):
    with database.transaction() as c:
        at = datetime(2026, 11, 23, tzinfo=UTC)
        audit.record(c, at=at, actor="a", act="b", subject="c", reason="", body={})
    print(number, flush=True)
"""

_OPENS = """
import sys
from watchkeeper_shared.db.engine import open_engine
from watchkeeper_shared.db.unit_of_work import Database

print("ready", flush=True)
for line in sys.stdin:
    database = Database(open_engine(line.strip()))
    database.ping()
    database.close()
    print("opened", flush=True)
"""

_FLUSHES = """
import sys
from datetime import UTC, datetime
import sqlalchemy as sa
from watchkeeper_shared.db import positions, tables
from watchkeeper_shared.db.engine import open_engine
from watchkeeper_shared.db.unit_of_work import Database
from watchkeeper_shared.eventlog.port import TopicPartition

database, at = Database(open_engine(sys.argv[1])), TopicPartition("predictions", 0)
now = datetime(2026, 11, 23, tzinfo=UTC)
with database.transaction() as c:
    held = positions.claim(c, "monitor", at, "t", "killed", 0, now)
print("ready", flush=True)
sys.stdin.readline()
while True:
    with database.transaction() as c:
        value = tables.tallies.c.value + 10
        c.execute(sa.update(tables.tallies).values(value=value))
        held = positions.advance(c, held, held.next_offset + 10, now)
    print(held.next_offset, flush=True)
"""


def start(tmp_path: Path, source: str, *arguments: str) -> subprocess.Popen[str]:
    script = tmp_path / "process.py"
    script.write_text(source)
    process = subprocess.Popen(
        [sys.executable, "-W", "error", str(script), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def test_processes_that_write_together_all_get_through(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    processes = [start(tmp_path, _ACTS, database_url, "50") for _ in range(3)]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        process.communicate(timeout=120)

    assert [process.returncode for process in processes] == [0, 0, 0]
    with database.read() as c:
        assert [one.index for one in audit.entries(c, limit=1000)] == list(range(1, 151))


def test_processes_that_meet_on_a_new_file_all_open_it(tmp_path: Path) -> None:
    processes = [start(tmp_path, _OPENS) for _ in range(4)]
    opened = 0
    for number in range(40):
        for process in processes:
            assert process.stdin is not None
            process.stdin.write(f"sqlite:///{tmp_path / str(number)}.db\n")
            process.stdin.flush()
        for process in processes:
            assert process.stdout is not None
            opened += process.stdout.readline() == "opened\n"
    for process in processes:
        process.communicate(timeout=60)

    assert opened == 4 * 40


def test_state_and_position_agree_after_a_kill_and_the_killed_one_is_fenced(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    with database.transaction() as c:
        c.execute(sa.insert(tables.tallies).values(system="s", name="rows", value=0))
    process = start(tmp_path, _FLUSHES, database_url)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("go\n")
    process.stdin.flush()
    told = [int(process.stdout.readline()) for _ in range(5)][-1]
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)

    with database.transaction() as c:
        taken = positions.claim(c, "monitor", AT, "t", "next", 0, NOW)
        rows = c.execute(sa.select(tables.tallies.c.value)).scalar_one()

    assert rows == taken.next_offset >= told
    stale = positions.Claim("monitor", AT, taken.epoch - 1, taken.next_offset)
    with pytest.raises(Fenced), database.transaction() as c:
        positions.advance(c, stale, stale.next_offset + 10, NOW)


def test_a_writer_that_waited_too_long_is_told_to_try_again(sqlite_url: str) -> None:
    database = Database(open_engine(sqlite_url))
    impatient = open_engine(sqlite_url)
    sa.event.listen(impatient, "connect", lambda c, _record: c.execute("PRAGMA busy_timeout=50"))
    other = Database(impatient)

    with database.transaction() as c:
        c.execute(sa.insert(tables.leases).values(name="n", holder="h", expires_at=NOW))
        with pytest.raises(StoreUnavailable, match="locked"), other.transaction():
            pytest.fail("two writers at once")

    row = {"name": "n", "holder": "h", "expires_at": NOW + timedelta(seconds=1)}
    with pytest.raises(Conflict), other.transaction() as c:
        c.execute(sa.insert(tables.leases).values(**row))
    database.close()
    other.close()
