"""What an administrator declares is versioned, audited and announced."""

from __future__ import annotations

import hashlib
import json

import httpx
import pytest
import sqlalchemy as sa

from watchkeeper_alerting.control import OWNER
from watchkeeper_alerting.testing.service import RunningService
from watchkeeper_shared.db import audit, outbox
from watchkeeper_shared.db.keys import Role
from watchkeeper_shared.db.tables import objects, references

FILE = """\
apiVersion: watchkeeper/v1
kind: OversightPolicy
metadata: {name: credit}
spec:
  systems: [credit]
  rules:
    - {id: drift, metric: psi, columns: ["*"], breach: 0.25}
---
apiVersion: watchkeeper/v1
kind: AISystem
metadata: {name: credit}
spec:
  owner: {team: risk, contact: risk@example.org}
  purpose: Scores applications
  task: binary
  features: {income: numeric}
"""


def outcomes(answer: httpx.Response) -> list[tuple[str, str, int]]:
    assert answer.status_code == 200, answer.text
    return [(one["kind"], one["outcome"], one["revision"]) for one in answer.json()["objects"]]


def test_applying_is_idempotent_by_content_and_versioned(service: RunningService) -> None:
    admin = service.as_(Role.ADMIN)

    first = outcomes(admin.post("/v1/apply", content=FILE))
    again = outcomes(admin.post("/v1/apply", content="# a comment\n" + FILE))
    changed = outcomes(admin.post("/v1/apply", content=FILE.replace("0.25", "0.3")))

    assert first == [("AISystem", "created", 1), ("OversightPolicy", "created", 1)]
    assert again == [("AISystem", "unchanged", 1), ("OversightPolicy", "unchanged", 1)]
    assert changed == [("AISystem", "unchanged", 1), ("OversightPolicy", "updated", 2)]
    policy = admin.get("/v1/policies/credit").json()
    assert policy["metadata"]["revision"] == 2
    assert policy["metadata"]["author"] == "a-admin"
    assert policy["spec"]["rules"][0]["breach"] == 0.3
    assert policy["spec"]["window"]["size"] == "1d"


def test_each_change_is_audited_and_announced_once(service: RunningService) -> None:
    admin = service.as_(Role.ADMIN)
    for _ in range(2):
        admin.post("/v1/apply", content=FILE)

    with service.database.read() as c:
        acts = [one for one in audit.entries(c) if one.act == "apply"]
        records = [one.message for one in outbox.unsent(c, OWNER, 10)]

    assert [(one.actor, one.subject) for one in acts] == [
        ("a-admin", "AISystem/credit"),
        ("a-admin", "OversightPolicy/credit"),
    ]
    assert [one.key for one in records] == ["AISystem/credit", "OversightPolicy/credit"]
    body = json.loads(records[0].value)
    assert body["hash"] == acts[0].body["hash"]
    assert body["spec"]["owner"]["team"] == "risk"


def test_a_dry_run_changes_nothing(service: RunningService) -> None:
    admin = service.as_(Role.ADMIN)

    assert outcomes(admin.post("/v1/apply?dry_run=true", content=FILE))[0][1] == "created"

    assert admin.get("/v1/systems").json() == {"systems": []}


def test_whoever_applies_a_policy_that_tells_nobody_is_warned_each_time(
    service: RunningService,
) -> None:
    admin = service.as_(Role.ADMIN)
    channel = """\
---
apiVersion: watchkeeper/v1
kind: Channel
metadata: {name: oncall}
spec: {type: webhook, url: "http://127.0.0.1:9900/hook"}
"""

    tried = admin.post("/v1/apply?dry_run=true", content=FILE, params={"file": "credit.yaml"})
    applied = admin.post("/v1/apply", content=FILE)
    again = admin.put("/v1/policies/credit", content=FILE.partition("---\n")[0])
    heard = admin.post("/v1/apply", content=FILE + channel)

    (warning,) = tried.json()["warnings"]
    assert warning.startswith("credit.yaml:6: policy credit: nobody is told of a breach of drift")
    assert len(applied.json()["warnings"]) == len(again.json()["warnings"]) == 1
    assert heard.json()["warnings"] == []


def test_what_this_release_cannot_read_is_replaced_by_applying_it(service: RunningService) -> None:
    admin = service.as_(Role.ADMIN)
    admin.post("/v1/apply", content=FILE)
    with service.database.transaction() as c:
        # As an earlier release took it: no column of a measurement holds such a name.
        here = objects.c.kind == "AISystem"
        spec = c.execute(sa.select(objects.c.spec).where(here)).scalar_one()
        changed = {**spec, "features": {"F" * 129: "numeric"}}
        c.execute(sa.update(objects).where(here).values(spec=changed, hash="0"))

    answer = admin.post("/v1/apply", content=FILE)

    assert outcomes(answer)[0] == ("AISystem", "updated", 2)


def test_a_bad_file_is_refused_whole_with_every_line(service: RunningService) -> None:
    admin = service.as_(Role.ADMIN)
    bad = FILE.replace("breach:", "breech:").replace("task: binary", "task: magic")

    answer = admin.post("/v1/apply", content=bad, params={"file": "credit.yaml"})

    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert [one.split(": ")[0] for one in answer.json()["errors"]] == [
        "credit.yaml:7",
        "credit.yaml:15",
    ]
    assert admin.get("/v1/systems").json() == {"systems": []}


def test_several_files_are_one_apply_and_keep_their_names(service: RunningService) -> None:
    admin = service.as_(Role.ADMIN)
    policy, system = FILE.split("---\n")
    files = [{"name": "p.yaml", "text": policy}, {"name": "s.yaml", "text": system}]

    good = admin.post("/v1/apply", json={"files": files})
    files[1]["text"] = "kind: ["
    bad = admin.post("/v1/apply", json={"files": files})

    assert len(outcomes(good)) == 2
    assert bad.json()["errors"][0].startswith("s.yaml:1")


def test_one_system_can_be_put_by_its_name(service: RunningService) -> None:
    admin = service.as_(Role.ADMIN)
    document = FILE.split("---\n")[1]

    put = admin.put("/v1/systems/credit", content=document)
    other = admin.put("/v1/systems/loans", content=document)

    assert put.json()["spec"]["tier"] == "high"
    assert other.status_code == 422


@pytest.mark.parametrize("body", [b"", b"\xff\xfe\x00", b"--- \n---\n", b"[" * 100_000])
def test_a_body_that_is_no_document_is_refused(service: RunningService, body: bytes) -> None:
    answer = service.as_(Role.ADMIN).post("/v1/apply", content=body)

    assert answer.status_code == 422
    assert answer.json()["detail"]


def test_a_body_over_the_limit_is_refused(service: RunningService) -> None:
    answer = service.as_(Role.ADMIN).post("/v1/apply", content=b"#" * 1_000_001)

    assert answer.status_code == 413


def test_who_may_do_what(service: RunningService) -> None:
    assert service.as_(None).get("/v1/systems").status_code == 401
    assert service.as_(Role.PUBLISHER).get("/v1/systems").status_code == 403
    assert service.as_(Role.VIEWER).get("/v1/systems").status_code == 200
    assert service.as_(Role.VIEWER).post("/v1/apply", content=FILE).status_code == 403
    assert service.as_(Role.VIEWER).get("/v1/systems/none").status_code == 404


class TestReferences:
    def put(self, service: RunningService, artifact: bytes, **params: str) -> httpx.Response:
        query = {"system": "credit", "version": "1", "rows": "10", **params}
        return service.as_(Role.ADMIN).put("/v1/references", params=query, content=artifact)

    def test_a_new_reference_is_in_force_and_the_one_before_is_kept(
        self, service: RunningService
    ) -> None:
        service.as_(Role.ADMIN).post("/v1/apply", content=FILE)

        self.put(service, b"first", sha256=hashlib.sha256(b"first").hexdigest())
        second = self.put(service, b"second").json()
        self.put(service, b"second")

        listed = service.as_(Role.VIEWER).get("/v1/references?system=credit").json()["references"]
        in_force = [one["id"] for one in listed if one["current"]]
        assert len(listed) == 2
        assert in_force == [second["id"]] == [hashlib.sha256(b"second").hexdigest()]
        with service.database.read() as c:
            acts = [one.act for one in audit.entries(c) if one.act == "reference"]
            stored = c.execute(sa.select(references.c.artifact)).scalars().all()
        assert len(acts) == 2
        assert set(stored) == {b"first", b"second"}

    def test_an_earlier_reference_can_come_back(self, service: RunningService) -> None:
        service.as_(Role.ADMIN).post("/v1/apply", content=FILE)
        first = self.put(service, b"first").json()
        self.put(service, b"second")

        self.put(service, b"first")

        listed = service.as_(Role.VIEWER).get("/v1/references").json()["references"]

        assert [one["id"] for one in listed if one["current"]] == [first["id"]]

    def test_a_damaged_or_stray_artifact_is_refused(self, service: RunningService) -> None:
        assert self.put(service, b"x").status_code == 404
        service.as_(Role.ADMIN).post("/v1/apply", content=FILE)

        assert self.put(service, b"x", sha256="0" * 64).status_code == 422
        assert self.put(service, b"").status_code == 422
        assert self.put(service, b"x", rows="many").status_code == 422


def test_only_who_may_apply_sees_the_whole_address_of_a_channel(service: RunningService) -> None:
    admin, viewer = service.as_(Role.ADMIN), service.as_(Role.VIEWER)
    text = """\
apiVersion: watchkeeper/v1
kind: Channel
metadata: {name: oncall}
spec: {type: webhook, url: "https://hooks.example.org/T0/S3CR3T"}
"""

    admin.post("/v1/apply", content=text)

    (again,) = admin.post("/v1/apply", content=text).json()["objects"]
    with service.database.read() as c:
        announced = [one.message.value for one in outbox.unsent(c, OWNER, 10)]
    (cut,) = viewer.get("/v1/channels").json()["channels"]
    assert again["outcome"] == "unchanged"
    assert "S3CR3T" in admin.get("/v1/channels").text
    assert cut["spec"]["url"].startswith("https://hooks.example.org/... (sha256 ")
    assert "S3CR3T" not in admin.get("/v1/audit").text
    assert len(announced) == 1
    assert b"S3CR3T" not in announced[0]
