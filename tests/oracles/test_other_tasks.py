"""Multiclass and regression systems against scikit-learn and Fairlearn on the raw rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from fairlearn.metrics import MetricFrame
from sklearn import metrics as sk

from watchkeeper_monitor.grids import Grid
from watchkeeper_monitor.metrics import measure
from watchkeeper_monitor.profiles import Profile
from watchkeeper_monitor.references.reference import add_rows
from watchkeeper_shared.specs import Group, Task

CLASSES = list("abcd")


@pytest.fixture(scope="module")
def classes(answering: Any, survey: Any) -> Any:
    rng = np.random.default_rng(5)
    y = rng.choice(CLASSES, 4_000, p=[0.4, 0.3, 0.2, 0.1])
    scores = rng.dirichlet(np.ones(4), 4_000)
    predicted = np.where(rng.uniform(size=4_000) < 0.6, y, rng.choice(CLASSES[:3], 4_000))
    columns = {"prediction": predicted, "label": y, "groups.SEX": rng.choice(["1", "2"], 4_000)}
    columns |= {f"scores.{name}": scores[:, at] for at, name in enumerate(CLASSES)}
    batch = pa.record_batch({name: pa.array(values) for name, values in columns.items()})
    spec = survey(task=Task.MULTICLASS, features={}, groups={"SEX": Group("1")})
    return answering(spec, batch, batch.slice(0, 1_700))


def raw(stream: Any, *names: str) -> list[Any]:
    return [stream.window.column(name).to_numpy(False) for name in names]


@pytest.mark.parametrize(
    ("metric", "oracle", "options"),
    [
        ("accuracy", sk.accuracy_score, {}),
        ("balanced_accuracy", sk.balanced_accuracy_score, {}),
        ("kappa", sk.cohen_kappa_score, {}),
        *(
            (f"{prefix}{name}", getattr(sk, f"{name}_score"), {"average": average})
            for name in ("precision", "recall", "f1")
            for prefix, average in (("", "macro"), ("weighted_", "weighted"))
        ),
    ],
)
def test_many_classes_are_scikit_learns(
    classes: Any, metric: str, oracle: Any, options: dict[str, Any]
) -> None:
    y, predicted = raw(classes, "label", "prediction")
    extra = {"zero_division": 0} if options else {}
    value = classes.answers.of(metric)

    assert value.value == pytest.approx(oracle(y, predicted, **options, **extra), abs=1e-12)
    assert value.low < value.value < value.high


@pytest.mark.parametrize("metric", ["precision", "recall", "f1"])
def test_each_class_is_scikit_learns(classes: Any, metric: str) -> None:
    y, predicted = raw(classes, "label", "prediction")
    oracle = getattr(sk, f"{metric}_score")
    exact = oracle(y, predicted, average=None, labels=CLASSES, zero_division=0)

    for name, number in zip(CLASSES, exact, strict=True):
        value = classes.answers.of(f"class_{metric}", name)
        if (name, metric) == ("d", "precision") and not np.any(predicted == "d"):
            assert value.value is None
        else:
            assert value.value == pytest.approx(number, abs=1e-12)


def test_the_confusion_matrix_is_scikit_learns(classes: Any) -> None:
    y, predicted = raw(classes, "label", "prediction")
    exact = sk.confusion_matrix(y, predicted, labels=CLASSES, normalize="true")

    for row, label in enumerate(CLASSES):
        for column, called in enumerate(CLASSES):
            assert classes.answers.number(
                "confusion_share", label, f"prediction={called}"
            ) == pytest.approx(exact[row, column], abs=1e-12)


def test_losses_over_classes_are_scikit_learns(classes: Any) -> None:
    (y,) = raw(classes, "label")
    scores = np.stack(raw(classes, *(f"scores.{name}" for name in CLASSES)), axis=1)
    hot = (y[:, None] == np.array(CLASSES)).astype(float)

    assert classes.answers.number("log_loss") == pytest.approx(
        sk.log_loss(y, scores, labels=CLASSES), abs=1e-12
    )
    assert classes.answers.number("brier") == pytest.approx(
        float(((scores - hot) ** 2).sum(axis=1).mean()), abs=1e-12
    )


def test_many_classes_are_fair_by_accuracy(classes: Any) -> None:
    y, predicted, sex = raw(classes, "label", "prediction", "groups.SEX")
    exact = MetricFrame(
        metrics=sk.accuracy_score, y_true=y, y_pred=predicted, sensitive_features=sex
    ).difference()

    assert classes.answers.number("accuracy_difference", "SEX") == pytest.approx(exact, abs=1e-12)
    assert not [one for one in classes.answers.values if one.metric.startswith("demographic")]


@pytest.fixture(scope="module")
def strangers(classes: Any) -> pa.RecordBatch:
    """Rows of which a third have a class, predicted and true, that the reference never held."""
    names, window = classes.window.schema.names, classes.window
    strange = np.arange(window.num_rows) % 3 == 0
    new = {
        name: np.where(strange, "new", window.column(name).to_numpy(False))
        for name in ("prediction", "label")
    }
    return pa.record_batch(
        {name: pa.array(new[name]) if name in new else window[name] for name in names}
    )


def test_a_class_that_nobody_knows_is_right_for_no_group_either(
    answering: Any, classes: Any, strangers: pa.RecordBatch
) -> None:
    """Two classes that the grid does not know are not known to be the same."""
    found = answering(classes.spec, classes.reference, strangers).answers
    groups = [found.of("group_accuracy", "SEX", f"SEX={name}") for name in "12"]

    right = sum(one.value * one.n for one in groups) / sum(one.n for one in groups)

    assert right == pytest.approx(found.number("accuracy"), abs=1e-12)


def test_without_a_reference_no_group_of_many_classes_is_said_to_be_right(
    classes: Any,
) -> None:
    grid = Grid.bare(classes.spec, "1")
    profile = Profile.empty(grid)
    add_rows(profile, classes.window)

    values = measure(classes.spec, grid, profile, None)
    of_groups = [one for one in values if one.metric in ("group_accuracy", "accuracy_difference")]

    assert {(one.value, one.note) for one in of_groups} == {
        (None, "classes are not known before there is a reference")
    }
    assert {one.metric for one in of_groups} == {"group_accuracy", "accuracy_difference"}


@pytest.fixture(scope="module")
def regression(answering: Any, survey: Any) -> Any:
    rng = np.random.default_rng(6)
    sex = rng.choice(["1", "2"], 3_000)
    y = rng.normal(10, 20, 3_000)
    predicted = y + rng.normal(1, 5, 3_000) + (sex == "2")
    columns = {"prediction": predicted, "label": y, "groups.SEX": sex}
    batch = pa.record_batch({name: pa.array(values) for name, values in columns.items()})
    spec = survey(task=Task.REGRESSION, features={}, groups={"SEX": Group("1")})
    return answering(spec, batch, batch.slice(0, 2_000))


@pytest.mark.parametrize(
    ("metric", "oracle", "tolerance"),
    [
        ("mae", sk.mean_absolute_error, 1e-11),
        ("rmse", sk.root_mean_squared_error, 1e-11),
        ("r2", sk.r2_score, 1e-9),
        ("mean_error", lambda y, p: float(np.mean(p - y)), 1e-11),
        ("max_error", sk.max_error, 0.016),
    ],
)
def test_errors_are_scikit_learns(
    regression: Any, metric: str, oracle: Any, tolerance: float
) -> None:
    y, predicted = raw(regression, "label", "prediction")
    value = regression.answers.of(metric)

    assert value.value == pytest.approx(oracle(y, predicted), rel=tolerance)
    assert value.low <= value.value <= value.high


def test_relative_errors_are_scikit_learns_but_for_labels_near_zero(regression: Any) -> None:
    y, predicted = raw(regression, "label", "prediction")
    nearest = 1e-3 * float(np.std(regression.reference.column("prediction")))
    exact = float(np.mean(np.abs(predicted - y) / np.maximum(np.abs(y), nearest)))

    assert np.min(y) < 0, "evidently's is wrong there"
    assert regression.answers.number("mape") == pytest.approx(exact, rel=1e-10)


def test_a_regression_is_fair_by_its_means(regression: Any) -> None:
    y, predicted, sex = raw(regression, "label", "prediction", "groups.SEX")
    means = [float(np.mean(predicted[sex == one])) for one in "12"]
    errors = [float(np.mean((predicted - y)[sex == one])) for one in "12"]
    number = regression.answers.number

    assert number("group_mean_prediction", "SEX", "SEX=2") == pytest.approx(means[1], rel=1e-11)
    assert number("mean_prediction_difference", "SEX") == pytest.approx(
        abs(means[1] - means[0]), abs=1e-10
    )
    assert number("mean_error_difference", "SEX", "SEX=2") == pytest.approx(
        abs(errors[1] - errors[0]), abs=1e-10
    )
