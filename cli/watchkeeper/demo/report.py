"""Measurements as lines that people read. Pure: answers of the API in, text out."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from watchkeeper_shared.metric_names import FAMILIES, Family, family_of

Row = Mapping[str, Any]
"""One measurement, alert or ticket as the API returns it."""

_TOGETHER = 3  # more series of one metric than this are told by the worst of them
_RANK = {"breach": 0, "warn": 1, "error": 2, "insufficient": 3, "no_data": 4, "ok": 5}
_WORST_IS_SMALL = frozenset({"demographic_parity_ratio"})


def with_limits(rows: Sequence[Row]) -> list[Row]:
    """Return the rows of those families in which a rule looks at something."""
    families = {family_of(row["metric"]) for row in rows if _has_limit(row)}
    return [row for row in rows if family_of(row["metric"]) in families]


def _has_limit(row: Row) -> bool:
    return any(value is not None for value in row["limits"].values())


def measured(rows: Sequence[Row]) -> Iterator[str]:
    """Tell the values of one window, by family."""
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
    limited = [row for row in rows if _has_limit(row)]
    whole = limited or [row for row in rows if not row["segment"]] or rows
    ranked = sorted(whole, key=_worst_first)
    for row in ranked if len(ranked) <= _TOGETHER else ranked[:1]:
        yield f"    {name:<30} {where(row):<16} {_value(row)}"
    if len(ranked) > _TOGETHER:
        states = Counter(str(row["state"]) for row in ranked[1:])
        rest = ", ".join(f"{count} {state}" for state, count in states.items())
        yield f"    {'':<30} the {len(ranked) - 1} others: {rest}"


def _worst_first(row: Row) -> tuple[int, bool, float]:
    value = row["value"]
    sign = 1.0 if row["metric"] in _WORST_IS_SMALL else -1.0
    return _RANK.get(str(row["state"]), 0), value is None, sign * (value or 0.0)


def where(row: Row) -> str:
    """Return the column and the segment of a series.

    Examples
    --------
    >>> where({"column": "RAC1P", "segment": "RAC1P=9"})
    'RAC1P RAC1P=9'
    """
    return " ".join(part for part in (row["column"], row["segment"]) if part)


def _value(row: Row) -> str:
    """Write `0.812 [0.797, 0.827] n=2,651 limit 0.797 ok`."""
    limit = row["limits"].get("breach")
    shown = f"limit {number(limit):<8}" if limit is not None else " " * 14
    return f"{number(row['value']):>8} {interval(row):<21} n={row['n']:<8,} {shown} {row['state']}"


def number(value: float | None) -> str:
    """Write a value as people read it.

    Examples
    --------
    >>> number(0.72345), number(2651.0), number(None)
    ('0.7235', '2,651', '–')
    """
    if value is None:
        return "–"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"  # noqa: PLR2004


def interval(row: Row) -> str:
    """Write the interval of a measurement, empty where it has none."""
    low, high = row["interval"] or (None, None)
    return "" if low is None and high is None else f"[{number(low)}, {number(high)}]"
