"""One system through good and bad times, in one process: embedded log and SQLite."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from watchkeeper import allinone
from watchkeeper.commands.apply import apply_files
from watchkeeper.folder import Folder
from watchkeeper_shared.clock import SystemClock

# The secret that tests/e2e/conftest.py gives the receiver.
SECRET_ENV = {"LOANS_SECRET": "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="}


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    """The whole of it, in a thread of this process."""
    stop, ready = threading.Event(), threading.Event()
    urls: list[str] = []

    def on_ready(found: str) -> None:
        urls.append(found)
        ready.set()

    env = SECRET_ENV | {"WATCHKEEPER_REJUDGE_INTERVAL": "1s"}
    arguments = (Folder(tmp_path / "data"), ("127.0.0.1", 0), env, SystemClock(), stop, on_ready)
    thread = threading.Thread(target=allinone.run, args=arguments)
    thread.start()
    assert ready.wait(60)
    try:
        yield urls[0]
    finally:
        stop.set()
        thread.join(60)
    assert not thread.is_alive()


@pytest.fixture
def world(url: str, tmp_path: Path, make_world: Callable[..., Any]) -> Any:
    token = (tmp_path / "data" / "admin.token").read_text().strip()
    made = make_world(token, url)
    made.declare(tmp_path)
    return made


def test_a_drifted_system_pages_once_and_its_ticket_is_worked_off(world: Any) -> None:
    world.stream(range(4))
    world.stream(range(4, 6), drifted=True)
    world.stream(range(6, 9))

    # Hours 0 to 7 are past; hour 8 is still open.
    world.expect("every prediction is in a window", world.hours_judged())
    (alert,) = world.expect("one alert, resolved", lambda: _resolved(world.alerts()))
    fired, cleared = world.expect("two notifications", lambda: _at_least(world, 2))
    (ticket,) = world.tickets()

    psi = world.values("psi", "AGE")
    assert [psi[hour]["state"] for hour in range(8)] == ["ok"] * 4 + ["breach"] * 2 + ["ok"] * 2
    assert (fired.genuine, cleared.genuine) == (True, True)
    assert (alert["breach"]["rule"], alert["breach"]["column"]) == ("drift", "AGE")
    frozen = ticket["frozen"]
    assert frozen["value"] == psi[4]["value"]
    assert (frozen["low"], frozen["high"]) == tuple(psi[4]["interval"])
    assert (frozen["n"], frozen["limit"]) == (600, 0.25)
    assert ticket["state"] == "new"

    _work_off(world, alert["id"], ticket["id"])

    assert len(world.receiver.received) == 2
    assert len(world.alerts()) == len(world.tickets()) == 1


def _work_off(world: Any, alert: str, ticket: str) -> None:
    _act(world, ticket, "acknowledge", "I look into it")
    _act(world, ticket, "comment", "A new broker sends older customers")
    closed = _act(world, ticket, "close", "The campaign is over; the input is as before")

    assert closed["state"] == "closed"
    assert [one["act"] for one in closed["acts"] if one["actor"] == "admin"] == [
        "acknowledge",
        "comment",
        "close",
    ]
    acts = world.acts()
    for act in ("key.create", "apply", "reference", "ticket.acknowledge", "ticket.close"):
        assert act in acts, acts
    assert acts.count("apply") == 3
    about = {one["subject"] for one in world.alerting.get("/v1/audit", limit=1000)["entries"]}
    assert {f"Alert/{alert}", f"Ticket/{ticket}"} <= about


def _act(world: Any, ticket: str, act: str, reason: str) -> dict[str, Any]:
    body = json.dumps({"act": act, "reason": reason}).encode()
    answer = world.alerting.send("POST", f"/v1/tickets/{ticket}/transitions", body=body)
    done: dict[str, Any] = answer.json()
    return done


def _resolved(alerts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return alerts if alerts and all(one["state"] == "resolved" for one in alerts) else []


def _at_least(world: Any, count: int) -> list[Any]:
    received = list(world.receiver.received)
    return received if len(received) >= count else []


def test_late_labels_reach_the_window_of_their_prediction(world: Any) -> None:
    world.stream(range(3))
    world.expect("every prediction is in a window", world.hours_judged())
    assert world.values("accuracy")[0]["state"] == "no_data"

    world.label(range(2))

    covered = world.expect(
        "all labels of hours 0 and 1 joined",
        lambda: [
            found
            for found in [world.values("label_coverage")]
            if [found[hour]["value"] for hour in (0, 1)] == [1.0, 1.0]
        ],
    )
    assert covered[0][2]["value"] in (0.0, None)
    accuracy = world.values("accuracy")[0]
    assert accuracy["state"] == "ok"
    assert accuracy["n"] == 600
    assert 0.7 < accuracy["value"] < 0.9
    assert accuracy["window"]["status"] == "amended"


def test_evidence_of_a_breach_is_attached_or_its_absence_explained(world: Any) -> None:
    world.stream(range(2))
    world.stream(range(2, 4), drifted=True)

    (ticket,) = world.expect("a ticket", world.tickets)
    whole = world.expect(
        "the report is made or given up",
        lambda: _finished(world.alerting.get(f"/v1/tickets/{ticket['id']}")),
    )

    evidence = whole["evidence"]
    assert evidence["window_rows"] == 600
    assert evidence["sample_rows"] == 600
    assert len(evidence["sample_hash"]) == 64
    if evidence["state"] == "ready":
        assert len(evidence["report_hash"]) == 64
    else:
        assert evidence["reason"]


def _finished(ticket: dict[str, Any]) -> dict[str, Any] | None:
    return ticket if ticket["evidence"]["state"] in {"ready", "missing"} else None


def test_a_withdrawn_system_ends_in_order_and_comes_back(world: Any, tmp_path: Path) -> None:
    world.stream(range(2))
    world.stream(range(2, 4), drifted=True)
    world.expect("an alert that fires", lambda: _in_state(world, "firing"))
    thing = {"kind": "AISystem", "name": world.system}

    body = json.dumps(thing | {"reason": "replaced by another"}).encode()
    done = world.alerting.send("POST", "/v1/withdraw", body=body).json()

    assert done["metadata"]["withdrawn"]["by"] == "admin"
    (alert,) = world.expect("the alert ends", lambda: _in_state(world, "resolved"))
    told = world.expect("channels hear of both", lambda: _at_least(world, 2))
    (ticket,) = world.tickets()
    notes = [one["text"] for one in world.alerting.get(f"/v1/tickets/{ticket['id']}")["acts"]]
    assert alert["resolve_reason"] == "system_withdrawn"
    assert "the system was withdrawn" in told[-1].body["data"]["title"]
    assert ticket["state"] == "new"
    assert "withdrawn by admin at " in " ".join(notes)
    label = {"system": world.system, "id": "late", "label": 1, "time": "2026-03-03T00:00:00Z"}
    refused = world.ingest.send(
        "POST",
        "/v1/labels",
        body=json.dumps(label).encode(),
        content_type="application/json",
        expected=frozenset({422}),
    )
    assert refused.json()["rejected"][0]["code"] == "withdrawn_system"
    assert "replaced by another" in world.alerting.send("GET", "/v1/systems").text
    gauge = f'watchkeeper_last_prediction_timestamp_seconds{{model="{world.system}"}}'
    metrics = partial(world.alerting.send, "GET", "/metrics")
    world.expect("its gauges end", lambda: gauge not in metrics().text)

    outcome = apply_files(world.alerting, (tmp_path / "loans.yaml",))
    world.stream(range(5, 7))

    assert f"AISystem/{world.system} restored (revision 3)" in outcome.objects
    world.expect("hours 5 and 6 are judged", lambda: {5, 6} <= world.values("volume").keys())
    assert [one["state"] for one in world.alerts()] == ["resolved"]
    acts = world.acts()
    assert acts.count("withdraw") == 1
    assert acts.index("withdraw") < len(acts) - 1 - acts[::-1].index("apply")


def _in_state(world: Any, state: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = world.alerts()
    return found if found and all(one["state"] == state for one in found) else []
