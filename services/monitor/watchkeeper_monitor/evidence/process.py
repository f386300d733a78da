"""The maker's process: started when first needed, killed when it hangs, never waited for."""

from __future__ import annotations

import queue
import subprocess
import sys
import threading
from collections.abc import Sequence
from datetime import timedelta
from typing import IO

import msgspec

from watchkeeper_monitor.evidence.jobs import Failed, Job, Made, Said, Started, read, write

COMMAND = (sys.executable, "-m", "watchkeeper_monitor.evidence.child")
STOPPING = "the monitor is stopping"
LOADING = timedelta(seconds=120)
"""How long the libraries may take to load; about 6 seconds on a quiet machine."""


class MakerProcess:
    """One process that makes one report at a time.

    Parameters
    ----------
    patience
        How long one report may take.
    command
        What is run.
    """

    def __init__(self, patience: timedelta, command: Sequence[str] = COMMAND) -> None:
        self._patience = patience
        self._command = tuple(command)
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._answers: queue.Queue[Said | None] = queue.Queue()
        self._closed = False

    def make(self, job: Job) -> Made | Failed:
        """Have a report made. Whatever happens in the process, this returns in bounded time."""
        answer = self._make(job)
        if isinstance(answer, Failed) and self._closed:
            return Failed(STOPPING)
        return answer

    def _make(self, job: Job) -> Made | Failed:
        if not self._is_running():
            started = self._start()
            if isinstance(started, Failed):
                return started
        answer = self._asked(job)
        if isinstance(answer, Made | Failed):
            return answer
        self._kill()
        return Failed("the process ended without an answer")

    def _is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def _start(self) -> Started | Failed:
        with self._lock:
            if self._closed:
                return Failed(STOPPING)
            self._answers = queue.Queue()
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
            _listen(self._process, self._answers)
        answer = self._wait(LOADING)
        if isinstance(answer, Started | Failed):
            return answer
        self._kill()
        return Failed("the process that makes reports did not start")

    def _asked(self, job: Job) -> Said | None:
        process = self._process
        if process is None or process.stdin is None:
            return None
        # A process that hangs does not read its pipe either, and must not hold us up.
        writer = threading.Thread(target=_send, args=(process.stdin, job), daemon=True)
        writer.start()
        try:
            return self._answers.get(timeout=self._patience.total_seconds())
        except queue.Empty:
            self._kill()
            seconds = self._patience.total_seconds()
            return Failed(f"it took longer than {seconds:g} seconds")

    def _wait(self, patience: timedelta) -> Said | None:
        try:
            return self._answers.get(timeout=patience.total_seconds())
        except queue.Empty:
            return None

    def _kill(self) -> None:
        with self._lock:
            process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                _close(pipe)

    def close(self) -> None:
        """End the process. Idempotent; a report under way fails."""
        with self._lock:
            self._closed = True
        self._kill()


def _listen(process: subprocess.Popen[bytes], answers: queue.Queue[Said | None]) -> None:
    def listen() -> None:
        pipe = process.stdout
        if pipe is None:
            return
        try:
            while (answer := read(pipe)) is not None:
                answers.put(answer)
        except (OSError, ValueError, msgspec.DecodeError):
            pass  # the pipe was closed, or what came was no answer: both are the end
        answers.put(None)

    threading.Thread(target=listen, name="monitor-evidence-pipe", daemon=True).start()


def _send(pipe: IO[bytes], job: Job) -> None:
    try:
        write(pipe, job)
    except (OSError, ValueError):
        return  # the process is gone; the reader of its answers says so


def _close(pipe: IO[bytes]) -> None:
    try:
        pipe.close()
    except (OSError, ValueError):
        return
