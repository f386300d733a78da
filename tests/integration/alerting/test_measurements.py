"""Measurements come out in their public shape, filtered, newest revisions only."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx
import sqlalchemy as sa

from watchkeeper_alerting.testing.builders import DAY
from watchkeeper_alerting.testing.measured import measure
from watchkeeper_alerting.testing.service import RunningService
from watchkeeper_shared.db.keys import Role
from watchkeeper_shared.db.tables import ended, measurements


def test_the_public_shape(service: RunningService) -> None:
    measure(service.database, DAY, metric="psi", column="AGEP", value=0.31)

    (only,) = service.as_(Role.VIEWER).get("/v1/measurements").json()["measurements"]

    assert only == {
        "system": "employment-ma",
        "version": "1",
        "metric": "psi",
        "column": "AGEP",
        "segment": "",
        "window": {
            "start": "2026-11-22T00:00:00Z",
            "end": "2026-11-23T00:00:00Z",
            "revision": 1,
            "status": "final",
        },
        "value": 0.31,
        "interval": [0.29, 0.33],
        "n": 2150,
        "scale": 1,
        "pooled": None,
        "reference": {"id": "d" * 64, "n": 68785},
        "limits": {"warn": 0.1, "breach": 0.25},
        "state": "ok",
        "reason": "",
        "policy": {"id": "employment-ma", "hash": "c" * 64},
    }


def test_what_several_windows_say_together_stands_beside_what_one_says(
    service: RunningService,
) -> None:
    pooled = {"value": 0.27, "low": 0.26, "high": None, "n": 8_600}
    measure(service.database, DAY, metric="psi", scale=4, pooled=pooled, state="breach")
    measure(service.database, DAY, metric="ks", scale=2, pooled=pooled | {"high": 0.28})
    viewer = service.as_(Role.VIEWER)

    def ask(metric: str) -> Any:
        (only,) = viewer.get("/v1/measurements", params={"metric": metric}).json()["measurements"]
        return only

    four = ask("psi")
    assert (four["value"], four["n"], four["scale"]) == (0.83, 2150, 4)
    assert four["pooled"] == {
        "windows": 4,
        "start": "2026-11-19T00:00:00Z",
        "end": "2026-11-23T00:00:00Z",
        "value": 0.27,
        "interval": None,
        "n": 8_600,
    }
    assert ask("ks")["pooled"]["interval"] == [0.26, 0.28]


def test_what_could_not_be_measured_is_there_without_a_value(service: RunningService) -> None:
    measure(service.database, DAY, value=None, low=None, high=None, reference=None, state="no_data")

    (only,) = service.as_(Role.VIEWER).get("/v1/measurements").json()["measurements"]

    assert (only["value"], only["interval"], only["reference"]) == (None, None, None)
    assert only["state"] == "no_data"


def test_filters_and_the_newest_window(service: RunningService) -> None:
    for day in range(4):
        at = DAY + timedelta(days=day)
        measure(service.database, at, metric="accuracy", value=0.80 + day / 100)
        measure(service.database, at, metric="psi", column="AGEP", segment="SEX=2", value=0.1)
    with service.database.transaction() as c:
        c.execute(
            sa.update(measurements)
            .where(measurements.c.window_start == DAY, measurements.c.metric == "psi")
            .values(current=False)
        )
    reader = service.as_(Role.VIEWER)

    def days(**query: str) -> list[tuple[str, str]]:
        found = reader.get("/v1/measurements", params=query).json()["measurements"]
        return [(one["metric"], one["window"]["start"][8:10]) for one in found]

    assert days(metric="accuracy") == [("accuracy", f"{day}") for day in (22, 23, 24, 25)]
    assert days(metric="psi") == [("psi", f"{day}") for day in (23, 24, 25)]
    assert days(segment="SEX=2", latest="true") == [("psi", "25")]
    assert sorted(days(latest="true", system="employment-ma")) == [
        ("accuracy", "25"),
        ("psi", "25"),
    ]
    assert days(
        metric="accuracy", **{"from": "2026-11-23T00:00:00Z", "to": "2026-11-25T00:00:00Z"}
    ) == [
        ("accuracy", "23"),
        ("accuracy", "24"),
    ]
    assert days(column="x") == days(version="2") == []


def test_a_bounded_answer_keeps_the_newest_and_says_that_there_is_more(
    service: RunningService,
) -> None:
    for day in range(3):
        measure(service.database, DAY + timedelta(days=day))

    answer = service.as_(Role.VIEWER).get("/v1/measurements?limit=2").json()

    assert [one["window"]["start"][8:10] for one in answer["measurements"]] == ["23", "24"]
    assert answer["truncated"] is True


def test_a_time_that_cannot_be_read_is_refused(service: RunningService) -> None:
    reader = service.as_(Role.VIEWER)

    for bad in ("yesterday", "2026-11-23T00:00:00"):
        assert reader.get("/v1/measurements", params={"from": bad}).status_code == 422
    good = reader.get("/v1/measurements?from=2026-11-23T00:00:00+01:00")
    assert good.status_code == 200


def test_a_name_that_does_not_exist_is_told_and_not_answered_with_silence(
    service: RunningService,
) -> None:
    viewer = service.as_(Role.VIEWER)

    metric = viewer.get("/v1/measurements", params={"metric": "acuracy"})
    system = viewer.get("/v1/measurements", params={"system": "nobody"})
    quiet = viewer.get("/v1/measurements", params={"metric": "psi", "from": "2030-01-01T00:00:00Z"})

    assert (metric.status_code, system.status_code, quiet.status_code) == (422, 404, 200)
    assert "did you mean accuracy?" in metric.json()["detail"]
    assert "no system 'nobody'" in system.json()["detail"]
    assert quiet.json()["measurements"] == []


def test_windows_that_have_ended_are_told_from_windows_that_never_were(
    service: RunningService,
) -> None:
    measure(service.database, DAY, metric="psi")
    scope = {"policy": "employment-ma", "system": "employment-ma", "version": "1"}
    with service.database.transaction() as c:
        c.execute(sa.insert(ended).values(scope | {"until": DAY}))
    viewer = service.as_(Role.VIEWER)

    def ask(**query: str) -> httpx.Response:
        return viewer.get("/v1/measurements", params=query)

    over = ask(version="1", to="2026-11-20T00:00:00Z")
    assert over.status_code == 410
    assert "WATCHKEEPER_MEASUREMENT_RETENTION" in over.json()["detail"]
    whole = ask().json()
    assert (len(whole["measurements"]), whole["ended_before"]) == (1, "2026-11-22T00:00:00Z")
    since = ask(**{"from": "2026-11-22T00:00:00Z"}).json()
    assert (len(since["measurements"]), since["ended_before"]) == (1, None)
    assert ask(latest="true").json()["ended_before"] is None
    assert ask(version="2", to="2026-11-20T00:00:00Z").json()["measurements"] == []
