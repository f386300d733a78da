"""The public metric names are those that the monitor computes, in the same families."""

from __future__ import annotations

from watchkeeper_monitor.metrics.catalogue import CATALOGUE
from watchkeeper_shared.metric_names import METRIC_NAMES, family_of


def test_the_public_names_are_the_catalogues() -> None:
    assert {name: str(family_of(name)) for name in METRIC_NAMES} == {
        name: str(entry.family) for name, entry in CATALOGUE.items()
    }
