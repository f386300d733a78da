"""Every number that was measured, with the limits it was held against and what they said."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
import sqlalchemy as sa

from watchkeeper_monitor.rule.judgements import Measurement, Pooled
from watchkeeper_monitor.store.windows import Judged, Scope
from watchkeeper_shared.db.tables import measurements


def replace(
    c: sa.Connection,
    scope: Scope,
    policy_hash: str,
    judged: Judged,
    found: Sequence[Measurement],
) -> None:
    """Make these the current measurements of a window.

    Numbers of the same revision are provisional ones and go; those of an older revision
    were final once, and stay beside the new ones.
    """
    same_window = (*scope.rows_of(measurements), measurements.c.window_start == judged.window.start)
    is_current = measurements.c.current.is_(True)
    c.execute(
        sa.delete(measurements).where(
            *same_window, is_current, measurements.c.revision == judged.revision
        )
    )
    c.execute(sa.update(measurements).where(*same_window, is_current).values(current=False))
    if found:
        fixed = _fixed(scope, policy_hash, judged)
        c.execute(sa.insert(measurements), [fixed | _values(one) for one in found])


def settle(c: sa.Connection, scope: Scope, judged: Judged) -> None:
    """Note that the current numbers of a window are no longer provisional."""
    c.execute(
        sa.update(measurements)
        .where(
            *scope.rows_of(measurements),
            measurements.c.window_start == judged.window.start,
            measurements.c.current.is_(True),
        )
        .values(status=judged.status.value)
    )


def _fixed(scope: Scope, policy_hash: str, judged: Judged) -> dict[str, object]:
    return {
        "system": scope.system,
        "version": scope.version,
        "policy": scope.policy,
        "policy_hash": policy_hash,
        "window_start": judged.window.start,
        "window_end": judged.window.end,
        "revision": judged.revision,
        "current": True,
        "status": judged.status.value,
        "computed_at": judged.judged_at,
    }


def _values(one: Measurement) -> dict[str, object]:
    return {
        "rule": one.series.rule,
        "metric": one.series.metric,
        "column": one.series.column,
        "segment": one.series.segment,
        "value": one.value,
        "low": one.low,
        "high": one.high,
        "n": one.n,
        "reference": one.reference,
        "reference_n": one.reference_n,
        "warn": one.warn,
        "breach": one.breach,
        "state": one.state.value,
        "reason": one.reason,
        "scale": one.scale,
        "calm": one.calm,
        "pooled": None if one.pooled is None else _pooled(one.pooled),
    }


def _pooled(one: Pooled) -> dict[str, object]:
    """Return what JSON can say of it: it has no infinite numbers, and PostgreSQL refuses them."""
    found = msgspec.to_builtins(one)
    return {
        name: value if value is None or math.isfinite(value) else None
        for name, value in found.items()
    }
