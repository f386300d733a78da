"""The whole real stream `employment_MA`, against the libraries on its raw rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from fairlearn import metrics as fair
from scipy import stats
from sklearn import metrics as sk

from watchkeeper.demo.dataset import default_cache, fetch, load
from watchkeeper_shared.errors import ReceiverUnavailable
from watchkeeper_shared.specs import AISystem, FeatureKind, Group

FEATURES = (
    *("SCHL", "MAR", "RELP", "DIS", "ESP", "CIT", "MIG", "MIL", "ANC"),
    *("NATIVITY", "DEAR", "DEYE", "DREM", "SEX", "RAC1P"),
)


def canonical(table: pa.Table) -> pa.RecordBatch:
    columns = {
        "id": table.column("id").cast(pa.string()),
        "prediction": table.column("prediction"),
        "score": table.column("predicted_probability"),
        "label": table.column("employed"),
        "features.AGEP": table.column("AGEP"),
    }
    texts = {name: table.column(name).cast(pa.string()) for name in FEATURES}
    columns |= {f"features.{name}": column for name, column in texts.items()}
    columns |= {f"groups.{name}": texts[name] for name in ("SEX", "RAC1P")}
    return pa.table(columns).combine_chunks().to_batches()[0]


@pytest.fixture(scope="module")
def employment(answering: Any, survey: Any) -> Any:
    try:
        tables = load(fetch(default_cache()))
    except ReceiverUnavailable as error:
        pytest.skip(f"the real data set is not here: {error}")
    spec: AISystem = survey(
        features={"AGEP": FeatureKind.NUMERIC} | dict.fromkeys(FEATURES, FeatureKind.CATEGORICAL),
        groups={"SEX": Group("1"), "RAC1P": Group("1")},
    )
    stream = tables.analysis.append_column("employed", tables.targets.column("employed"))
    return answering(spec, canonical(tables.reference), canonical(stream), group_rows=1)


def raw(employment: Any, *names: str) -> Any:
    return [employment.window.column(name).to_numpy(False) for name in names]


def test_performance_is_scikit_learns(employment: Any) -> None:
    y, predicted, score = raw(employment, "label", "prediction", "score")
    number = employment.answers.number

    assert number("accuracy") == pytest.approx(sk.accuracy_score(y, predicted), abs=1e-12)
    assert number("precision") == pytest.approx(sk.precision_score(y, predicted), abs=1e-12)
    assert number("recall") == pytest.approx(sk.recall_score(y, predicted), abs=1e-12)
    assert number("f1") == pytest.approx(sk.f1_score(y, predicted), abs=1e-12)
    assert number("brier") == pytest.approx(sk.brier_score_loss(y, score), abs=1e-12)
    assert number("log_loss") == pytest.approx(sk.log_loss(y, score), abs=1e-12)
    auc = employment.answers.of("roc_auc")
    assert abs(auc.value - sk.roc_auc_score(y, score)) <= auc.test.bound
    assert auc.test.bound < 2e-3


@pytest.mark.parametrize("attribute", ["SEX", "RAC1P"])
def test_fairness_is_fairlearns(employment: Any, attribute: str) -> None:
    y, predicted, groups = raw(employment, "label", "prediction", f"groups.{attribute}")

    for metric in (
        "demographic_parity_difference",
        "demographic_parity_ratio",
        "equal_opportunity_difference",
        "equalized_odds_difference",
    ):
        exact = getattr(fair, metric)(y, predicted, sensitive_features=groups)
        assert employment.answers.number(metric, attribute) == pytest.approx(exact, abs=1e-12)


def test_published_figures_of_the_data_set_come_out(employment: Any) -> None:
    y, predicted, sex = raw(employment, "label", "prediction", "groups.SEX")
    rates = [float(np.mean(predicted[(sex == one) & (y == 0)])) for one in ("1", "2")]

    assert employment.answers.number("demographic_parity_ratio", "SEX") == pytest.approx(
        0.992, abs=5e-4
    )
    assert rates == pytest.approx([0.177, 0.231], abs=5e-4)


def test_age_is_scipys(employment: Any) -> None:
    reference, window = employment.pair("features.AGEP")
    number = employment.answers.number

    distance = stats.wasserstein_distance(reference, window) / np.std(reference)
    assert number("wasserstein", "AGEP") == pytest.approx(distance, abs=1e-9)
    assert number("ks", "AGEP") == pytest.approx(
        stats.ks_2samp(reference, window).statistic, abs=1e-12
    )


def test_score_drift_is_within_its_bound_of_scipy(employment: Any) -> None:
    reference, window = employment.pair("score")
    value = employment.answers.of("wasserstein", "score")

    exact = stats.wasserstein_distance(reference, window) / np.std(reference)

    assert abs(value.value - exact) <= 0.002
    assert value.low <= exact <= value.high


@pytest.mark.parametrize("name", ["RELP", "SCHL", "SEX"])
def test_psi_of_categories_is_that_of_the_raw_values(employment: Any, name: str) -> None:
    reference, window = employment.pair(f"features.{name}")
    values = np.unique(np.concatenate([reference.astype(str), window.astype(str)]))
    p, q = (
        np.maximum([np.mean(x.astype(str) == value) for value in values], 1e-4)
        for x in (reference, window)
    )

    assert employment.answers.number("psi", name) == pytest.approx(
        float(np.sum((q - p) * np.log(q / p))), abs=1e-12
    )
