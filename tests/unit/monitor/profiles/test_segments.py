"""Declared slices are measured like the whole, on profiles of their own that merge alike."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from watchkeeper_monitor.grids.columns import encode
from watchkeeper_monitor.metrics import Value, measure
from watchkeeper_monitor.profiles import Profile
from watchkeeper_monitor.profiles.segments import parse, rows_of, slices_of
from watchkeeper_monitor.references.reference import Reference, add_rows, labelled_of
from watchkeeper_shared.errors import InvalidObject
from watchkeeper_shared.specs import Rule
from watchkeeper_shared.testing.builders import a_system

SPEC = a_system()
SLICES = ("RAC1P=3&SEX=2", "SEX=2")


def rows(n: int = 3_000, seed: int = 0) -> pa.RecordBatch:
    rng = np.random.default_rng(seed)
    sex = rng.choice(["1", "2"], n)
    columns: dict[str, Any] = {
        "id": [f"{seed}-{i}" for i in range(n)],
        "features.AGEP": rng.normal(40 + 3 * (sex == "2"), 10, n),
        "features.RELP": rng.choice(["0", "1"], n),
        "prediction": rng.integers(0, 2, n),
        "score": rng.uniform(size=n),
        "label": rng.integers(0, 2, n),
        "groups.SEX": sex,
        "groups.RAC1P": rng.choice(["1", "2", "3"], n),
        "latency_ms": rng.exponential(10, n),
        "decision.outcome": rng.choice(["ok", "error"], n),
        "explanation.AGEP": rng.normal(size=n),
    }
    return pa.record_batch({name: pa.array(value) for name, value in columns.items()})


REFERENCE = Reference.build([rows(4_000, 9)], SPEC, "s", "1")


def profiled(batch: pa.RecordBatch, slices: tuple[str, ...] = SLICES) -> Profile:
    profile = Profile.empty(REFERENCE.grid, slices)
    for start in range(0, batch.num_rows, 700):
        add_rows(profile, batch.slice(start, 700))
    return profile


def measured(profile: Profile) -> dict[tuple[str, str, str], Value]:
    base = REFERENCE.sliced(profile.slices)
    values = measure(SPEC, REFERENCE.grid, profile, base)
    named = {(one.metric, one.column, one.segment): one for one in values}
    assert len(named) == len(values)
    return named


def test_a_slice_is_measured_as_if_its_rows_were_all_there_are() -> None:
    batch = rows()
    inside = np.asarray(batch.column("groups.SEX")) == "2"
    alone = measured(profiled(batch.filter(pa.array(inside)), ()))
    whole = measured(profiled(batch))

    for metric, column in (
        ("accuracy", ""),
        ("roc_auc", ""),
        ("ece", ""),
        ("missing_share", "AGEP"),
        ("latency_p95", ""),
        ("error_share", ""),
        ("attribution_share", "AGEP"),
        ("volume", ""),
    ):
        mine, theirs = whole[metric, column, "SEX=2"], alone[metric, column, ""]
        assert (mine.value, mine.low, mine.n) == (theirs.value, theirs.low, theirs.n), metric


def test_a_slice_is_compared_with_the_same_slice_of_the_reference() -> None:
    values = measured(profiled(rows()))
    sample = REFERENCE.sample.filter(pa.array(np.asarray(REFERENCE.sample["groups.SEX"]) == "2"))

    assert values["psi", "AGEP", "SEX=2"].reference_n == sample.num_rows
    assert values["psi", "AGEP", "SEX=2"].value == pytest.approx(0.02, abs=0.02)


def test_any_split_gives_the_same_slices_and_the_same_bytes() -> None:
    batch = rows()
    merged = profiled(batch.slice(1_000))
    merged.merge(Profile.from_bytes(REFERENCE.grid, profiled(batch.slice(0, 1_000)).to_bytes()))

    assert merged.to_bytes() == profiled(batch).to_bytes()


def test_a_slice_that_nobody_is_in_takes_no_bytes_and_has_no_data() -> None:
    batch = rows(500)
    men = batch.filter(pa.array(np.asarray(batch.column("groups.SEX")) == "1"))
    empty = profiled(men, ("SEX=2",))

    assert empty.to_bytes() == profiled(men, ()).to_bytes()
    assert measured(empty)["accuracy", "", "SEX=2"].value is None
    assert measured(empty)["volume", "", "SEX=2"].value == 0.0


def test_a_group_that_the_reference_never_held_is_not_said_to_be_empty() -> None:
    """Its rows are counted with all others that the reference never held."""
    batch = rows(500)
    strangers = batch.set_column(
        batch.schema.get_field_index("groups.SEX"), "groups.SEX", pa.array(["7"] * 500)
    )

    values = measured(profiled(strangers, ("SEX=7",)))

    assert {one.value for one in values.values() if one.segment == "SEX=7"} == {None}
    assert "no reference names this group" in values["volume", "", "SEX=7"].note


def test_only_the_slices_asked_for_are_read_back() -> None:
    stored = profiled(rows(500)).to_bytes()

    assert set(Profile.from_bytes(REFERENCE.grid, stored, ("SEX=2",)).slices) == {"SEX=2"}
    assert set(Profile.from_bytes(REFERENCE.grid, stored).slices) == set(SLICES)


def test_labels_that_came_before_a_slice_was_declared_are_not_taken_for_its_performance() -> None:
    batch = rows(500)
    late = Profile.empty(REFERENCE.grid, ("SEX=2",))
    late.add_predictions(encode(batch.slice(0, 10), REFERENCE.grid))
    for sign in (1, -1):
        torn = Profile.from_bytes(REFERENCE.grid, late.to_bytes())
        torn.add_labels(labelled_of(batch, REFERENCE.grid), sign)
        torn.merge(profiled(batch, ()))

        value = measured(torn)["accuracy", "", "SEX=2"]

        assert value.value is None
        assert "before the policy named it" in value.note


def test_an_intersection_is_both_at_once() -> None:
    batch = rows(300)
    mask = rows_of("RAC1P=3&SEX=2", REFERENCE.grid, encode(batch, REFERENCE.grid).groups)
    race, sex = (np.asarray(batch.column(f"groups.{name}")) for name in ("RAC1P", "SEX"))

    assert mask.tolist() == ((race == "3") & (sex == "2")).tolist()
    assert not rows_of("CITY=2", REFERENCE.grid, encode(batch, REFERENCE.grid).groups).any()


def test_slices_are_what_rules_name_but_for_the_groups_of_fairness() -> None:
    rules = (
        Rule(id="a", metric="accuracy", segments=("SEX=2", "")),
        Rule(id="b", metric="equal_opportunity_difference", segments=("SEX=3",)),
        Rule(id="c", metric="psi", segments=("SEX=2", "RAC1P=1")),
    )

    assert slices_of(rules) == ("RAC1P=1", "SEX=2")


@pytest.mark.parametrize("text", ["SEX", "=2", "SEX=1&", "&"])
def test_what_is_no_segment_is_refused(text: str) -> None:
    with pytest.raises(InvalidObject, match="attribute=group"):
        parse(text)


def test_a_segment_that_cannot_be_read_counts_nothing_and_stops_nobody() -> None:
    profile = profiled(rows(), ("SEX", "SEX=2"))

    found = measured(profile)

    assert found["volume", "", "SEX"].value is None
    assert (found["volume", "", "SEX=2"].value or 0) > 0


def test_what_a_class_was_taken_for_is_no_slice_of_rows() -> None:
    confused = Rule(id="c", metric="confusion_share", segments=("prediction=3",), breach=0.1)
    assert slices_of([confused]) == ()
