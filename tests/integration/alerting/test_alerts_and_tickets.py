"""People acknowledge, comment, close and reopen over the API; every act is on record."""

from __future__ import annotations

import gzip
import hashlib
import json

import pytest
import sqlalchemy as sa

from watchkeeper_alerting.breach_records import decode
from watchkeeper_alerting.handling import Handler
from watchkeeper_alerting.testing.builders import DAY, a_breach, a_record
from watchkeeper_alerting.testing.service import RunningService
from watchkeeper_shared.db import audit
from watchkeeper_shared.db.keys import Role
from watchkeeper_shared.db.tables import evidence
from watchkeeper_shared.events.breaches import BreachEvent

REPORT = '{"drift": 0.31}'


def breach(service: RunningService, event: BreachEvent | None = None) -> tuple[str, str]:
    """Let a breach happen; return the ids of its alert and ticket."""
    turn = decode(a_record(event or a_breach(evidence="ev-1")).value)
    with service.database.transaction() as c:
        Handler("https://watch.example.org").handle(c, turn, service.clock.now())
    reader = service.as_(Role.VIEWER)
    alert = reader.get("/v1/alerts").json()["alerts"][0]["id"]
    return alert, reader.get(f"/v1/alerts/{alert}").json()["ticket"]


def freeze(service: RunningService, **changes: object) -> None:
    """Store evidence as the monitor does."""
    row = {
        "id": "ev-1",
        "system": "employment-ma",
        "version": "1",
        "window_start": DAY,
        "window_end": DAY.replace(day=23),
        "revision": 1,
        "reference": "d" * 64,
        "sample": b"rows",
        "sample_hash": "5" * 64,
        "sample_rows": 1000,
        "window_rows": 2150,
        "state": "ready",
        "reason": "",
        "report_json": REPORT,
        "report_hash": hashlib.sha256(REPORT.encode()).hexdigest(),
        "report_html": gzip.compress(b"<html><script>alert(1)</script></html>"),
        "frozen_at": DAY,
        "finished_at": DAY,
        "attempts": 1,
        **changes,
    }
    with service.database.transaction() as c:
        c.execute(sa.insert(evidence).values(**row))


def test_an_alert_is_acknowledged_once_with_a_reason_by_someone_on_call(
    service: RunningService,
) -> None:
    alert, _ = breach(service)
    path, oncall = f"/v1/alerts/{alert}/ack", service.as_(Role.ONCALL)

    assert service.as_(Role.VIEWER).post(path, json={"reason": "x"}).status_code == 403
    assert oncall.post(path, json={"reason": ""}).status_code == 422
    assert oncall.post(path, json={}).status_code == 422
    assert oncall.post("/v1/alerts/none/ack", json={"reason": "x"}).status_code == 404
    acknowledged = oncall.post(path, json={"reason": "checking the feed"})
    again = oncall.post(path, json={"reason": "checking the feed"})

    assert acknowledged.json()["state"] == "acknowledged"
    assert acknowledged.json()["acknowledged_by"] == "a-oncall"
    assert again.status_code == 409
    with service.database.read() as c:
        (act,) = [one for one in audit.entries(c) if one.act == "alert.acknowledge"]
    assert (act.actor, act.reason) == ("a-oncall", "checking the feed")


def test_a_ticket_lives_from_new_to_closed_and_back_with_every_act_on_record(
    service: RunningService,
) -> None:
    _, ticket = breach(service)
    path, reviewer = f"/v1/tickets/{ticket}/transitions", service.as_(Role.REVIEWER)

    states = [
        reviewer.post(path, json={"act": act, "reason": reason}).json()["state"]
        for act, reason in (
            ("acknowledge", ""),
            ("comment", "The survey changed its coding."),
            ("close", "Coding fixed upstream, see change 4711."),
            ("reopen", "It came back."),
        )
    ]

    seen = service.as_(Role.AUDITOR).get(f"/v1/tickets/{ticket}").json()
    assert states == ["acknowledged", "acknowledged", "closed", "acknowledged"]
    assert [one["act"] for one in seen["acts"]] == [
        "open",
        "acknowledge",
        "comment",
        "close",
        "reopen",
    ]
    assert seen["acts"][3]["text"] == "Coding fixed upstream, see change 4711."
    assert seen["frozen"]["value"] == 0.7712
    with service.database.read() as c:
        acts = [one for one in audit.entries(c, limit=1000) if one.act.startswith("ticket.")]
    assert [(one.act, one.body["after"]) for one in acts] == [
        ("ticket.acknowledge", "acknowledged"),
        ("ticket.comment", "acknowledged"),
        ("ticket.close", "closed"),
        ("ticket.reopen", "acknowledged"),
    ]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"act": "close"}, 422),
        ({"act": "close", "reason": " "}, 422),
        ({"act": "erase", "reason": "x"}, 422),
        ({"act": "reopen", "reason": "x"}, 409),
        ({"act": "close", "reason": "x", "force": True}, 422),
        ("close", 422),
    ],
)
def test_a_wrong_act_leaves_the_ticket_as_it_was(
    service: RunningService, body: object, status: int
) -> None:
    _, ticket = breach(service)
    reviewer = service.as_(Role.REVIEWER)

    answer = reviewer.post(f"/v1/tickets/{ticket}/transitions", json=body)

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    seen = reviewer.get(f"/v1/tickets/{ticket}").json()
    assert (seen["state"], len(seen["acts"])) == ("new", 1)


def test_tickets_are_listed_by_state_and_system(service: RunningService) -> None:
    _, ticket = breach(service)
    reader = service.as_(Role.VIEWER)

    def listed(query: str) -> list[str]:
        return [one["id"] for one in reader.get(f"/v1/tickets{query}").json()["tickets"]]

    assert listed("?state=new&system=employment-ma") == [ticket]
    assert listed("?state=closed") == listed("?system=other") == []
    assert reader.get("/v1/tickets?state=lost").status_code == 422


def test_the_report_is_served_as_hashed_and_shut_in_a_sandbox(service: RunningService) -> None:
    _, ticket = breach(service)
    freeze(service)
    reader = service.as_(Role.AUDITOR)

    seen = reader.get(f"/v1/tickets/{ticket}").json()["evidence"]
    text = reader.get(f"/v1/tickets/{ticket}/evidence.json").content
    page = reader.get(f"/v1/tickets/{ticket}/evidence.html")

    assert seen["state"] == "ready"
    assert hashlib.sha256(text).hexdigest() == seen["report_hash"]
    assert page.text.startswith("<html>")
    policy = page.headers["content-security-policy"]
    assert policy.startswith("sandbox allow-scripts; default-src 'none'")
    assert "allow-same-origin" not in policy
    assert "connect-src" not in policy


def test_a_missing_report_is_a_reason_and_not_a_silence(service: RunningService) -> None:
    _, ticket = breach(service)
    reader = service.as_(Role.VIEWER)
    before = reader.get(f"/v1/tickets/{ticket}").json()["evidence"]
    freeze(service, state="missing", reason="the report took longer than 60 s", report_html=None)

    after = reader.get(f"/v1/tickets/{ticket}").json()["evidence"]
    page = reader.get(f"/v1/tickets/{ticket}/evidence.html")

    assert (before["state"], after["state"]) == ("missing", "missing")
    assert "no longer" in before["reason"]
    assert "longer than 60 s" in after["reason"]
    assert page.status_code == 404
    assert "longer than 60 s" in page.json()["detail"]


def test_the_audit_log_is_read_in_pages(service: RunningService) -> None:
    breach(service)
    reader = service.as_(Role.AUDITOR)

    first = reader.get("/v1/audit?limit=2").json()
    rest = reader.get("/v1/audit", params={"after": first["next"]}).json()

    indexes = [one["index"] for one in first["entries"] + rest["entries"]]
    assert indexes == list(range(1, len(indexes) + 1))
    assert rest["next"] is None
    assert rest["total"] == len(indexes)


def test_lists_go_on_page_by_page_and_say_when_they_end(service: RunningService) -> None:
    for number in range(5):  # all in one instant, so that only the id tells them apart
        breach(service, a_breach(breach=f"{number}" * 40))
    reader = service.as_(Role.VIEWER)

    for kind in ("alerts", "tickets"):
        path, pages = f"/v1/{kind}?limit=2", [reader.get(f"/v1/{kind}?limit=2").json()]
        while pages[-1]["next"] is not None:
            pages.append(reader.get(f"{path}&after={pages[-1]['next']}").json())
        assert [len(page[kind]) for page in pages] == [2, 2, 1]
        whole = reader.get(f"/v1/{kind}").json()
        assert [one for page in pages for one in page[kind]] == whole[kind]
        assert whole["next"] is None
        assert reader.get(f"/v1/{kind}?after=none").status_code == 404


def test_two_people_whose_keys_have_one_name_are_told_apart_in_the_audit_log(
    service: RunningService,
) -> None:
    alert, ticket = breach(service)
    one, other = (service.token(Role.ONCALL) for _ in range(2))  # both are called a-oncall
    people = [service.as_(None) for _ in range(2)]
    for person, token in zip(people, (one, other), strict=True):
        person.headers["Authorization"] = f"Bearer {token}"

    people[0].post(f"/v1/alerts/{alert}/ack", json={"reason": "looking"})
    sent = {"act": "close", "reason": "nothing to see"}
    people[1].post(f"/v1/tickets/{ticket}/transitions", json=sent)

    with service.database.read() as c:
        acts = {one.act: one for one in audit.entries(c)}
    assert acts["alert.acknowledge"].actor == acts["ticket.close"].actor == "a-oncall"
    assert acts["alert.acknowledge"].body["key"] == one.split("_")[1]
    assert acts["ticket.close"].body["key"] == other.split("_")[1]


def test_evidence_that_was_changed_afterwards_is_found_out(service: RunningService) -> None:
    freeze(service)
    _, ticket = breach(service)
    reader = service.as_(Role.AUDITOR)
    with service.database.transaction() as c:
        c.execute(sa.update(evidence).values(report_json='{"drift": 0.01}', sample=b"others"))

    changed = reader.get(f"/v1/tickets/{ticket}/evidence.json")

    assert changed.status_code == 409
    assert "it was changed since" in changed.json()["detail"]
    acts = reader.get("/v1/audit").json()["entries"]
    (opened,) = [json.loads(one["entry"]) for one in acts if one["act"] == "alert.open"]
    assert opened["body"]["sample_sha256"] == "5" * 64
