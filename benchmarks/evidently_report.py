"""The baseline: one Evidently `Report` (drift and classification) over raw rows."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pyarrow as pa

os.environ["DO_NOT_TRACK"] = "1"  # noqa: TID251 - must be set before evidently is imported

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from evidently import BinaryClassification, DataDefinition, Dataset, Report
    from evidently.presets import ClassificationPreset, DataDriftPreset

from benchmarks.stream import CATEGORICAL, NUMERIC


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the libraries' warnings out of the table."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield


def report(reference: pa.RecordBatch, window: pa.RecordBatch) -> Callable[[], object]:
    """Return the work of one report; turning rows into data sets is not part of it."""
    definition = DataDefinition(
        numerical_columns=[f"features.{name}" for name in NUMERIC],
        categorical_columns=[f"features.{name}" for name in CATEGORICAL],
        classification=[
            BinaryClassification(target="label", prediction_probas="score", pos_label=1)
        ],
    )
    current = Dataset.from_pandas(window.to_pandas(), definition)
    base = Dataset.from_pandas(reference.to_pandas(), definition)

    def run() -> object:
        with quiet():
            return Report([DataDriftPreset(), ClassificationPreset()]).run(current, base).dict()

    return run
