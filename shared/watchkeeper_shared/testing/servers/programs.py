"""Programs of the operating system that tests drive for real."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from watchkeeper_shared.testing.servers.unavailable import ServerUnavailable


def find_program(name: str, package: str) -> Path:
    """Return where the program `name` lies.

    Parameters
    ----------
    name
        As one would type it: `promtool`.
    package
        The Debian package that brings it, for the message.

    Raises
    ------
    ServerUnavailable
        It is not on the PATH.
    """
    found = shutil.which(name)
    if found is None:
        raise ServerUnavailable(
            f"{name} is not on the PATH; Debian has it in the package {package}"
        )
    return Path(found)


def run_program(command: Sequence[str | Path], seconds: float = 60) -> tuple[int, str]:
    """Run `command` and return its exit status and all that it printed."""
    done = subprocess.run(  # noqa: PLW1510 - the caller judges the status
        [str(part) for part in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=seconds,
    )
    return done.returncode, done.stdout
