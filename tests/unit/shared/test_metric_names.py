"""The public metric names are those that the monitor computes, in the same families."""

from __future__ import annotations

from watchkeeper_monitor.metrics.catalogue import CATALOGUE
from watchkeeper_shared.metric_names import METRIC_NAMES, Worse, family_of, range_of, worse


def test_the_public_names_are_the_catalogues() -> None:
    assert {name: str(family_of(name)) for name in METRIC_NAMES} == {
        name: str(entry.family) for name, entry in CATALOGUE.items()
    }


def test_shares_of_right_answers_are_bad_when_low_and_what_compares_is_bad_when_high() -> None:
    right = ("accuracy", "precision", "recall", "f1", "roc_auc")
    apart = ("_drop", "_rise", "_difference", "_distance", "psi")
    for name in METRIC_NAMES:
        if name.endswith(apart):
            assert worse(name) is Worse.HIGHER, name
        elif name.endswith(right) and not name.startswith("estimation_error"):
            assert worse(name) is Worse.LOWER, name
    assert {name for name in METRIC_NAMES if worse(name) is Worse.EITHER} >= {"volume"}


def test_every_metric_has_a_range_and_shares_lie_within_one() -> None:
    for name in METRIC_NAMES:
        low, high = range_of(name)
        assert low < high, name
        if name.endswith("_share"):
            assert (low, high) == (0, 1), name
        elif name.endswith(("_drop", "_rise")):
            assert low == -1, name


def test_brier_of_many_classes_may_be_two() -> None:
    assert range_of("brier") == (0, 2)
