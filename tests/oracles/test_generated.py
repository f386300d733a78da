"""Generated frames, small and odd, against scikit-learn, SciPy and Fairlearn."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from fairlearn.metrics import MetricFrame, false_positive_rate
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics as sk

from watchkeeper_shared.specs import FeatureKind, Group

QUIET = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
ORACLES = {
    "accuracy": sk.accuracy_score,
    "balanced_accuracy": sk.balanced_accuracy_score,
    "mcc": sk.matthews_corrcoef,
    "kappa": sk.cohen_kappa_score,
    "precision": sk.precision_score,
    "recall": sk.recall_score,
    "f1": sk.f1_score,
}
scores = st.one_of(st.floats(0, 1), st.sampled_from([0.0, 0.25, 0.5, 1.0, 1e-12, 1 - 1e-12]))


@st.composite
def frames(draw: st.DrawFn) -> pa.RecordBatch:
    n = draw(st.integers(2, 60))
    binary = st.lists(st.integers(0, 1), min_size=n, max_size=n)
    columns = {
        "label": draw(binary),
        "prediction": draw(binary),
        "score": draw(st.lists(scores, min_size=n, max_size=n)),
        "features.x": draw(st.lists(st.floats(-1e6, 1e6), min_size=n, max_size=n)),
        "groups.g": [str(one) for one in draw(binary)],
    }
    return pa.record_batch({name: pa.array(values) for name, values in columns.items()})


def answers(answering: Any, survey: Any, reference: pa.RecordBatch, window: pa.RecordBatch) -> Any:
    spec = survey(features={"x": FeatureKind.NUMERIC}, groups={"g": Group("0")})
    return answering(spec, reference, window, group_rows=1).answers


@QUIET
@given(frames(), frames())
def test_confusion_metrics_are_exact_where_they_exist(
    answering: Any, survey: Any, reference: pa.RecordBatch, window: pa.RecordBatch
) -> None:
    found = answers(answering, survey, reference, window)
    y, predicted = (np.asarray(window.column(name)) for name in ("label", "prediction"))

    for metric, oracle in ORACLES.items():
        value = found.of(metric)
        if value.value is None:
            assert len({*y.tolist()}) == 1 or len({*predicted.tolist()}) == 1, metric
        else:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                assert value.value == pytest.approx(oracle(y, predicted), abs=1e-12), metric


@QUIET
@given(frames(), frames())
def test_areas_are_within_the_bound_that_they_state(
    answering: Any, survey: Any, reference: pa.RecordBatch, window: pa.RecordBatch
) -> None:
    found = answers(answering, survey, reference, window)
    y, score = (np.asarray(window.column(name)) for name in ("label", "score"))

    for metric, oracle in (
        ("roc_auc", sk.roc_auc_score),
        ("pr_auc", sk.average_precision_score),
    ):
        value = found.of(metric)
        if value.value is None:
            assert len({*y.tolist()}) == 1
        else:
            assert abs(value.value - oracle(y, score)) <= value.test.bound + 1e-12


@QUIET
@given(frames(), frames())
def test_ks_and_gaps_of_groups_hold(
    answering: Any, survey: Any, reference: pa.RecordBatch, window: pa.RecordBatch
) -> None:
    found = answers(answering, survey, reference, window)
    old, new = (np.asarray(one.column("features.x")) for one in (reference, window))
    value = found.of("ks", "x")
    exact = stats.ks_2samp(old, new, method="asymp").statistic

    assert value.value <= exact + 1e-12
    assert exact <= value.high + 1e-12

    y, predicted, group = (
        np.asarray(window.column(name)) for name in ("label", "prediction", "groups.g")
    )
    gap = found.of("fpr_difference", "g")
    negatives = {*group[y == 0].tolist()}
    known = {*np.asarray(reference.column("groups.g")).tolist()}
    if negatives == {"0", "1"} == known:
        frame = MetricFrame(
            metrics=false_positive_rate, y_true=y, y_pred=predicted, sensitive_features=group
        )
        assert gap.value == pytest.approx(frame.difference(), abs=1e-12)
    else:
        assert gap.value is None
