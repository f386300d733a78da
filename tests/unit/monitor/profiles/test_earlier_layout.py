"""Profiles that were stored before ADR 17 (`WKP3`) are read, and answer as they did.

`wkp3.json` was written by the version before: profiles of `rows`, and what was measured on them.
"""

from __future__ import annotations

import json
from base64 import b64decode
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from watchkeeper_monitor.grids import Grid
from watchkeeper_monitor.grids.axes import Axis
from watchkeeper_monitor.grids.categories import Categories
from watchkeeper_monitor.grids.grid import logit_edges
from watchkeeper_monitor.metrics import Value, measure
from watchkeeper_monitor.profiles import Profile
from watchkeeper_monitor.references.reference import add_rows, labelled_of
from watchkeeper_shared.errors import MalformedRecord
from watchkeeper_shared.specs import Task
from watchkeeper_shared.testing.builders import a_system

STORED = json.loads(Path(__file__).with_name("wkp3.json").read_text("utf-8"))
SPEC = a_system(task=Task.REGRESSION, features={}, groups={"SEX": {"reference": "1"}})
KNOWN = Grid(
    task=Task.REGRESSION,
    axes=(
        Axis("score", "score", tuple(logit_edges().tolist())),
        Axis(
            "prediction",
            "prediction",
            edges=(4.0, 5.0, 8.0, 11.0),
            cuts=(1, 2, 3),
            mean=8.0,
            sd=2.0,
            low=4.0,
            high=11.0,
        ),
    ),
    categories=(),
    attributes=(Categories("SEX", "groups.SEX", values=("1", "2")),),
    classes=(),
    positive=-1,
)
BARE = Grid.bare(SPEC, "1")
GRIDS = {name: KNOWN if name.startswith("referenced") else BARE for name in STORED}
WITHIN = ("referenced", "unreferenced", "unreferenced_small")


def rows(unit: float, n: int = 40) -> pa.RecordBatch:
    at = np.arange(n)
    label = unit * (5 + at % 7)
    return pa.record_batch(
        {
            "prediction": pa.array(label + unit * ((at % 5) - 1.75) / 8),
            "label": pa.array(label.astype(float)),
            "groups.SEX": pa.array(np.array(["1", "2"])[at % 2]),
        }
    )


def stored(name: str) -> Profile:
    return Profile.from_bytes(GRIDS[name], b64decode(STORED[name]["profile"]))


def counted(name: str, unit: float) -> Profile:
    profile = Profile.empty(GRIDS[name], ("SEX=1",))
    add_rows(profile, rows(unit))
    return profile


def answers(profile: Profile) -> dict[tuple[str, str], Value]:
    return {(one.metric, one.segment): one for one in measure(SPEC, profile.grid, profile, None)}


@pytest.mark.parametrize("name", WITHIN)
def test_a_profile_within_what_was_summed_answers_as_it_did(name: str) -> None:
    profile = stored(name)
    found = answers(profile)

    assert GRIDS[name].id == STORED[name]["grid"]
    for key, (value, low, high, note) in STORED[name]["answers"].items():
        metric, _, segment = key.split("|")
        now = found[metric, segment]
        for then, number in ((value, now.value), (low, now.low), (high, now.high)):
            assert number == (None if then is None else pytest.approx(then, rel=1e-12, abs=1e-15))
        assert now.note == note


def test_a_stored_profile_of_near_rows_is_what_would_be_counted_now() -> None:
    assert stored("referenced").to_bytes() == counted("referenced", 1.0).to_bytes()


@pytest.mark.parametrize("name", ["referenced", "referenced_held", "unreferenced_held"])
def test_what_is_stored_again_says_the_same(name: str) -> None:
    profile = stored(name)

    again = Profile.from_bytes(profile.grid, profile.to_bytes())

    assert answers(again) == answers(profile)


def test_labels_counted_before_are_taken_back_without_a_trace() -> None:
    profile = stored("referenced")
    profile.add_labels(labelled_of(rows(1.0), KNOWN), sign=-1)

    unlabelled = counted("referenced", 1.0)
    unlabelled.add_labels(labelled_of(rows(1.0), KNOWN), sign=-1)

    assert profile.to_bytes() == unlabelled.to_bytes()


def test_a_row_that_was_held_is_still_said_to_be() -> None:
    profile = stored("referenced_held")
    profile.merge(counted("referenced", 1.0))

    for key in (("mae", ""), ("r2", ""), ("group_mean_error", "SEX=1"), ("mae", "SEX=1")):
        value = answers(profile)[key]
        assert "an earlier version counted are summed up to 1,024" in value.note
        assert (value.low, value.high) == (None, None)


def test_without_a_unit_a_window_with_rows_that_were_held_has_no_number() -> None:
    profile = stored("unreferenced_held")
    profile.merge(counted("unreferenced", 3e5))
    profile.add_labels(labelled_of(rows(3e5), BARE), sign=-1)

    for key in (("mae", ""), ("r2", ""), ("max_error", ""), ("group_mean_prediction", "SEX=1")):
        value = answers(profile)[key]
        assert value.value is None
        assert "windows of rows that came later have a number" in value.note


def test_without_a_unit_rows_of_both_layouts_add_up() -> None:
    profile = stored("unreferenced")
    profile.merge(counted("unreferenced", 1.0))
    twice = counted("unreferenced", 1.0)
    twice.merge(counted("unreferenced", 1.0))

    for key in (("mae", ""), ("rmse", ""), ("r2", ""), ("group_mean_prediction", "SEX=1")):
        now, exact = answers(profile)[key], answers(twice)[key]
        assert now.value == pytest.approx(exact.value, rel=1e-9)
        assert now.low == pytest.approx(exact.low, rel=1e-2)


def test_without_a_unit_a_label_counted_before_is_corrected() -> None:
    """What was added is rounded to 2^-50, which is all that taking it back can leave."""
    batch = rows(1.0)
    corrected = batch.set_column(1, "label", pa.array(batch["label"].to_numpy() + 7.0))
    profile = stored("unreferenced")

    profile.add_labels(labelled_of(batch, BARE), sign=-1)
    profile.add_labels(labelled_of(corrected, BARE))

    errors = np.abs(corrected["prediction"].to_numpy() - corrected["label"].to_numpy())
    assert answers(profile)["mae", ""].value == pytest.approx(errors.mean(), rel=1e-12)
    assert answers(profile)["max_error", ""].value == pytest.approx(errors.max(), rel=0.016)


def test_a_profile_with_a_broken_far_part_is_refused() -> None:
    data = counted("referenced", 1e9).to_bytes()

    with pytest.raises(MalformedRecord, match="a broken profile"):
        Profile.from_bytes(KNOWN, data[:-1])


def test_bytes_of_a_profile_without_far_rows_hold_none() -> None:
    near, far = counted("referenced", 1.0), counted("referenced", 1e9)

    assert len(near.to_bytes()) < len(b64decode(STORED["referenced"]["profile"])) + 16
    assert len(near.to_bytes()) < len(far.to_bytes()) < 3 * len(near.to_bytes())


def marks(profile: Profile) -> list[Any]:
    return [profile.section(name).tolist() for name in ("held_labelled", "held_answers")]


def test_only_what_an_earlier_version_stored_is_marked_as_held() -> None:
    far = counted("unreferenced", 3e5)

    assert marks(Profile.from_bytes(BARE, far.to_bytes())) == [[0, 0], [0]]
    assert marks(stored("unreferenced_held")) == [[40, 40], [40]]
    assert marks(stored("unreferenced")) == [[0, 0], [0]]
