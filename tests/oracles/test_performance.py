"""Performance from counts against scikit-learn on the raw rows."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from sklearn import metrics as sk

from watchkeeper_shared.specs import Task

EXACT = {
    "accuracy": sk.accuracy_score,
    "precision": sk.precision_score,
    "recall": sk.recall_score,
    "f1": sk.f1_score,
}


def labels(stream: Any) -> tuple[Any, Any, Any]:
    return tuple(
        stream.window.column(name).to_numpy(False) for name in ("label", "prediction", "score")
    )


@pytest.mark.parametrize("metric", EXACT)
def test_confusion_metrics_are_exact(stream: Any, metric: str) -> None:
    y, predicted, _ = labels(stream)

    assert stream.answers.number(metric) == pytest.approx(EXACT[metric](y, predicted), abs=1e-12)


@pytest.mark.parametrize(
    ("metric", "oracle"), [("brier", sk.brier_score_loss), ("log_loss", sk.log_loss)]
)
def test_losses_are_exact(stream: Any, metric: str, oracle: Any) -> None:
    y, _, score = labels(stream)

    assert stream.answers.number(metric) == pytest.approx(oracle(y, score), abs=1e-12)


def test_roc_auc_is_within_its_bound(stream: Any) -> None:
    y, _, score = labels(stream)
    exact = sk.roc_auc_score(y, score)

    value = stream.answers.of("roc_auc")
    bound = re.search(r"at most ([\d.e+-]+)", value.note)

    assert bound is not None
    assert abs(value.value - exact) <= float(bound[1]) * 1.05
    assert abs(value.value - exact) <= 5e-4
    assert value.low <= exact <= value.high


def test_roc_auc_of_rounded_scores_is_exact(answering: Any, survey: Any, rows: Any) -> None:
    window = rows(3_000, 4)
    rounded = np.round(window.column("score").to_numpy(False), 2)
    window = window.set_column(window.schema.get_field_index("score"), "score", rounded)
    stream = answering(survey(), rows(5_000, 1), window)

    assert stream.answers.number("roc_auc") == pytest.approx(
        sk.roc_auc_score(window.column("label").to_numpy(False), rounded), abs=1e-12
    )


@pytest.mark.parametrize("metric", ["accuracy", "precision", "recall", "f1"])
def test_many_classes_have_accuracy_and_macro_means(
    answering: Any, survey: Any, metric: str
) -> None:
    rng = np.random.default_rng(5)
    y = rng.choice(list("abcd"), 4_000)
    predicted = np.where(rng.uniform(size=4_000) < 0.7, y, rng.choice(list("abc"), 4_000))
    batch = pa.record_batch({"prediction": pa.array(predicted), "label": pa.array(y)})
    spec = survey(task=Task.MULTICLASS, features={}, groups={})
    options = {} if metric == "accuracy" else {"average": "macro", "zero_division": 0}

    stream = answering(spec, batch, batch.slice(0, 1_500))

    assert stream.answers.number(metric) == pytest.approx(
        EXACT[metric](y[:1_500], predicted[:1_500], **options), abs=1e-12
    )


@pytest.mark.parametrize(
    ("metric", "oracle"),
    [("mae", sk.mean_absolute_error), ("rmse", sk.root_mean_squared_error)],
)
def test_errors_of_a_regression_are_exact(
    answering: Any, survey: Any, metric: str, oracle: Any
) -> None:
    rng = np.random.default_rng(6)
    y = rng.normal(100, 20, 3_000)
    predicted = y + rng.normal(1, 5, 3_000)
    batch = pa.record_batch({"prediction": pa.array(predicted), "label": pa.array(y)})

    stream = answering(survey(task=Task.REGRESSION, features={}, groups={}), batch, batch)

    assert stream.answers.number(metric) == pytest.approx(oracle(y, predicted), rel=1e-11)
