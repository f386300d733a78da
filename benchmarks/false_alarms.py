"""How often a rule cries wolf, and how soon it finds a shift: ours, Evidently's, plain KS.

`python -m benchmarks.false_alarms` runs the whole study (seeded, a few minutes) and prints the
tables of benchmarks/README.md; `make bench` runs a short one. Everybody sees the same rows.

An alarm is a feature in a window. Ours counts rows, measures, pools, learns dispersion and
decides with the monitor's own code; only its database is replaced by lists. False alarms are
counted from the first window on, while dispersion is not learnt yet too.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from statistics import median

import pyarrow as pa

from benchmarks.alarm_streams import FEATURES, NUMERIC, Stream
from benchmarks.alarm_watchers import BUDGET, Ours, Watcher, evidently, plain_ks
from benchmarks.figure import Figure

COMMAND = "python -m benchmarks.false_alarms"
PER = 500
PATIENCE = 100
"""Windows after a shift within which it must be found."""
RIVAL_WINDOWS = 100
RIVAL_FEATURES = 5
"""The rivals have no memory, so less tells their rates; they take most of the time."""

WATCHERS: dict[str, Callable[[pa.RecordBatch], Watcher]] = {
    "ours": Ours,
    "evidently": evidently,
    "ks": plain_ks,
}
IN_CONTROL = (
    Stream("in control, 1,000 rows"),
    Stream("in control, 200 rows", rows=200),
    Stream("in control, reference 1,000", reference_rows=1_000),
    Stream("in control, 5,000 rows", rows=5_000, reference_rows=50_000),
    Stream("clustered by 3", cluster=3),
    Stream("season of 7 windows", swing=0.1),
    Stream("level wanders, 0.1 sd", wander=0.1),
    Stream("level wanders, reference 1,000", wander=0.1, reference_rows=1_000),
)
SHIFTED = (
    Stream("shift 0.05 sd, 5,000 rows", rows=5_000, reference_rows=50_000, shift=0.05),
    Stream("shift 0.1 sd, 1,000 rows", shift=0.1),
    Stream("shift 0.2 sd, 200 rows", rows=200, shift=0.2),
    Stream("shift 0.2 sd, reference 1,000", reference_rows=1_000, shift=0.2),
    Stream("shift 0.5 sd, 200 rows", rows=200, shift=0.5),
)


@dataclass(slots=True)
class Alarms:
    """What one watcher said about one stream in control."""

    windows: int = 0
    features: int = 0
    noisy_windows: int = 0

    @property
    def per_500(self) -> float:
        """Feature alarms per 500 windows."""
        return self.features * PER / self.windows


@dataclass(slots=True)
class Delays:
    """How long one watcher took to find each shift: 1 is the first shifted window."""

    found: list[int] = field(default_factory=list)
    shifts: int = 0

    @property
    def median(self) -> float:
        """Of the shifts that were found."""
        return float(median(self.found)) if self.found else float("nan")

    @property
    def share(self) -> float:
        """Of shifts found within 100 windows."""
        return len(self.found) / self.shifts


def alarms(stream: Stream, watcher: str, windows: int, seeds: Sequence[int]) -> Alarms:
    """Let one watcher see windows in control."""
    found = Alarms()
    for seed in seeds:
        watch = WATCHERS[watcher](stream.reference(seed))
        for place in range(windows):
            said = watch(place, stream.window(place, seed), FEATURES)
            found.windows += 1
            found.features += len(said)
            found.noisy_windows += bool(said)
    return found


def delays(stream: Stream, watcher: str, seeds: Sequence[int]) -> Delays:
    """Let one watcher see features that shift, each at a window of its own."""
    found = Delays()
    for seed in seeds:
        watch = WATCHERS[watcher](stream.reference(seed))
        starts = dict(zip(NUMERIC, stream.shifts_at(seed).tolist(), strict=True))
        if watcher != "ours":
            starts = {name: starts[name] for name in NUMERIC[:RIVAL_FEATURES]}
        waiting = dict(starts)
        found.shifts += len(starts)
        # Only ours has a memory of the windows before the shift.
        place = 0 if watcher == "ours" else min(starts.values())
        while waiting:
            asked = [name for name, start in waiting.items() if start <= place]
            said = watch(place, stream.window(place, seed), asked).intersection(asked)
            found.found += [place + 1 - waiting.pop(name) for name in said]
            waiting = {name: at for name, at in waiting.items() if place < at + PATIENCE - 1}
            place += 1
    return found


def figures() -> Iterator[Figure]:
    """Yield the short study for `make bench`."""
    seeds = (42001,)
    for name, stream in (
        ("", IN_CONTROL[0]),
        ("_clustered", IN_CONTROL[4]),
        ("_seasonal", IN_CONTROL[5]),
    ):
        ours = alarms(stream, "ours", 250, seeds)
        theirs = {who: alarms(stream, who, 20, seeds).per_500 for who in ("evidently", "ks")}
        yield Figure(
            f"false_alarms_per_500_windows{name}",
            ours.per_500,
            "alarms",
            f"{stream.name}, 20 features: Evidently {theirs['evidently']:.0f}, "
            f"KS p<0.05 {theirs['ks']:.0f}",
        )
    found = delays(SHIFTED[1], "ours", seeds)
    words = f"{SHIFTED[1].name}: {found.share:.0%} found within {PATIENCE}"
    yield Figure("shift_0.1sd_delay_windows", found.median, "windows", words)


def study(seeds: Sequence[int]) -> Iterator[str]:
    """Yield the lines of both tables as they are known."""
    yield f"Alarms (feature x window) per {PER} windows in control; windows with an alarm, in %"
    yield _line("stream", WATCHERS)
    for stream in IN_CONTROL:
        cells = []
        for watcher in WATCHERS:
            windows = PER if watcher == "ours" else RIVAL_WINDOWS
            found = alarms(stream, watcher, windows, seeds if watcher == "ours" else seeds[:1])
            cells.append(f"{found.per_500:.1f}; {found.noisy_windows / found.windows:.0%}")
        yield _line(stream.name, cells)
    yield f"\nMedian delay in windows; share of shifts found within {PATIENCE} windows"
    yield _line("stream", WATCHERS)
    for stream in SHIFTED:
        cells = []
        for watcher in WATCHERS:
            late = delays(stream, watcher, seeds if watcher == "ours" else seeds[:1])
            cells.append(f"{late.median:g}; {late.share:.0%}" if late.found else "never")
        yield _line(stream.name, cells)


def _line(name: str, cells: Sequence[str] | dict[str, object] | object) -> str:
    assert isinstance(cells, Sequence | dict)
    return f"| {name:<32} | " + " | ".join(f"{cell:>14}" for cell in cells) + " |"


if __name__ == "__main__":
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 2
    print(f"{runs} seeded runs, alarm budget {BUDGET:,}, {len(FEATURES)} features\n")
    for line in study(range(42001, 42001 + runs)):
        print(line, flush=True)
