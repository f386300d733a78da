"""The processes of a run: started, killed, frozen, stopped in order, and started again."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

_PACE = {
    "WATCHKEEPER_FLUSH_INTERVAL": "1s",
    "WATCHKEEPER_JUDGE_INTERVAL": "1s",
    "WATCHKEEPER_REJUDGE_INTERVAL": "1s",
    "WATCHKEEPER_IDLE_TIMEOUT": "10m",
    "WATCHKEEPER_LEASE_TTL": "3s",
    "WATCHKEEPER_LONGEST_PAUSE": "2s",
    "WATCHKEEPER_EVIDENCE_REPORTS": "false",
    "WATCHKEEPER_KAFKA_SESSION_TIMEOUT": "6s",
}
_STOP_SECONDS = 60


@dataclass(slots=True)
class Member:
    """One process and how to start it again.

    Parameters
    ----------
    role, words
        What it is, and its command.
    log
        What it says.
    """

    role: str
    words: Sequence[str]
    process: subprocess.Popen[bytes]
    log: Path
    is_frozen: bool = False

    @property
    def runs(self) -> bool:
        """Whether the process is there."""
        return self.process.poll() is None


@dataclass(slots=True)
class Fleet:
    """All processes of one run.

    Parameters
    ----------
    folder
        For what they say.
    env
        Where their log and their database are.
    counts
        How often what was done to them.
    faults
        Ends that nobody asked for: the process and what it said last.
    """

    folder: Path
    env: Mapping[str, str]
    members: list[Member] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def start(self, role: str, words: Sequence[str] | None = None) -> Member:
        """Start a `watchkeeper` service, or the command `words`."""
        command = words or [sys.executable, "-m", "watchkeeper", role, "--port", "0"]
        self.counts["starts"] += 1
        log = self.folder / f"{role}-{self.counts['starts']}.log"
        member = Member(role, command, self._process(command, log), log)
        self.members.append(member)
        return member

    def _process(self, command: Sequence[str], path: Path) -> subprocess.Popen[bytes]:
        paths = os.pathsep.join(path for path in sys.path if path)
        found = {"PATH": os.defpath, "PYTHONPATH": paths, "PYTHONFAULTHANDLER": "1"}
        env = {**found, **_PACE, **self.env}
        with path.open("ab") as log:
            return subprocess.Popen(command, env=env, stdout=log, stderr=log)

    def of(self, role: str) -> list[Member]:
        """Return the processes of one role, oldest first."""
        return [member for member in self.members if member.role == role]

    def kill(self, members: Sequence[Member]) -> None:
        """End processes as a power cut would, and start others in their place."""
        self.counts["kill rounds"] += 1
        for member in members:
            self.counts["kills"] += 1
            self._end(member, signal.SIGKILL)
        for member in members:
            self._replace(member)

    def roll(self, members: Sequence[Member]) -> None:
        """Let one after the other end in order, and start another one in its place."""
        for member in members:
            self.stop(member)
            self._replace(member)

    def stop(self, member: Member) -> None:
        """Let it end in order; a bad end is a fault."""
        self.counts["stops"] += 1
        self._end(member, signal.SIGTERM)
        was_ready = "ready " in member.log.read_text(errors="replace")
        if member.process.returncode != 0 and was_ready:
            self._note(member)
        self.members.remove(member)

    def _replace(self, member: Member) -> None:
        if member in self.members:
            self.members.remove(member)
        self.start(member.role, member.words)

    def _end(self, member: Member, how: signal.Signals) -> None:
        self.thaw(member)
        member.process.send_signal(how)
        try:
            member.process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.faults.append(f"{member.role} did not end within {_STOP_SECONDS} s of {how.name}")
            member.process.kill()
            member.process.wait()

    def freeze(self, members: Sequence[Member], seconds: float) -> None:
        """Let processes stand still, and then go on as if nothing had happened."""
        for member in members:
            self.counts["freezes"] += 1
            member.process.send_signal(signal.SIGSTOP)
            member.is_frozen = True
        Event().wait(seconds)
        for member in members:
            self.thaw(member)

    def thaw(self, member: Member) -> None:
        """Let a frozen process run."""
        if member.is_frozen:
            member.process.send_signal(signal.SIGCONT)
            member.is_frozen = False

    def fill_disk(self, members: Sequence[Member], seconds: float) -> None:
        """Let every write to a file fail for a while, as on a full disk."""
        for member in members:
            self.counts["full disks"] += 1
            _limit(member.process.pid, 0)
        Event().wait(seconds)
        for member in members:
            _limit(member.process.pid, resource.RLIM_INFINITY)

    def look_after(self) -> None:
        """Start what ended by itself again, as any platform does; note that it happened."""
        for member in list(self.members):
            if member.runs or (member.role == "publisher" and member.process.returncode == 0):
                continue
            self.counts["exits"] += 1
            self._note(member)
            self._replace(member)

    def _note(self, member: Member) -> None:
        said = member.log.read_text(errors="replace")[-1500:]
        self.faults.append(f"{member.role} ended with {member.process.returncode}: …{said}")

    def autopsy(self) -> str:
        """End whatever runs so that it tells where each thread stands; return the last words."""
        said = []
        for member in self.members:
            if member.runs:
                self._end(member, signal.SIGABRT)
            said.append(f"{member.log.name}: …{member.log.read_text(errors='replace')[-6000:]}")
        return "\n".join([*self.faults, *said])

    def end(self) -> None:
        """Kill whatever is left."""
        for member in self.members:
            if member.runs:
                member.process.kill()
            member.process.wait()


def _limit(pid: int, size: int) -> None:
    try:
        _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (min(size, hard) if size >= 0 else hard, hard))
    except ProcessLookupError:
        return
