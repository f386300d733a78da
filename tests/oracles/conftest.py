"""Streams with known raw rows, for comparing answers with the libraries that define them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from watchkeeper_monitor.metrics import Value, measure
from watchkeeper_monitor.profiles import Profile
from watchkeeper_monitor.references.reference import Reference, add_rows
from watchkeeper_shared.specs import AISystem, FeatureKind, Group, Task
from watchkeeper_shared.testing.builders import a_system

NUMERIC = ("normal", "gamma", "lognormal", "pareto", "integer", "inflated")


@dataclass(frozen=True)
class Answers:
    """The values of one window, by what they are of."""

    values: tuple[Value, ...]

    def of(self, metric: str, column: str = "", segment: str = "") -> Value:
        found = [
            value
            for value in self.values
            if (value.metric, value.column, value.segment) == (metric, column, segment)
        ]
        assert len(found) == 1, f"{metric} {column} {segment}: {len(found)} values"
        return found[0]

    def number(self, metric: str, column: str = "", segment: str = "") -> float:
        value = self.of(metric, column, segment).value
        assert value is not None
        return value


@dataclass(frozen=True)
class Stream:
    """Raw reference and window rows, and what Watchkeeper says of the window."""

    spec: AISystem
    reference: pa.RecordBatch
    window: pa.RecordBatch
    answers: Answers

    def pair(self, field: str) -> tuple[Any, Any]:
        return self.reference.column(field).to_numpy(False), self.window.column(field).to_numpy(
            False
        )


def answer(
    spec: AISystem, reference: pa.RecordBatch, window: pa.RecordBatch, **options: Any
) -> Stream:
    built = Reference.build([reference], spec, "s", "1")
    profile = Profile.empty(built.grid)
    for start in range(0, window.num_rows, 1000):
        add_rows(profile, window.slice(start, 1000))
    values = measure(spec, built.grid, profile, built.profile, **options)
    return Stream(spec, reference, window, Answers(tuple(values)))


def some_rows(n: int, seed: int, shift: float = 0.0) -> pa.RecordBatch:
    rng = np.random.default_rng(seed)
    score = np.clip(rng.beta(0.7, 0.9, n), 0.0, 1.0)
    sex = rng.choice(["1", "2"], n, p=[0.4, 0.6])
    columns: dict[str, Any] = {
        "id": np.array([f"{seed}-{i}" for i in range(n)]),
        "features.normal": rng.normal(shift, 1, n),
        "features.gamma": rng.gamma(2, 1 + shift, n),
        "features.lognormal": rng.lognormal(shift, 1, n),
        "features.pareto": rng.pareto(1.5, n) * (1 + shift),
        "features.integer": rng.poisson(20 * (1 + shift), n),
        "features.inflated": np.where(
            rng.uniform(size=n) < 0.6, 0.0, rng.exponential(1 + shift, n)
        ),
        "features.kind": rng.choice(list("abcdefgh"), n),
        "score": score,
        "prediction": (score + 0.1 * (sex == "2") > 0.5).astype(np.int64),
        "label": (rng.uniform(size=n) < 0.8 * score + 0.1).astype(np.int64),
        "groups.SEX": sex,
        "latency_ms": rng.lognormal(3, 1, n),
        "decision.outcome": rng.choice(["done", "error"], n, p=[0.97, 0.03]),
        "explanation.normal": rng.normal(0, 1 + shift, n),
        "explanation.kind": rng.normal(0, 2, n),
        "groups.RACE": rng.choice(list("123456"), n, p=[0.6, 0.2, 0.1, 0.07, 0.02, 0.01]),
    }
    return pa.record_batch({name: pa.array(values) for name, values in columns.items()})


def a_survey(**changes: Any) -> AISystem:
    features = dict.fromkeys(NUMERIC, FeatureKind.NUMERIC) | {"kind": FeatureKind.CATEGORICAL}
    plain = {
        "task": Task.BINARY,
        "features": features,
        "groups": {"SEX": Group("1"), "RACE": Group("1"), "SEX&RACE": Group("1&1")},
        "positive_label": 1,
    }
    return a_system(**plain | changes)


@pytest.fixture(scope="session")
def stream() -> Stream:
    return answer(a_survey(), some_rows(20_000, 1), some_rows(7_000, 2, shift=0.1), group_rows=1)


@pytest.fixture(scope="session")
def answering() -> Callable[..., Stream]:
    return answer


@pytest.fixture(scope="session")
def rows() -> Callable[..., pa.RecordBatch]:
    return some_rows


@pytest.fixture(scope="session")
def survey() -> Callable[..., AISystem]:
    return a_survey
