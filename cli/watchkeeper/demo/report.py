"""What the demo tells at its end, as lines of text. Pure: answers of the API in, text out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from watchkeeper_shared.metric_names import FAMILIES, Family, family_of

Row = Mapping[str, Any]
"""One measurement, alert, ticket or delivery as the API returns it."""

_TOGETHER = 3  # more columns than this of one metric are told by the worst of them
_RANK = {"breach": 0, "warn": 1, "error": 2, "insufficient": 3, "no_data": 4, "ok": 5}


def measured(rows: Sequence[Row]) -> Iterator[str]:
    """Tell the newest values, by family; `rows` are the newest of each series."""
    families: dict[Family, dict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        family = family_of(row["metric"])
        if family is not None:
            families[family][row["metric"]].append(row)
    for family, names in FAMILIES.items():
        found = families.get(family, {})
        if found:
            yield f"  {family.value}"
        for name in names:
            if name in found:
                yield from _of_metric(name, found[name])


def _of_metric(name: str, rows: list[Row]) -> Iterator[str]:
    whole = [row for row in rows if not row["segment"]] or rows
    ranked = sorted(whole, key=_worst_first)
    for row in ranked if len(ranked) <= _TOGETHER else ranked[:1]:
        yield f"    {name:<30} {_where(row):<16} {_value(row)}"
    if len(ranked) > _TOGETHER:
        states: dict[str, int] = defaultdict(int)
        for row in ranked[1:]:
            states[str(row["state"])] += 1
        rest = ", ".join(f"{count} {state}" for state, count in states.items())
        yield f"    {'':<30} {'others':<16} {rest}"


def _worst_first(row: Row) -> tuple[int, float]:
    return _RANK.get(str(row["state"]), 0), -abs(row["value"] or 0.0)


def _where(row: Row) -> str:
    return " ".join(part for part in (row["column"], row["segment"]) if part)


def _value(row: Row) -> str:
    """Write `0.812 [0.797, 0.827] n=2,651 limit 0.797 ok`."""
    parts = [f"{number(row['value']):>8}", f"{interval(row):<19}", f"n={row['n']:<9,}"]
    limits = row["limits"]
    limit = number(limits["breach"]) if limits.get("breach") is not None else "none"
    return " ".join([*parts, f"limit {limit:<7}", str(row["state"])])


def number(value: float | None) -> str:
    """Write a value as people read it.

    Examples
    --------
    >>> number(0.72345), number(2651.0), number(None)
    ('0.7234', '2,651', '–')
    """
    if value is None:
        return "–"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"  # noqa: PLR2004


def interval(row: Row) -> str:
    """Write the interval of a measurement, empty where it has none."""
    low, high = row["interval"] or (None, None)
    return "" if low is None and high is None else f"[{number(low)}, {number(high)}]"


def judged(rows: Iterable[Row]) -> Iterator[str]:
    """Tell in how many windows each rule held; `rows` are those of one policy's rules."""
    counts: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for row in rows:
        counts[str(row["metric"])][str(row["state"])] += 1
    for metric, states in counts.items():
        told = ", ".join(f"{states[name]:,} {name}" for name in _RANK if states.get(name))
        yield f"    {metric:<30} {told}"
