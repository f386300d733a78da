"""The same rows through our profile and through each peer, in turns."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa

from benchmarks.figure import Figure, seconds
from benchmarks.stream import SYSTEM, VERSION, batch, spec
from watchkeeper_monitor.profiles import Profile
from watchkeeper_monitor.references.reference import Reference, add_rows

ROWS, BATCH_ROWS = 20_000, 1_000
HERE = Path(__file__).parent
PEERS = {
    "river": "a histogram per numeric feature, counters, AUC; row by row",
    "whylogs": "one DatasetProfile, 1,000-row frames",
}


def figures() -> Iterator[Figure]:
    """Yield the ratio to each peer that can be installed here."""
    with tempfile.TemporaryDirectory(prefix="watchkeeper-peers-") as name:
        path = Path(name) / "rows.arrow"
        rows = batch(ROWS, 3, labels=True)
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, rows.schema) as writer:
            writer.write_batch(rows)
        for peer, words in PEERS.items():
            yield from _against(peer, words, path, rows)


def _against(peer: str, words: str, path: Path, rows: pa.RecordBatch) -> Iterator[Figure]:
    python = _environment(peer)
    if python is None:
        print(f"not measured: {peer} could not be installed here", file=sys.stderr)
        return
    mine = seconds(_ours(rows), rounds=5)
    script = HERE / f"fold_{peer}.py"
    done = subprocess.run(
        [python, script, path], check=True, capture_output=True, text=True, timeout=600
    )
    theirs = float(done.stdout.split()[-1])
    baseline = f"{peer} {ROWS / theirs:,.0f} rows/s ({words}); ours {ROWS / mine:,.0f} rows/s"
    yield Figure(f"profile_vs_{peer}", theirs / mine, "x", baseline)


def _ours(rows: pa.RecordBatch) -> Callable[[], object]:
    reference = Reference.build([batch(10_000, 1, labels=True)], spec(), SYSTEM, VERSION)
    batches = [rows.slice(at, BATCH_ROWS) for at in range(0, ROWS, BATCH_ROWS)]

    def run() -> object:
        profile = Profile.empty(reference.grid)
        for one in batches:
            add_rows(profile, one)
        return profile

    return run


def _environment(peer: str) -> Path | None:
    """Return the interpreter of the peer's own environment, made once under build/."""
    home = Path("build/peers") / peer
    python = home / "bin/python"
    ready = home / ".ready"
    if ready.exists():
        return python
    needs = HERE / f"requirements-{peer}.txt"
    uv = Path(sys.executable).with_name("uv")
    commands: tuple[list[str | Path], ...] = (
        [uv, "venv", "--quiet", "--clear", "--python", sys.executable, home],
        [uv, "pip", "install", "--quiet", "--python", python, "-r", needs],
    )
    for command in commands:
        if subprocess.run(command, check=False).returncode:
            return None
    ready.touch()
    return python
