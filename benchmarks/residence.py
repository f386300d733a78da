"""How much memory the processes of a measurement hold, from its start to its end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.figure import Figure


class Memory:
    """Resident memory of some services; the first look is made at once.

    Parameters
    ----------
    prefix
        What the names of the figures begin with.
    ingest, monitors, alerting
        Process ids; alerting where it runs.
    """

    def __init__(
        self, prefix: str, ingest: int, monitors: Sequence[int], alerting: int | None = None
    ) -> None:
        self._prefix = prefix
        self._pids = {"ingest": ingest}
        self._pids |= {f"monitor_{place}": pid for place, pid in enumerate(monitors, 1)}
        if alerting is not None:
            self._pids["alerting"] = alerting
        self._looks: list[dict[str, float]] = []
        self.note()

    def note(self) -> None:
        """Look again."""
        self._looks.append({name: _resident(pid) for name, pid in self._pids.items()})

    def figures(self, words: str) -> Iterator[Figure]:
        """Look once more; yield what each process holds, beside what it held at each look."""
        self.note()
        for name in self._pids:
            *before, now = [look[name] for look in self._looks]
            said = ", then ".join(f"{one:.0f}" for one in before)
            full = f"{self._prefix}_{name}_memory"
            yield Figure(full, now, "MiB", f"{words}; at the start {said}")


def _resident(pid: int) -> float:
    """Return the resident memory of a process in MiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024
