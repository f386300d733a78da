"""More of binary performance: against scikit-learn, and against simulation where it has none."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from sklearn import metrics as sk

from watchkeeper_monitor.metrics.confusion import Table, mcc

EXACT = {
    "balanced_accuracy": sk.balanced_accuracy_score,
    "specificity": lambda y, p: sk.recall_score(y, p, pos_label=0),
    "mcc": sk.matthews_corrcoef,
    "kappa": sk.cohen_kappa_score,
}


def labels(stream: Any) -> tuple[Any, Any, Any]:
    return tuple(
        stream.window.column(name).to_numpy(False) for name in ("label", "prediction", "score")
    )


@pytest.mark.parametrize("metric", EXACT)
def test_what_the_confusion_matrix_says_is_exact(stream: Any, metric: str) -> None:
    y, predicted, _ = labels(stream)
    value = stream.answers.of(metric)

    assert value.value == pytest.approx(EXACT[metric](y, predicted), abs=1e-12)
    assert value.low < value.value < value.high


def test_average_precision_is_within_its_bound(stream: Any) -> None:
    y, _, score = labels(stream)
    exact = sk.average_precision_score(y, score)
    value = stream.answers.of("pr_auc")
    bound = re.search(r"at most ([\d.e+-]+)", value.note)

    assert bound is not None
    assert abs(value.value - exact) <= float(bound[1]) * 1.05
    assert float(bound[1]) < 0.01
    assert value.low <= exact <= value.high


def test_average_precision_of_rounded_scores_is_exact_and_says_so(
    answering: Any, survey: Any, rows: Any
) -> None:
    def rounded(n: int, seed: int) -> Any:
        batch = rows(n, seed)
        at = batch.schema.get_field_index("score")
        return batch.set_column(at, "score", np.round(batch.column("score").to_numpy(False), 2))

    stream = answering(survey(), rounded(5_000, 1), rounded(3_000, 4))
    y, _, score = labels(stream)

    for metric, oracle in (
        ("pr_auc", sk.average_precision_score),
        ("roc_auc", sk.roc_auc_score),
    ):
        assert stream.answers.number(metric) == pytest.approx(oracle(y, score), abs=1e-12)
        assert stream.answers.of(metric).note == "binning error at most 0"


def test_the_error_of_matthews_coefficient_is_that_of_repeated_samples() -> None:
    rng = np.random.default_rng(4)
    shares, n = [0.25, 0.1, 0.15, 0.5], 2_000
    values = [mcc(Table(*map(int, rng.multinomial(n, shares)))) for _ in range(2_000)]

    spread = float(np.std([one.value for one in values]))  # type: ignore[arg-type]
    assert values[0].test.error == pytest.approx(spread, rel=0.1)  # type: ignore[union-attr]


def test_drops_and_rises_are_those_of_the_raw_rows(stream: Any) -> None:
    y, predicted, score = labels(stream)
    old = [
        stream.reference.column(name).to_numpy(False) for name in ("label", "prediction", "score")
    ]
    drop = sk.recall_score(old[0], old[1]) - sk.recall_score(y, predicted)
    rise = sk.brier_score_loss(y, score) / sk.brier_score_loss(old[0], old[2]) - 1

    assert stream.answers.number("recall_drop") == pytest.approx(drop, abs=1e-12)
    assert stream.answers.number("brier_rise") == pytest.approx(rise, abs=1e-12)
    for metric in ("recall_drop", "accuracy_drop", "roc_auc_drop", "log_loss_rise"):
        value = stream.answers.of(metric)
        assert value.low < 0 < value.high, "nothing changed in how labels follow from scores"
