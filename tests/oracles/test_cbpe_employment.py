"""Estimates on the real stream `employment_MA`: how good they are, and that they are NannyML's.

NannyML runs where an environment of its own stands in build/nannyml-venv; without one the
comparison is skipped and the raw-row oracle of `test_cbpe` stands alone.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from watchkeeper.demo.dataset import default_cache, fetch, load
from watchkeeper_monitor.metrics import measure
from watchkeeper_monitor.profiles import Profile
from watchkeeper_monitor.references.reference import Reference, add_rows
from watchkeeper_shared.errors import ReceiverUnavailable
from watchkeeper_shared.specs import FeatureKind, Group

CHUNK = 5_000
NANNYML = Path(__file__).resolve().parents[2] / "build" / "nannyml-venv" / "bin" / "python"
SCRIPT = """
import json, os, warnings
os.environ["NML_DISABLE_USAGE_LOGGING"] = "1"
warnings.simplefilter("ignore")
import nannyml
reference, analysis, _ = nannyml.load_us_census_ma_employment_data()
found = nannyml.CBPE(
    problem_type="classification_binary", y_pred="prediction", y_true="employed",
    y_pred_proba="predicted_probability", chunk_size=5000,
    metrics=["accuracy", "precision", "recall", "f1", "roc_auc"],
).fit(reference).estimate(analysis).filter(period="analysis").to_df()
print(json.dumps({name: found[(name, "value")].tolist()
                  for name in ("accuracy", "precision", "recall", "f1", "roc_auc")}))
"""


def canonical(table: pa.Table) -> pa.RecordBatch:
    columns = {
        "prediction": table.column("prediction"),
        "score": table.column("predicted_probability"),
        "label": table.column("employed"),
        "features.AGEP": table.column("AGEP"),
        "groups.SEX": table.column("SEX").cast(pa.string()),
    }
    return pa.table(columns).combine_chunks().to_batches()[0]


@pytest.fixture(scope="module")
def chunks(survey: Any) -> list[dict[tuple[str, str], float]]:
    """What 42 chunks of 5,000 rows say: (metric, segment) → value."""
    try:
        tables = load(fetch(default_cache()))
    except ReceiverUnavailable as error:
        pytest.skip(f"the real data set is not here: {error}")
    spec = survey(features={"AGEP": FeatureKind.NUMERIC}, groups={"SEX": Group("1")})
    built = Reference.build([canonical(tables.reference)], spec, "s", "1")
    rows = canonical(tables.analysis.append_column("employed", tables.targets.column("employed")))
    found = []
    # NannyML's last chunk takes the rows that are left over.
    for start in range(0, rows.num_rows // CHUNK * CHUNK + 1, CHUNK):
        profile = Profile.empty(built.grid)
        add_rows(profile, rows.slice(start, CHUNK))
        values = measure(spec, built.grid, profile, built.profile)
        found.append(
            {(one.metric, one.segment): one.value for one in values if one.value is not None}
        )
    return found


@pytest.mark.parametrize(
    ("name", "published"),
    [("accuracy", 0.0051), ("precision", 0.0125), ("recall", 0.0078), ("f1", 0.0066)],
)
def test_estimates_are_as_close_to_what_came_as_published(
    chunks: list[dict[tuple[str, str], float]], name: str, published: float
) -> None:
    errors = [abs(one[f"estimation_error_{name}", ""]) for one in chunks]

    assert sum(errors) / len(errors) == pytest.approx(published, abs=1e-4)


def test_the_area_is_as_close_as_published(chunks: list[dict[tuple[str, str], float]]) -> None:
    errors = [abs(one["estimation_error_roc_auc", ""]) for one in chunks]

    assert sum(errors) / len(errors) == pytest.approx(0.0040, abs=1e-4)


def test_the_numbers_are_nannymls(chunks: list[dict[tuple[str, str], float]]) -> None:
    if not NANNYML.exists():
        pytest.skip("no environment with nannyml==0.13.1 in build/nannyml-venv")
    done = subprocess.run([NANNYML, "-c", SCRIPT], capture_output=True, text=True, check=True)
    theirs = json.loads(done.stdout.splitlines()[-1])

    for name, bound in {
        "accuracy": 1e-12,
        "precision": 1e-12,
        "recall": 1e-12,
        "f1": 1e-12,
        "roc_auc": 2e-5,
    }.items():
        ours = [one[f"estimated_{name}", ""] for one in chunks]
        assert len(ours) == len(theirs[name]) == 42
        assert ours == pytest.approx(theirs[name], abs=bound)
