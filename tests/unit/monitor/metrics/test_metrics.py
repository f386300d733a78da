"""Where a number cannot be given, it is said so: never 0, never NaN, never an exception."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from watchkeeper_monitor.grids import Grid
from watchkeeper_monitor.metrics import CATALOGUE, TwoSample, Value, curves, measure
from watchkeeper_monitor.metrics.chisquare import two_sample
from watchkeeper_monitor.metrics.distances import psi
from watchkeeper_monitor.profiles import Profile
from watchkeeper_monitor.references.reference import Reference, add_rows
from watchkeeper_monitor.rule.decision import decide
from watchkeeper_shared.specs import AISystem, Task
from watchkeeper_shared.states import State
from watchkeeper_shared.testing.builders import a_system

SPEC = a_system()
Found = dict[tuple[str, str, str], Value]


def rows(n: int = 400, seed: int = 0, **changes: Any) -> pa.RecordBatch:
    rng = np.random.default_rng(seed)
    columns = {
        "id": [f"{seed}-{i}" for i in range(n)],
        "features.AGEP": rng.normal(40, 10, n),
        "features.RELP": rng.choice(["0", "1"], n),
        "prediction": rng.integers(0, 2, n),
        "score": rng.uniform(size=n),
        "label": rng.integers(0, 2, n),
        "groups.SEX": rng.choice(["1", "2"], n),
        "groups.RAC1P": rng.choice(["1", "2"], n),
    }
    columns |= {name.replace("__", "."): value for name, value in changes.items()}
    return pa.record_batch({name: pa.array(value) for name, value in columns.items()})


REFERENCE = Reference.build([rows(2_000, 9)], SPEC, "s", "1")


def found(batch: pa.RecordBatch, reference: Reference = REFERENCE, spec: AISystem = SPEC) -> Found:
    profile = Profile.empty(reference.grid)
    add_rows(profile, batch)
    return by_name(measure(spec, reference.grid, profile, reference.profile))


def by_name(values: list[Value]) -> Found:
    named = {(one.metric, one.column, one.segment): one for one in values}
    assert len(named) == len(values)
    return named


def test_every_number_is_finite_or_explained() -> None:
    for batch in (rows(), rows(0), rows(1), rows(3, label=[1, 1, 1], prediction=[1, 1, 1])):
        for value in found(batch).values():
            assert value.metric in CATALOGUE
            if value.value is None:
                assert value.note
                assert (value.test, value.low, value.high) == (None, None, None)
            else:
                numbers = [value.value, value.low, value.high]
                assert all(math.isfinite(one) for one in numbers if one is not None)
                if value.low is not None and value.high is not None:
                    assert value.low - 1e-12 <= value.value <= value.high + 1e-12


def test_only_what_has_an_order_has_a_place() -> None:
    values = found(rows())

    placed = {}
    for (metric, column, _), value in values.items():
        if metric in ("psi", "group_mix_psi"):
            assert isinstance(value.test, TwoSample)
            placed[column] = value.test.variance > 0 and 0.3 < value.test.ridit < 0.7
    assert placed == {
        "AGEP": True,
        "score": True,
        "RELP": False,
        "prediction": False,
        "SEX": False,
        "RAC1P": False,
    }


def test_the_same_metrics_are_answered_whatever_came() -> None:
    assert set(found(rows(0))) == set(found(rows()))


def test_a_group_that_nobody_is_in_is_no_data_and_not_forgotten() -> None:
    values = found(rows(400, groups__SEX=["1"] * 400))

    assert values["selection_rate", "SEX", "SEX=2"].note == "no row of group 2"
    gone = values["demographic_parity_ratio", "SEX", "SEX=2"]
    assert decide(gone, None, 1e-5).state is State.NO_DATA
    assert values["demographic_parity_ratio", "SEX", ""].value is None


def test_an_attribute_that_is_no_longer_declared_is_left_out() -> None:
    profile = Profile.empty(REFERENCE.grid)
    add_rows(profile, rows())
    fewer = a_system(groups={"SEX": {"reference": "1"}})

    values = measure(fewer, REFERENCE.grid, profile, REFERENCE.profile)

    assert {one.column for one in values if one.segment} == {"SEX"}


def test_an_empty_window_is_no_data_everywhere_but_in_its_volume() -> None:
    for (metric, _, _), value in found(rows(0)).items():
        if metric == "volume":
            assert value.value == 0.0
        else:
            assert decide(value, None, 1e-5).state is State.NO_DATA, metric


def test_an_all_null_column_is_missing_and_has_no_drift() -> None:
    values = found(rows(400, features__AGEP=pa.nulls(400, pa.float64())))

    assert values["missing_share", "AGEP", ""].value == 1.0
    assert values["psi", "AGEP", ""].value is None
    assert "no value in this column" in values["psi", "AGEP", ""].note
    assert values["psi", "RELP", ""].value is not None


def test_a_constant_reference_still_shows_a_change() -> None:
    reference = Reference.build([rows(2_000, features__AGEP=np.full(2_000, 5.0))], SPEC, "s", "1")
    same = found(rows(400, features__AGEP=np.full(400, 5.0)), reference)
    moved = found(rows(400, features__AGEP=np.full(400, 6.0)), reference)

    assert same["psi", "AGEP", ""].value == 0.0
    assert same["ks", "AGEP", ""].value == 0.0
    assert "constant" in same["wasserstein", "AGEP", ""].note
    assert moved["psi", "AGEP", ""].value > 5  # type: ignore[operator]
    assert moved["ks", "AGEP", ""].value == 1.0
    assert moved["out_of_range_share", "AGEP", ""].value == 1.0


def test_unseen_and_out_of_range_values_are_shares_of_what_came() -> None:
    relp = ["0"] * 300 + ["new"] * 60 + [None] * 40
    age = [40.0] * 350 + [1e9] * 30 + [None] * 20

    values = found(rows(400, features__RELP=relp, features__AGEP=age))

    assert values["unseen_share", "RELP", ""].value == pytest.approx(60 / 360)
    assert values["missing_share", "RELP", ""].value == pytest.approx(0.1)
    assert values["out_of_range_share", "AGEP", ""].value == pytest.approx(30 / 380)
    assert values["missing_share", "AGEP", ""].value == pytest.approx(0.05)


def test_texts_for_numbers_are_type_errors() -> None:
    values = found(rows(400, features__AGEP=["old"] * 400))

    assert values["type_error_share", "AGEP", ""].value == 1.0
    assert values["missing_share", "AGEP", ""].value == 0.0


def test_one_class_of_labels_has_no_roc_auc() -> None:
    value = found(rows(400, label=np.ones(400, dtype=int)))["roc_auc", "", ""]

    assert value.value is None
    assert value.note == "all labels are of one class"
    assert decide(value, None, 1e-5).state is State.INSUFFICIENT


def test_no_positive_prediction_has_no_precision_and_no_parity_ratio() -> None:
    values = found(rows(400, prediction=np.zeros(400, dtype=int)))

    assert values["precision", "", ""].note == "nothing was predicted positive"
    assert values["recall", "", ""].value == 0.0
    assert values["demographic_parity_ratio", "SEX", ""].value is None
    assert values["demographic_parity_difference", "SEX", ""].value == 0.0


def test_predictions_without_labels_have_no_performance_and_no_coverage() -> None:
    values = found(rows().drop_columns(["label"]))

    assert values["label_coverage", "", ""].value == 0.0
    assert values["accuracy", "", ""].value is None
    assert values["accuracy", "", ""].note == "no labels yet"
    assert values["selection_rate", "SEX", "SEX=1"].value is not None


def test_a_system_that_sends_no_score_is_not_told_of_its_drift() -> None:
    batch = rows().drop_columns(["score"])
    reference = Reference.build([batch], SPEC, "s", "1")

    values = found(batch, reference)

    assert ("psi", "score", "") not in values
    assert values["roc_auc", "", ""].note == "no labels with a score yet"


def test_a_group_that_nobody_declared_is_in_no_gap() -> None:
    sex = ["1"] * 200 + ["2"] * 190 + ["new"] * 10

    segments = {key[2] for key in found(rows(400, groups__SEX=sex)) if key[1] == "SEX"}

    assert segments == {"", "SEX=1", "SEX=2"}


def test_without_a_reference_there_is_performance_but_no_drift() -> None:
    grid = Grid.bare(SPEC, "1")
    profile = Profile.empty(grid)
    batch = rows()
    add_rows(profile, batch)
    y, predicted = (batch.column(name).to_numpy() for name in ("label", "prediction"))

    values = by_name(measure(SPEC, grid, profile, None))

    assert values["volume", "", ""].value == 400.0
    assert values["accuracy", "", ""].value == pytest.approx(float(np.mean(y == predicted)))
    assert values["roc_auc", "", ""].value is not None
    assert "no reference" in values["psi", "AGEP", ""].note
    assert values["unseen_share", "RELP", ""].value is None
    assert values["out_of_range_share", "AGEP", ""].value is None


def test_a_regression_is_measured_on_its_numbers() -> None:
    spec = a_system(task=Task.REGRESSION)
    batch = rows(prediction=np.linspace(0, 1, 400), label=np.linspace(0, 1, 400) + 0.5)
    reference = Reference.build([batch], spec, "s", "1")

    values = found(batch, reference, spec)

    assert values["mae", "", ""].value == pytest.approx(0.5)
    assert values["psi", "prediction", ""].value == 0.0
    assert not [key for key in values if key[0].startswith("demographic")]


def test_rare_cells_are_pooled_so_that_chance_does_not_pass_for_drift() -> None:
    rng = np.random.default_rng(8)
    shares = 1 / np.arange(1, 101) ** 1.5
    shares /= shares.sum()
    past = 0
    for _ in range(1_000):
        test = two_sample(rng.multinomial(200, shares), rng.multinomial(10_000, shares))
        past += test.statistic > 1.645 * (2 * test.dof) ** 0.5 + test.dof + 2
    assert past < 70


def test_an_empty_bin_counts_as_one_in_ten_thousand() -> None:
    value, _, _ = psi(np.array([0, 100]), np.array([50, 50]))

    assert value == pytest.approx((0.5 - 1e-4) * math.log(0.5 / 1e-4) + 0.5 * math.log(2))


def test_two_lines_that_cross_inside_a_cell_are_apart_on_both_sides() -> None:
    apart = curves._straight(np.array([-1.0, 1.0, -1.0]), np.array([1.0, 3.0, 3.0]))

    assert apart == pytest.approx([0.5, 2.0, 1.25])


def test_a_group_with_exactly_the_least_rows_takes_part() -> None:
    sex = ["1"] * 300 + ["2"] * 100

    value = found(rows(400, groups__SEX=sex))["demographic_parity_difference", "SEX", ""]
    fewer = found(rows(400, groups__SEX=["1", *sex[:-1]]))["demographic_parity_ratio", "SEX", ""]

    assert "over groups 1, 2" in value.note
    assert fewer.value is None
    assert "two groups with at least 100 rows" in fewer.note


def test_a_gap_pays_for_every_comparison_it_was_chosen_from() -> None:
    batch = rows(900, 3, groups__RAC1P=["1", "2", "3"] * 300)
    values = found(batch, Reference.build([batch], SPEC, "s", "1"))
    looks = {
        (metric, segment): values[metric, "RAC1P", segment].test.looks  # type: ignore[union-attr]
        for metric in ("demographic_parity_ratio", "equalized_odds_difference")
        for segment in ("", "RAC1P=2")
    }

    assert looks == {
        ("demographic_parity_ratio", ""): 6,  # three pairs, either side the lower
        ("demographic_parity_ratio", "RAC1P=2"): 2,
        ("equalized_odds_difference", ""): 12,
        ("equalized_odds_difference", "RAC1P=2"): 4,
    }


def test_cells_of_a_single_value_hide_nothing_from_ks() -> None:
    ages = np.random.default_rng(1).poisson(40, 2_000).astype(float)
    reference = Reference.build([rows(2_000, 9, features__AGEP=ages)], SPEC, "s", "1")
    inside = np.clip(ages[:400] + 1, ages.min(), ages.max())

    value = found(rows(400, features__AGEP=inside), reference)["ks", "AGEP", ""]

    assert value.note == "binning error at most 0"


def test_the_catalogue_explains_every_metric() -> None:
    for entry in CATALOGUE.values():
        assert entry.formula
        assert entry.bound
        assert entry.oracle
        assert entry.source
