"""Backtests for the API: `watchkeeper backtest` in a process of its own, one at a time.

A replay of many systems takes a minute of a processor. In a child it takes neither that
minute nor the memory from alerts and people, and it is the very command that a person runs.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from datetime import timedelta

from watchkeeper_alerting.backtesting import Asked
from watchkeeper_shared.clock import Clock
from watchkeeper_shared.errors import RetryableError

PATIENCE = timedelta(minutes=10)
_LOOK = 0.2
_BUSY = timedelta(seconds=30)


class ChildBacktester:
    """Runs the command. Safe to use from several threads.

    Parameters
    ----------
    env
        The child's environment; `WATCHKEEPER_DATABASE_URL` is in it.
    clock, patience
        How long a replay may take.
    stop
        Ends a replay under way when it is set.
    """

    def __init__(
        self,
        env: Mapping[str, str],
        clock: Clock,
        stop: threading.Event,
        patience: timedelta = PATIENCE,
    ) -> None:
        self._env = dict(env)
        self._clock = clock
        self._stop = stop
        self._patience = patience
        self._busy = threading.Lock()

    def __call__(self, asked: Asked) -> bytes:
        """Return the report as JSON.

        Raises
        ------
        RetryableError
            Another one is running, this process is ending, or the command failed.
        """
        if not self._busy.acquire(blocking=False):
            raise RetryableError("another backtest is running; ask again when it is done", _BUSY)
        try:
            return self._run(asked)
        finally:
            self._busy.release()

    def _run(self, asked: Asked) -> bytes:
        process = subprocess.Popen(  # noqa: S603 - the words are ours, and instants
            _command(asked),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self._env,
            start_new_session=True,  # so that its own processes end with it
        )
        out, err = self._finished(process, asked.policy.encode())
        if process.returncode == 0:
            return out
        said = err.decode(errors="replace").strip() or f"exit code {process.returncode}"
        raise RetryableError(f"the backtest ended without an answer: {said.splitlines()[-1]}")

    def _finished(self, process: subprocess.Popen[bytes], policy: bytes) -> tuple[bytes, bytes]:
        """Wait for the child, but not past a stop or our patience."""
        end = self._clock.monotonic() + self._patience.total_seconds()
        given: bytes | None = policy
        while True:
            try:
                return process.communicate(given, timeout=_LOOK)
            except subprocess.TimeoutExpired:
                given = None  # the child has it, or will get the rest of it
            if self._stop.is_set() or self._clock.monotonic() >= end:
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()
                why = "this process is ending" if self._stop.is_set() else "it took too long"
                raise RetryableError(f"the backtest was given up: {why}")


def _command(asked: Asked) -> list[str]:
    words = [sys.executable, "-m", "watchkeeper", "backtest", "--policy", "-", "--json"]
    words += ["--since", asked.since.isoformat(), "--until", asked.until.isoformat()]
    for system in asked.systems:
        words.append(f"--system={system}")
    return words
