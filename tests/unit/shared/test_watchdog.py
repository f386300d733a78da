"""A loop that makes no progress ends its process, and says what every thread was doing."""

from __future__ import annotations

import logging
import subprocess
import sys
from datetime import timedelta

import pytest

from watchkeeper_shared.observability.watchdog import STALLED, Watchdog
from watchkeeper_shared.testing.clocks import ManualClock

FIVE = timedelta(minutes=5)


def watch(watchdog: Watchdog, clock: ManualClock, length: timedelta) -> None:
    """Let time pass as in a process that runs: one look a second."""
    for _ in range(int(length.total_seconds())):
        clock.advance(timedelta(seconds=1))
        watchdog.look()


def test_progress_keeps_it_quiet_and_its_absence_does_not(
    clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    codes: list[int] = []
    watchdog = Watchdog(clock, FIVE, codes.append)
    for _ in range(10):
        watch(watchdog, clock, timedelta(minutes=4))
        watchdog.progressed()
    quiet = list(codes)

    with caplog.at_level(logging.CRITICAL):
        watch(watchdog, clock, FIVE)

    (told,) = caplog.records
    assert (quiet, codes) == ([], [STALLED])
    assert told.message == "stalled"
    assert any("watchdog.look()" in "".join(lines) for lines in vars(told)["stacks"].values())


def test_a_process_that_was_suspended_is_given_its_time_again(clock: ManualClock) -> None:
    codes: list[int] = []
    watchdog = Watchdog(clock, FIVE, codes.append)
    watch(watchdog, clock, timedelta(minutes=4))

    clock.advance(timedelta(hours=1))
    watchdog.look()
    watch(watchdog, clock, timedelta(minutes=4))
    quiet = list(codes)
    watch(watchdog, clock, timedelta(minutes=1))

    assert (quiet, codes) == ([], [STALLED])


HANGS = """
import sys, threading
from datetime import timedelta
from watchkeeper_shared.observability.watchdog import Watchdog
from watchkeeper_shared.clock import SystemClock
from watchkeeper_shared.observability.logs import configure
configure("monitor", sys.stderr)
def hangs_in_here():
    threading.Event().wait()
threading.Thread(target=hangs_in_here, name="monitor").start()
Watchdog(SystemClock(), timedelta(seconds=1)).run(threading.Event(), lambda: None)
"""


def test_a_process_with_a_thread_that_hangs_ends_and_names_the_place() -> None:
    done = subprocess.run(  # noqa: PLW1510 - the code is what is asked for
        [sys.executable, "-c", HANGS], capture_output=True, text=True, timeout=60
    )

    assert done.returncode == STALLED
    assert "hangs_in_here" in done.stderr
