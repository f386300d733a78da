"""Which measurements make one line of a chart: a metric under one policy and version. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from urllib.parse import urlencode

from watchkeeper_alerting.store.measurements import Measurement


def series_of(one: Measurement) -> tuple[str, str]:
    """Return what tells two series of one metric apart: windows differ between policies."""
    return one.policy, one.version


def chosen_series(
    newest: Sequence[Measurement], policy: str | None, version: str | None
) -> Measurement | None:
    """Return a member of the series to show: as asked, else judged before unjudged, then newest."""
    asked = [
        one for one in newest if policy in (None, one.policy) and version in (None, one.version)
    ]
    return max(asked, key=lambda one: (bool(one.rule), one.window_end), default=None)


def one_a_series(newest: Sequence[Measurement]) -> list[Measurement]:
    """Keep one measurement of each policy and version: one that a rule looks at, if any."""
    kept: dict[tuple[str, str], Measurement] = {}
    for one in sorted(newest, key=lambda one: bool(one.rule)):
        kept[series_of(one)] = one
    return [kept[key] for key in sorted(kept)]


def one_a_window(found: Sequence[Measurement]) -> list[Measurement]:
    """Keep one measurement of each window: the one that a rule looks at, if any."""
    kept: dict[datetime, Measurement] = {}
    for one in sorted(found, key=lambda one: (one.window_start, bool(one.rule))):
        kept[one.window_start] = one
    return list(kept.values())


def series_link(one: Measurement) -> str:
    """Return the address of a measurement's series."""
    query = {
        "metric": one.metric,
        "column": one.column,
        "segment": one.segment,
        "policy": one.policy,
        "version": one.version,
    }
    # An empty policy is a name too: that of what is measured without one.
    given = {name: value for name, value in query.items() if value or name == "policy"}
    return f"/systems/{one.system}/series?{urlencode(given)}"
