"""What fails is left out for a while and told, as long as it is there at all."""

from __future__ import annotations

from datetime import timedelta

import pytest
from prometheus_client import CollectorRegistry

from watchkeeper_monitor.judge.aside import Aside
from watchkeeper_monitor.meters import Meters
from watchkeeper_shared.testing.clocks import ManualClock


def test_a_system_that_is_not_watched_any_more_is_not_told_as_failing() -> None:
    metrics = CollectorRegistry()
    aside = Aside("judge", timedelta(minutes=1), ManualClock(), Meters(metrics))
    for system in ("gone", "loans"):
        aside.put(system, ValueError(system))

    aside.only({"loans"})

    def told(system: str) -> float | None:
        labels = {"system": system, "task": "judge"}
        return metrics.get_sample_value("watchkeeper_monitor_system_aside", labels)

    assert (told("gone"), told("loans")) == (0, 1)
    with pytest.raises(ValueError, match="loans"):
        aside.raise_first()
