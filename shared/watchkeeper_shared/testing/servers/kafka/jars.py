"""The jars of Apache Kafka: fetched once per machine with the pom that is committed here."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from watchkeeper_shared.testing.servers import ServerUnavailable

POM = Path(__file__).parent / "pom.xml"
FETCH_SECONDS = 300


def program(name: str, env: Mapping[str, str]) -> str:
    """Return the path of a program.

    Raises
    ------
    ServerUnavailable
        It is not on the path.
    """
    found = shutil.which(name, path=env.get("PATH"))
    if found is None:
        raise ServerUnavailable(
            f"no `{name}` on the path: install a Java 17 runtime and Maven, or name a running"
            " broker in WATCHKEEPER_TEST_KAFKA"
        )
    return found


def kafka_jars(env: Mapping[str, str]) -> Path:
    """Return the folder with the jars; the first call on a machine downloads 54 MB.

    Raises
    ------
    ServerUnavailable
        There is no Maven, or it cannot fetch the jars.
    """
    version = hashlib.sha256(POM.read_bytes()).hexdigest()[:12]
    cache = Path(env.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "watchkeeper"
    jars = cache / f"kafka-{version}"
    if not jars.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as folder:
            fetched = Path(folder) / "jars"
            _fetch(fetched, env)
            _publish(fetched, jars)
    return jars


def _fetch(folder: Path, env: Mapping[str, str]) -> None:
    command = [program("mvn", env), "-q", "-B", "-f", str(POM)]
    command += ["dependency:copy-dependencies", f"-DoutputDirectory={folder}"]
    try:
        done = subprocess.run(
            command,
            env=dict(env),
            capture_output=True,
            text=True,
            timeout=FETCH_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        raise ServerUnavailable(f"Maven did not fetch Kafka within {FETCH_SECONDS} s") from late
    if done.returncode:
        lines = (done.stdout + done.stderr).strip().splitlines() or ["it said nothing"]
        raise ServerUnavailable(f"Maven cannot fetch Kafka: {lines[0]}")


def _publish(fetched: Path, jars: Path) -> None:
    """Move the folder to its place in one step; another process may have been quicker."""
    try:
        fetched.rename(jars)
    except OSError:
        if not jars.is_dir():
            raise
