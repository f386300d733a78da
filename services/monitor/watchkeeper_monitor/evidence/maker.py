"""One Evidently report: reference sample against window sample. Only `child` imports this.

Columns and methods are named one by one, because Evidently's own guesses depend on how many
rows there are and change from window to window. The report explains; it never decides.
"""

from __future__ import annotations

import html
import json
from typing import Any

import pyarrow as pa

from watchkeeper_monitor.evidence import silence
from watchkeeper_monitor.evidence.jobs import Failed, Job, Made
from watchkeeper_monitor.grids import Grid
from watchkeeper_monitor.references.reference import Reference
from watchkeeper_monitor.sampling.samples import from_bytes
from watchkeeper_shared.specs import Task

# isort: split
# After `silence`: telemetry is decided during this import.
import evidently
import pandas as pd
from evidently.metrics import ValueDrift
from evidently.presets import ClassificationPreset, RegressionPreset

__all__ = ["make", "silence"]

NUMERIC = ("wasserstein", 0.1)
CATEGORICAL = ("jensenshannon", 0.1)
"""Method and threshold of each kind; a distance in reference deviations, and one in nats."""

_FEWEST_LABELS = 2


def make(job: Job) -> Made | Failed:
    """Make a report; whatever the library raises becomes the reason why there is none."""
    try:
        return _made(job)
    except Exception as error:  # noqa: BLE001 - the border to a library that raises anything
        text = str(error).strip().splitlines()
        return Failed(f"{type(error).__name__}: {text[0][:300] if text else 'no message'}")


def _made(job: Job) -> Made:
    reference = Reference.from_bytes(job.reference)
    window, past = from_bytes(job.sample), reference.sample
    parts = {"drift": _drift(job, reference.grid, window, past)}
    labelled = _labelled(window), _labelled(past)
    if all(_can_be_judged(rows, reference.grid) for rows in labelled):
        parts["performance"] = _performance(job, reference.grid, *labelled)
    content = {
        "evidence": job.evidence,
        "title": job.title,
        "rows": job.words,
        "reference_rows": past.num_rows,
        "evidently": evidently.__version__,
        "parts": {name: json.loads(part.json()) for name, part in parts.items()},
    }
    return Made(json.dumps(content, sort_keys=True), _page(job, parts))


def _drift(job: Job, grid: Grid, window: pa.RecordBatch, past: pa.RecordBatch) -> Any:
    numeric = [axis.field for axis in grid.axes]
    categorical = [column.field for column in (*grid.categories, *grid.attributes)]
    if grid.task is not Task.REGRESSION:
        categorical.append("prediction")
    # A column without any value would end the whole report.
    numeric = [name for name in numeric if _has_values(name, window, past)]
    categorical = [name for name in categorical if _has_values(name, window, past)]
    metrics = [_metric(name, NUMERIC) for name in numeric]
    metrics += [_metric(name, CATEGORICAL) for name in categorical]
    definition = evidently.DataDefinition(
        numerical_columns=numeric, categorical_columns=categorical
    )
    frames = [_frame(rows, numeric, categorical) for rows in (window, past)]
    return _run(job, metrics, definition, frames)


def _metric(name: str, how: tuple[str, float]) -> Any:
    method, threshold = how
    return ValueDrift(column=name, method=method, threshold=threshold)


def _performance(job: Job, grid: Grid, window: pa.RecordBatch, past: pa.RecordBatch) -> Any:
    if grid.task is Task.REGRESSION:
        answers = [evidently.Regression(target="label", prediction="prediction")]
        definition = evidently.DataDefinition(
            numerical_columns=["label", "prediction"], regression=answers
        )
        frames = [_frame(rows, ["label", "prediction"], []) for rows in (window, past)]
        return _run(job, [RegressionPreset()], definition, frames)
    if grid.task is Task.BINARY:
        answers = [
            evidently.BinaryClassification(
                target="label",
                prediction_labels="prediction",
                pos_label=grid.classes[grid.positive],
            )
        ]
    else:
        answers = [
            evidently.MulticlassClassification(target="label", prediction_labels="prediction")
        ]
    definition = evidently.DataDefinition(
        categorical_columns=["label", "prediction"], classification=answers
    )
    frames = [_frame(rows, [], ["label", "prediction"]) for rows in (window, past)]
    return _run(job, [ClassificationPreset()], definition, frames)


def _run(job: Job, metrics: list[Any], definition: Any, frames: list[Any]) -> Any:
    current, reference = (evidently.Dataset.from_pandas(one, definition) for one in frames)
    report = evidently.Report(metrics)
    return report.run(current, reference, timestamp=job.timestamp, name=job.title)


def _has_values(name: str, *batches: pa.RecordBatch) -> bool:
    return all(
        name in batch.schema.names and batch.column(name).null_count < batch.num_rows
        for batch in batches
    )


def _frame(batch: pa.RecordBatch, numeric: list[str], categorical: list[str]) -> Any:
    columns = {name: batch.column(name).cast(pa.float64()).to_numpy(False) for name in numeric}
    texts = {name: batch.column(name).cast(pa.string()).to_pylist() for name in categorical}
    return pd.DataFrame({**columns, **texts})


def _labelled(batch: pa.RecordBatch) -> pa.RecordBatch:
    if "label" not in batch.schema.names:
        return batch.slice(0, 0)
    return batch.filter(batch.column("label").is_valid())


def _can_be_judged(rows: pa.RecordBatch, grid: Grid) -> bool:
    """Return whether there are labels of two kinds, without which the library fails."""
    if rows.num_rows < _FEWEST_LABELS:
        return False
    return grid.regression or len(rows.column("label").unique()) > 1


def _page(job: Job, parts: dict[str, Any]) -> bytes:
    """Return one page that says what it is of and from how many rows, and holds the parts."""
    frames = [
        f"<h2>{html.escape(name)}</h2>\n{part.get_html_str(as_iframe=True)}"
        for name, part in parts.items()
    ]
    head = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f"<title>{html.escape(job.title)}</title></head><body>"
        f"<h1>{html.escape(job.title)}</h1><p>Report {html.escape(job.words)}; it explains, and "
        "decides nothing: the decision was taken on all rows.</p>\n"
    )
    return (head + "\n".join(frames) + "</body></html>").encode()
