"""Valid things by default: a test names only what it is about."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pyarrow as pa

from watchkeeper_shared.events.batches import from_rows
from watchkeeper_shared.events.rows import ROWS, Kind
from watchkeeper_shared.specs import AISystem

SYSTEM = "employment-ma"
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
"""The instant around which built events lie; give it to a test's clock."""


def a_system(**changes: Any) -> AISystem:
    """Build a binary system with one numeric and one categorical feature and two attributes."""
    fields: dict[str, Any] = {
        "owner": {"team": "labour-models", "contact": "oncall@example.org"},
        "purpose": "Predicts employment from a household survey",
        "task": "binary",
        "features": {"AGEP": "numeric", "RELP": "categorical"},
        "groups": {"SEX": {"reference": "1"}, "RAC1P": {"reference": "1"}},
    }
    return msgspec.convert(fields | changes, AISystem)


def a_prediction(number: int = 0, **changes: Any) -> dict[str, Any]:
    """Build a prediction as JSON would hold it; `number` makes it differ from others.

    A change to None takes the field away.
    """
    fields: dict[str, Any] = {
        "id": f"p-{number:06d}",
        "system": SYSTEM,
        "version": "1",
        "time": _text(NOON - timedelta(hours=1) + timedelta(milliseconds=number)),
        "seq": number,
        "features": {"AGEP": 20 + number % 60, "RELP": str(number % 5)},
        "prediction": number % 2,
        "score": (number % 100) / 100,
        "groups": {"SEX": str(1 + number % 2), "RAC1P": str(1 + number % 3)},
    }
    return {name: value for name, value in (fields | changes).items() if value is not None}


def a_label(number: int = 0, **changes: Any) -> dict[str, Any]:
    """Build the label of `a_prediction(number)`; a change to None takes the field away."""
    fields: dict[str, Any] = {
        "id": f"p-{number:06d}",
        "system": SYSTEM,
        "label": number % 2,
        "time": _text(NOON - timedelta(minutes=1)),
    }
    return {name: value for name, value in (fields | changes).items() if value is not None}


def a_batch(rows: int = 3, kind: Kind = Kind.PREDICTIONS, **changes: Any) -> pa.RecordBatch:
    """Build a canonical batch; the changes go into every row."""
    build = a_prediction if kind is Kind.PREDICTIONS else a_label
    items = [build(number, **changes) for number in range(rows)]
    return from_rows([msgspec.convert(item, ROWS[kind]) for item in items], kind)


def _text(instant: datetime) -> str:
    return instant.isoformat(timespec="milliseconds").replace("+00:00", "Z")
