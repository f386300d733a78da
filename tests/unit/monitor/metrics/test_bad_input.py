"""Bad references and bad windows: each has a stated answer, and none of them an exception."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watchkeeper_monitor.metrics import CATALOGUE, Census, Value, measure
from watchkeeper_monitor.profiles import Profile
from watchkeeper_monitor.references.reference import Reference, add_rows, labelled_of
from watchkeeper_monitor.rule.decision import decide
from watchkeeper_monitor.rule.dispersion import Sight, sight
from watchkeeper_shared.errors import InvalidObject
from watchkeeper_shared.specs import AISystem, Rule, Task
from watchkeeper_shared.states import State
from watchkeeper_shared.testing.builders import a_system

SPEC = a_system(
    groups={
        "SEX": {"reference": "1"},
        "RAC1P": {"reference": "1"},
        "SEX&RAC1P": {"reference": "1&1"},
    }
)
Found = dict[tuple[str, str, str], Value]


def rows(n: int = 600, seed: int = 0, **changes: Any) -> pa.RecordBatch:
    rng = np.random.default_rng(seed)
    columns: dict[str, Any] = {
        "id": [f"{seed}-{i}" for i in range(n)],
        "features.AGEP": rng.normal(40, 10, n),
        "features.RELP": rng.choice(["0", "1"], n),
        "prediction": rng.integers(0, 2, n),
        "score": rng.uniform(size=n),
        "label": rng.integers(0, 2, n),
        "groups.SEX": rng.choice(["1", "2"], n),
        "groups.RAC1P": rng.choice(["1", "2"], n),
        "latency_ms": rng.exponential(10, n),
        "decision.outcome": rng.choice(["ok", "error"], n),
        "explanation.AGEP": rng.normal(size=n),
    }
    columns |= {name.replace("__", "."): value for name, value in changes.items()}
    return pa.record_batch({name: pa.array(value) for name, value in columns.items()})


REFERENCE = Reference.build([rows(3_000, 9)], SPEC, "s", "1")


def found(batch: pa.RecordBatch, reference: Reference = REFERENCE, spec: AISystem = SPEC) -> Found:
    profile = Profile.empty(reference.grid)
    add_rows(profile, batch)
    values = measure(spec, reference.grid, profile, reference.profile)
    for value in values:
        assert value.metric in CATALOGUE
        if value.value is None:
            assert value.note, value
        else:
            assert math.isfinite(value.value), value
    return {(one.metric, one.column, one.segment): one for one in values}


def referenced(**changes: Any) -> Reference:
    return Reference.build([rows(3_000, 9, **changes)], SPEC, "s", "1")


def test_a_reference_column_of_nulls_has_no_drift_and_says_so() -> None:
    values = found(rows(), referenced(features__AGEP=pa.nulls(3_000, pa.float64())))

    for metric in ("psi", "js_distance", "hellinger", "tvd", "wasserstein", "ks"):
        assert values[metric, "AGEP", ""].note == "the reference has no value in this column"
    assert values["missing_share", "AGEP", ""].value == 0.0
    assert values["out_of_range_share", "AGEP", ""].note == "no reference range is known"


def test_a_reference_with_heavy_tails_still_sees_a_change_of_scale() -> None:
    rng = np.random.default_rng(1)
    reference = referenced(features__AGEP=rng.pareto(1.5, 3_000))

    same = found(rows(2_000, features__AGEP=rng.pareto(1.5, 2_000)), reference)
    scaled = found(rows(2_000, features__AGEP=2 * rng.pareto(1.5, 2_000)), reference)

    assert same["psi", "AGEP", ""].value < 0.03  # type: ignore[operator]
    assert scaled["psi", "AGEP", ""].value > 0.2  # type: ignore[operator]


def test_integer_codes_are_told_apart_value_by_value() -> None:
    codes = np.arange(3_000) % 8
    window = np.where(np.arange(800) % 8 == 3, 4, np.arange(800) % 8)

    values = found(rows(800, features__AGEP=window), referenced(features__AGEP=codes))

    assert values["ks", "AGEP", ""].note == "binning error at most 0"
    assert values["psi", "AGEP", ""].value == pytest.approx(
        0.125 * math.log(2) + (0.125 - 1e-4) * math.log(0.125 / 1e-4), abs=1e-12
    )


def test_a_column_of_ids_neither_grows_the_profile_nor_calls_known_values_unseen() -> None:
    names = [f"id-{i}" for i in range(3_000)]
    reference = referenced(features__RELP=names)

    values = found(rows(600, features__RELP=names[1_000:1_600]), reference)

    assert reference.grid.categories[0].codes == 256 + 3
    assert values["unseen_share", "RELP", ""].value == 0.0


def test_values_far_outside_are_out_of_range_and_do_not_break_other_numbers() -> None:
    far = np.where(np.arange(600) % 3 == 0, 1e300, 40.0)

    values = found(rows(features__AGEP=far))

    assert values["out_of_range_share", "AGEP", ""].value == pytest.approx(1 / 3)
    assert values["psi", "AGEP", ""].value > 1  # type: ignore[operator]
    assert values["psi", "RELP", ""].value < 0.1  # type: ignore[operator]


@pytest.mark.parametrize(
    ("column", "text", "said"),
    [
        ("features__RELP", "a\0b", "features.RELP holds the character NUL"),
        ("groups__SEX", "s" * 129, "groups.SEX has texts of more than 128 characters"),
    ],
)
def test_a_reference_with_a_text_that_no_measurement_could_hold_is_refused(
    column: str, text: str, said: str
) -> None:
    odd: dict[str, Any] = {column: ["1", text] * 300}

    with pytest.raises(InvalidObject, match=said):
        Reference.build([rows(**odd)], SPEC, "census", "1")


def test_what_every_number_teaches_about_spread_can_be_stored() -> None:
    values = found(rows())
    taught = [one for value in values.values() if (one := sight(value)) is not None]

    assert len(taught) > 20
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(taught), type=list[Sight]) == taught


@pytest.mark.parametrize("label", [0, 1])
def test_labels_of_one_class_leave_what_needs_two_without_a_value(label: int) -> None:
    values = found(rows(label=np.full(600, label)))

    for metric in ("roc_auc", "pr_auc", "balanced_accuracy", "mcc"):
        value = values[metric, "", ""]
        assert value.value is None, metric
        assert decide(value, None, 1e-5).state is State.INSUFFICIENT
    assert values["roc_auc_drop", "", ""].note == "all labels are of one class"
    assert values["accuracy", "", ""].value is not None
    assert values["ece", "", ""].value is not None


def test_labels_of_no_known_class_are_left_out_and_counted_not_taken_for_negatives() -> None:
    clean = rows(seed=3)
    label = ["maybe" if i % 3 == 0 else str(one) for i, one in enumerate(clean["label"].tolist())]
    kept = clean.take(pa.array([i for i in range(600) if i % 3]))

    mixed = found(rows(seed=3, label=label))

    assert mixed["accuracy", "", ""].value == found(kept)["accuracy", "", ""].value
    assert mixed["accuracy", "", ""].n == 400
    coverage = mixed["label_coverage", "", ""]
    assert coverage.value == pytest.approx(400 / 600)
    assert coverage.note == "200 labels of no known class are left out"


def test_a_label_of_no_known_class_can_be_corrected() -> None:
    wrong, right = Profile.empty(REFERENCE.grid), Profile.empty(REFERENCE.grid)
    first, second = rows(seed=3, label=["maybe"] * 600), rows(seed=3)

    wrong.add_labels(labelled_of(first, REFERENCE.grid))
    wrong.add_labels(labelled_of(first, REFERENCE.grid), sign=-1)
    wrong.add_labels(labelled_of(second, REFERENCE.grid))
    right.add_labels(labelled_of(second, REFERENCE.grid))

    assert wrong.to_bytes() == right.to_bytes()


def test_one_group_alone_is_compared_with_nobody() -> None:
    values = found(rows(groups__SEX=["1"] * 600))

    for metric in ("demographic_parity_ratio", "fpr_difference", "accuracy_difference"):
        assert values[metric, "SEX", ""].value is None
        assert "two groups" in values[metric, "SEX", ""].note
        assert values[metric, "SEX", "SEX=2"].value is None
    assert values["group_mix_tvd", "SEX", ""].value > 0.4  # type: ignore[operator]
    assert values["selection_rate", "SEX", "SEX=2"].note == "no row of group 2"


def test_a_missing_column_is_missing_everywhere_and_named() -> None:
    values = found(rows().drop_columns(["features.AGEP", "features.RELP"]))

    for name in ("AGEP", "RELP"):
        assert values["missing_share", name, ""].value == 1.0
        assert values["psi", name, ""].note == "the window has no value in this column"


def test_a_column_of_another_type_is_a_type_error_or_unseen() -> None:
    values = found(rows(features__AGEP=["forty"] * 600, features__RELP=np.full(600, 7.5)))

    assert values["type_error_share", "AGEP", ""].value == 1.0
    assert values["psi", "AGEP", ""].value is None
    assert values["unseen_share", "RELP", ""].value == 1.0


def test_scores_that_are_no_probabilities_are_counted_and_used_for_nothing() -> None:
    score = np.where(np.arange(600) < 30, 1.7, 0.5)
    values = found(rows(score=score))

    assert values["type_error_share", "score", ""].value == pytest.approx(0.05)
    assert values["missing_share", "score", ""].value == 0.0
    assert values["brier", "", ""].value == pytest.approx(0.25)
    assert values["brier", "", ""].n == 570


def test_a_reference_with_such_scores_is_refused_with_the_row() -> None:
    score = np.full(3_000, 0.5)
    score[[41, 50]] = 1.5, -2

    with pytest.raises(
        InvalidObject, match=r"2 scores are outside 0 to 1, the first is 1\.5 in row 42"
    ):
        referenced(score=score)


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ({"SEX": {"reference": "1"}, "SEX&AGE": {"reference": "1&1"}}, "not declared: AGE"),
        ({"SEX": {"reference": "1"}, "SEX&SEX": {"reference": "1&1"}}, "different attributes"),
        (
            {
                "A": {"reference": "1"},
                "B": {"reference": "x"},
                "A&B": {"reference": "1"},
            },
            "such as '1&x'",
        ),
    ],
)
def test_an_intersection_that_cannot_be_made_is_refused(
    groups: dict[str, Any], message: str
) -> None:
    with pytest.raises(Exception, match=message):
        a_system(groups=groups)


def test_an_intersection_has_at_most_64_groups_and_the_rest_counts_together() -> None:
    many = {
        f"groups__{name}": [str(i // k % 15) for i in range(3_000)]
        for name, k in (("SEX", 1), ("RAC1P", 15))
    }
    reference = referenced(**many)
    crossed = reference.grid.attributes[2]
    counts = reference.profile.section("group_predictions")[reference.profile.groups(2)].sum(axis=1)

    assert len(crossed.values) == 64
    assert counts[crossed.other] == 3_000 - counts[: crossed.other].sum()
    assert counts[[crossed.unseen, crossed.null]].tolist() == [0, 0]


def test_every_metric_below_its_minimum_answers_insufficient_and_not_zero() -> None:
    checked: set[str] = set()
    for task in Task:
        spec = a_system(task=task)
        changes: dict[str, Any] = {}
        if task is Task.REGRESSION:
            changes = {"prediction": np.linspace(0, 1, 3_000), "label": np.linspace(1, 2, 3_000)}
        large = rows(3_000, 9, **changes)
        large = large.append_column("scores.0", pa.array(np.full(3_000, 0.5)))
        large = large.append_column("scores.1", pa.array(np.full(3_000, 0.5)))
        reference = Reference.build([large], spec, "s", "1")
        for value in found(large.slice(0, 20), reference, spec).values():
            least = CATALOGUE[value.metric].min_rows
            if not least or isinstance(value.test, Census):
                continue
            rule = Rule(id="r", metric=value.metric, breach=0.0)
            state = decide(value, rule, 1e-5).state
            assert state in {State.INSUFFICIENT, State.NO_DATA}, value
            checked.add(value.metric)
    counted = {name for name, entry in CATALOGUE.items() if entry.min_rows}
    assert counted - checked <= {"max_error"}
    assert len(checked) >= 70


cells = st.one_of(st.none(), st.floats(allow_nan=True, allow_infinity=True), st.just(5.0))
texts = st.one_of(st.none(), st.sampled_from(["0", "1", "", "ß", "1&1"]))


@settings(max_examples=40, deadline=None)
@given(st.data(), st.integers(1, 40))
def test_no_frame_whatever_raises_or_gives_a_number_that_is_none(
    data: st.DataObject, n: int
) -> None:
    def column(of: Any, kind: pa.DataType) -> pa.Array:
        return pa.array(data.draw(st.lists(of, min_size=n, max_size=n)), kind)

    def batch() -> pa.RecordBatch:
        return rows(
            n,
            features__AGEP=column(cells, pa.float64()),
            features__RELP=column(texts, pa.string()),
            label=column(st.sampled_from([0, 1, 2, None]), pa.int64()),
            prediction=column(st.sampled_from([0, 1, 2]), pa.int64()),
            groups__SEX=column(texts, pa.string()),
            groups__RAC1P=column(texts, pa.string()),
            explanation__AGEP=column(cells, pa.float64()),
        )

    found(batch(), Reference.build([batch()], SPEC, "s", "1"))


def test_a_row_without_one_attribute_is_in_no_group_of_an_intersection() -> None:
    sex = [None] * 200 + ["1"] * 200 + ["2"] * 200

    values = found(rows(groups__SEX=sex))

    crossed = [one for key, one in values.items() if key[:2] == ("selection_rate", "SEX&RAC1P")]
    assert sum(one.n for one in crossed) == 400
    assert values["group_mix_tvd", "SEX&RAC1P", ""].n == 400
