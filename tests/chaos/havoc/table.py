"""The table that `make chaos` prints, one line per run."""

from __future__ import annotations

from collections import Counter

from havoc.run import Result

_SERVERS = ("broker", "database", "connections")
_COLUMNS = (
    ("rows", 7),
    ("rounds", 7),
    ("kills", 6),
    ("stops", 6),
    ("freezes", 8),
    ("full disks", 11),
    ("server faults", 14),
    ("exits", 6),
    ("withdrawn", 10),
    ("seconds", 8),
    ("differences", 12),
)


def head() -> str:
    """Return the names of the columns."""
    names = "".join(f"{name:>{width}}" for name, width in _COLUMNS)
    return f"{'log, database, workers, seed':<32}{names}"


def line(name: str, seed: int, result: Result, wrong: int) -> str:
    """Return the figures of one run.

    Parameters
    ----------
    wrong
        How many differences there were.
    """
    return _line(f"{name}, {seed}", numbers(result) + Counter({"differences": wrong}))


def total(summed: Counter[str]) -> str:
    """Return the sums of all runs."""
    return _line("sum", summed)


def numbers(result: Result) -> Counter[str]:
    """Return the figures of one run that can be added up."""
    counts = Counter(result.counts)
    return Counter(
        {
            "rows": len(result.outcome.sent),
            "rounds": counts["kill rounds"],
            "server faults": sum(n for name, n in counts.items() if name.startswith(_SERVERS)),
            "withdrawn": result.outcome.withdrawn,
            "seconds": round(result.seconds),
        }
    ) + Counter(
        {name: counts[name] for name in ("kills", "stops", "freezes", "full disks", "exits")}
    )


def _line(name: str, found: Counter[str]) -> str:
    return f"{name:<32}" + "".join(f"{found[column]:>{width}}" for column, width in _COLUMNS)
