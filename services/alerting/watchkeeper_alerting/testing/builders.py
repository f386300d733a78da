"""Breach events that are valid by default; a test names only what it is about."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

from watchkeeper_shared.eventlog.port import Message
from watchkeeper_shared.events.breaches import BREACH_OPENED, BreachEvent, BreachWindow
from watchkeeper_shared.topics import BREACHES

DAY = datetime(2026, 11, 22, tzinfo=UTC)


def a_breach(**changes: Any) -> BreachEvent:
    """Return an accuracy breach of employment-ma."""
    window = BreachWindow(start=DAY, end=DAY.replace(day=23), revision=1, status="final")
    values: dict[str, Any] = {
        "breach": "b" * 40,
        "fingerprint": "f" * 40,
        "system": "employment-ma",
        "version": "1",
        "policy": "employment-ma",
        "policy_hash": "c" * 64,
        "rule": "accuracy",
        "metric": "accuracy",
        "column": "",
        "segment": "",
        "severity": "critical",
        "value": 0.7712,
        "low": 0.7533,
        "high": 0.7881,
        "n": 2150,
        "reference": "d" * 64,
        "reference_n": 68785,
        "warn": 0.82,
        "limit": 0.8,
        "below": True,
        "window": window,
        "opened_window": DAY,
        "reason": "accuracy 0.7712 is at or below 0.8 in 1 of the last 1 windows",
        "controls": ("ISO42001:A.6.2.6",),
        "owner_team": "labour-models",
        "owner_contact": "oncall@example.org",
        "runbook": "https://runbooks.example.org/accuracy",
    }
    return BreachEvent(**{**values, **changes})


def a_record(breach: BreachEvent, kind: str = BREACH_OPENED, event_id: str = "e-1") -> Message:
    """Return the message that tells of a breach, as the monitor sends it."""
    envelope = {
        "specversion": "1.0",
        "id": event_id,
        "source": "watchkeeper/monitor",
        "type": kind,
        "time": "2026-11-23T06:00:00Z",
        "subject": breach.breach,
        "datacontenttype": "application/json",
        "data": breach,
    }
    value = msgspec.json.encode(envelope)
    return Message(
        BREACHES.name, breach.system, value, {"content-type": "application/cloudevents+json"}
    )
