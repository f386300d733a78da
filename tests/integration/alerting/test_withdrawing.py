"""Who withdraws what is named with the reason, once; nothing is deleted; applying puts it back."""

from __future__ import annotations

import json
from datetime import timedelta

import httpx
import pytest
from prometheus_client import CollectorRegistry, generate_latest

from watchkeeper_alerting.applying import application
from watchkeeper_alerting.applying.documents import SourceFile
from watchkeeper_alerting.breach_records import decode
from watchkeeper_alerting.control import OWNER
from watchkeeper_alerting.exporter import Exporter
from watchkeeper_alerting.handling import Handler
from watchkeeper_alerting.testing.builders import DAY, a_breach, a_record
from watchkeeper_alerting.testing.measured import measure
from watchkeeper_alerting.testing.service import RunningService
from watchkeeper_shared.db import audit, outbox
from watchkeeper_shared.db.keys import Role
from watchkeeper_shared.db.registry import Registry
from watchkeeper_shared.events.breaches import BREACH_CLEARED
from watchkeeper_shared.testing.clocks import ManualClock

NAME = "employment-ma"
SYSTEM = f"""\
apiVersion: watchkeeper/v1
kind: AISystem
metadata: {{name: {NAME}}}
spec:
  owner: {{team: labour-models, contact: oncall@example.org}}
  purpose: Predicts employment
  task: binary
  features: {{AGEP: numeric}}
"""
CHANNEL = """\
---
apiVersion: watchkeeper/v1
kind: Channel
metadata: {name: oncall}
spec: {type: webhook, url: "http://127.0.0.1:9/hook"}
"""
POLICY = f"""\
---
apiVersion: watchkeeper/v1
kind: OversightPolicy
metadata: {{name: {NAME}}}
spec:
  systems: [{NAME}]
  rules:
    - {{id: drift, metric: psi, columns: ["*"], breach: 0.25, on_breach: {{channels: [oncall]}}}}
"""
WHY = "replaced by employment-ma-2, decided in the review of November"


@pytest.fixture
def admin(service: RunningService) -> httpx.Client:
    """Somebody who may apply, and has."""
    with service.database.transaction() as c:
        file = SourceFile("all.yaml", SYSTEM + CHANNEL + POLICY)
        application.apply(c, [file], "admin", service.clock.now())
    return service.as_(Role.ADMIN)


def withdraw(
    client: httpx.Client, thing: str = f"AISystem/{NAME}", why: str = WHY
) -> httpx.Response:
    kind, _, name = thing.partition("/")
    return client.post("/v1/withdraw", json={"kind": kind, "name": name, "reason": why})


def breach_of(service: RunningService, **changes: object) -> None:
    """Tell alerting of a breach of the system, as the monitor does."""
    kind = {"kind": BREACH_CLEARED, "event_id": "e-2"} if changes else {}
    with service.database.transaction() as c:
        record = a_record(a_breach(**changes), **kind)
        Handler("https://watch.example.org").handle(c, decode(record.value), service.clock.now())


def test_it_is_a_revision_of_its_own_and_nothing_before_it_changes(
    service: RunningService, admin: httpx.Client
) -> None:
    before = admin.get(f"/v1/systems/{NAME}").json()
    done = withdraw(admin).json()

    assert before["metadata"]["withdrawn"] is None
    assert done["metadata"]["withdrawn"] == {
        "by": "a-admin",
        "at": "2026-11-23T12:00:00Z",
        "reason": WHY,
    }
    assert (done["metadata"]["revision"], done["spec"]) == (2, before["spec"])
    assert admin.get("/v1/systems").json()["systems"] == [done]


def test_it_is_audited_and_announced_once_however_often_it_is_asked_for(
    service: RunningService, admin: httpx.Client
) -> None:
    first = withdraw(admin)
    again = withdraw(admin, why="another reason")

    with service.database.read() as c:
        (act,) = [one for one in audit.entries(c) if one.act == "withdraw"]
        told = [one.message for one in outbox.unsent(c, OWNER, 10)][-1]
    assert again.json() == first.json()
    assert (act.actor, act.subject, act.reason) == ("a-admin", f"AISystem/{NAME}", WHY)
    assert (act.body["role"], act.body["revision"]) == ("admin", 2)
    assert told.headers["ce_type"] == "watchkeeper.control.withdrawn"
    assert json.loads(told.value)["withdrawn"] == {"by": "a-admin", "reason": WHY}


@pytest.mark.parametrize("role", [one for one in Role if one is not Role.ADMIN])
def test_only_who_may_apply_may_withdraw(
    service: RunningService, admin: httpx.Client, role: Role
) -> None:
    assert withdraw(service.as_(role)).status_code == 403
    assert admin.get(f"/v1/systems/{NAME}").json()["metadata"]["withdrawn"] is None


@pytest.mark.parametrize(
    ("thing", "why", "status", "said"),
    [
        ("AISystem/employment-mu", WHY, 404, "no AISystem 'employment-mu' was ever applied; did"),
        ("System/employment-ma", WHY, 422, "unknown kind 'System'; did you mean AISystem?"),
        (f"AISystem/{NAME}", " \u200b ", 422, "needs a reason that a later reader understands"),
        (f"AISystem/{NAME}", "x" * 4001, 422, "a reason has at most 4000 characters"),
        ("Channel/oncall", WHY, 409, "named by policies in force: employment-ma; apply them"),
    ],
)
def test_what_cannot_be_is_refused_with_what_to_do(
    admin: httpx.Client, thing: str, why: str, status: int, said: str
) -> None:
    answer = withdraw(admin, thing, why)

    assert answer.status_code == status
    assert said in answer.json()["detail"]


def test_a_reason_that_not_every_database_holds_is_no_fault_of_ours(admin: httpx.Client) -> None:
    assert withdraw(admin, why="gone\0").status_code in (200, 422)


def test_a_policy_and_then_its_channel_can_be_withdrawn(
    service: RunningService, admin: httpx.Client
) -> None:
    assert withdraw(admin, f"OversightPolicy/{NAME}").status_code == 200
    assert withdraw(admin, "Channel/oncall").status_code == 200

    registry = Registry(service.database, service.clock)
    registry.refresh()
    assert (dict(registry.policies()), dict(registry.channels())) == ({}, {})
    assert registry.policies_for(NAME) == ()
    assert registry.system(NAME) is not None


def test_applying_it_again_puts_it_in_force_and_says_so(
    service: RunningService, admin: httpx.Client, clock: ManualClock
) -> None:
    withdraw(admin)
    clock.advance(timedelta(days=3))

    tried = admin.post("/v1/apply?dry_run=true", content=SYSTEM).json()
    (done,) = admin.post("/v1/apply", content=SYSTEM).json()["objects"]
    (same,) = admin.post("/v1/apply", content=SYSTEM).json()["objects"]

    assert [one["outcome"] for one in (*tried["objects"], done, same)] == [
        "restored",
        "restored",
        "unchanged",
    ]
    assert done["revision"] == 3
    (warning,) = tried["warnings"]
    assert f"was withdrawn by a-admin at 2026-11-23 12:00 UTC: {WHY}; this puts it in" in warning
    with service.database.read() as c:
        reasons = [one.reason for one in audit.entries(c) if one.subject == f"AISystem/{NAME}"]
    assert reasons == ["created, revision 1", WHY, "restored, revision 3"]
    registry = Registry(service.database, clock)
    registry.refresh()
    (pause,) = registry.pauses(NAME)
    assert (pause.end - pause.start, registry.withdrawn()) == (timedelta(days=3), {})


def test_a_policy_that_names_it_still_applies_with_a_warning(admin: httpx.Client) -> None:
    withdraw(admin)

    answer = admin.post("/v1/apply", content=POLICY.replace("0.25", "0.3")).json()

    assert [one["outcome"] for one in answer["objects"]] == ["updated"]
    assert f"body:6: policy {NAME}: system {NAME} is not judged, it was withdrawn by" in str(
        answer["warnings"]
    )


def test_open_tickets_stay_with_people_and_alerts_end_as_what_it_is(
    service: RunningService, admin: httpx.Client
) -> None:
    breach_of(service)
    withdraw(admin)
    breach_of(service, retired=True, system_withdrawn=True, reason="withdrawn by a-admin: because")

    (alert,) = admin.get("/v1/alerts").json()["alerts"]
    (ticket,) = admin.get("/v1/tickets").json()["tickets"]
    whole = admin.get(f"/v1/tickets/{ticket['id']}").json()
    assert (alert["state"], alert["resolve_reason"]) == ("resolved", "system_withdrawn")
    assert (ticket["state"], ticket["closed_at"]) == ("new", None)
    assert whole["frozen"]["value"] == 0.7712
    notes = [one["text"] for one in whole["acts"] if one["act"] == "note"]
    assert f"withdrawn by a-admin at 2026-11-23 12:00 UTC: {WHY}" in notes[0]
    assert "The alert is resolved (system_withdrawn): withdrawn by a-admin: because" in notes[1]
    assert all("stays open until a person closes it" in one for one in notes)


def test_its_gauges_end_and_its_numbers_stay(
    service: RunningService, admin: httpx.Client, clock: ManualClock
) -> None:
    measure(service.database, DAY)
    registry = CollectorRegistry()
    registry.register(
        Exporter(service.database, Registry(service.database, service.clock), service.clock)
    )
    before = generate_latest(registry).decode()

    withdraw(admin)
    clock.advance(timedelta(seconds=5))

    assert f'watchkeeper_last_evaluation_timestamp_seconds{{model="{NAME}"}}' in before
    assert f'model="{NAME}"' not in generate_latest(registry).decode()
    found = admin.get("/v1/measurements", params={"system": NAME}).json()["measurements"]
    assert len(found) == 1


def test_the_console_shows_it_apart_and_says_who_and_why(
    service: RunningService, admin: httpx.Client
) -> None:
    measure(service.database, DAY)
    breach_of(service)
    withdraw(admin, why="<b>gone</b>")
    browser = service.as_(None)
    sent = {"token": service.token(Role.VIEWER), "next": "/"}
    login = browser.post("/login", data=sent, headers={"Origin": service.url})
    browser.headers["Cookie"] = login.headers["set-cookie"].partition(";")[0]

    fleet, page = browser.get("/").text, browser.get(f"/systems/{NAME}").text

    assert "Nothing is under watch any more" in fleet
    assert "no data" not in fleet
    assert f'<a href="/systems/{NAME}">1</a>' in fleet, "the open ticket is a click away"
    for shown in (fleet, page):
        assert "withdrawn" in shown
        assert "a-admin" in shown
        assert "&lt;b&gt;gone&lt;/b&gt;" in shown
    assert "apply its AISystem file" in page
    assert "accuracy" in page
