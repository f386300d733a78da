"""The demo's own Watchkeeper: `watchkeeper up` as a child process, stopped with the demo."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from watchkeeper_shared.errors import ConfigError

_START_SECONDS = 60
_STOP_SECONDS = 30
_READY = "ready "


@contextmanager
def running(data: Path, env: Mapping[str, str], port: int) -> Iterator[str]:
    """Run `watchkeeper up --data DATA` while the block runs; yields its address.

    Parameters
    ----------
    data
        Its folder; its log is written to `watchkeeper.log` in it.
    env
        Its whole environment.
    port
        Where it serves; 0 takes a free one.

    Raises
    ------
    ConfigError
        It ended, or did not become ready in a minute; its last words are in the message.
    """
    log = data / "watchkeeper.log"
    words = [sys.executable, "-m", "watchkeeper", "up", "--data", str(data), "--port", str(port)]
    with (
        log.open("ab") as errors,
        subprocess.Popen(  # noqa: S603  the words are all ours
            words,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=dict(env),
            text=True,
            # A Ctrl-C is for the demo, which stops the child when it is done with it.
            start_new_session=True,
        ) as child,
    ):
        try:
            yield _address(child, log)
        finally:
            child.terminate()
            try:
                child.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                child.kill()


def _address(child: subprocess.Popen[str], log: Path) -> str:
    found: list[str] = []
    settled = threading.Event()
    thread = threading.Thread(target=_listen, args=(child.stdout, found, settled), daemon=True)
    thread.start()
    settled.wait(_START_SECONDS)
    if not found:
        last = log.read_text(errors="replace").strip().splitlines()[-1:] or ["it said nothing"]
        raise ConfigError(f"watchkeeper up did not start: {last[0]} (all of it: {log})")
    return found[0]


def _listen(stdout: IO[str] | None, found: list[str], settled: threading.Event) -> None:
    """Read to the end, so that the child never waits for a full pipe."""
    for line in stdout or ():
        if line.startswith(_READY):
            found.append(line.removeprefix(_READY).strip())
            settled.set()
    settled.set()
