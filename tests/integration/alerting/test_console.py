"""People log in, read and decide in plain HTML; nobody else can make them decide."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import httpx
import pytest
import sqlalchemy as sa

from watchkeeper_alerting.alerts import AlertState
from watchkeeper_alerting.applying import application
from watchkeeper_alerting.applying.documents import SourceFile
from watchkeeper_alerting.breach_records import decode
from watchkeeper_alerting.handling import Handler
from watchkeeper_alerting.store import alerts, measurements, tickets
from watchkeeper_alerting.testing.builders import DAY, a_breach, a_record
from watchkeeper_alerting.testing.measured import measure
from watchkeeper_alerting.testing.service import RunningService
from watchkeeper_alerting.tickets import TicketState
from watchkeeper_shared.db import audit
from watchkeeper_shared.db.keys import Role
from watchkeeper_shared.db.tables import objects, tallies

HOSTILE = "<script>alert(1)</script>"
SYSTEM = """\
apiVersion: watchkeeper/v1
kind: AISystem
metadata: {name: employment-ma}
spec:
  owner: {team: labour-models, contact: oncall@example.org}
  purpose: "Predicts <b>employment</b>"
  task: binary
  features: {AGEP: numeric}
"""


class Visit:
    """A person with a browser that runs no scripts."""

    def __init__(self, service: RunningService, role: Role) -> None:
        self.service = service
        self.browser = service.as_(None)
        token = service.token(role)
        self.login = self.post("/login", token=token, next="/alerts")
        # The cookie is for https only; this client would not send it to the test's server.
        self.browser.headers["Cookie"] = self.login.headers["set-cookie"].partition(";")[0]

    def get(self, path: str) -> httpx.Response:
        return self.browser.get(path)

    def post(self, path: str, origin: str | None = None, **fields: str) -> httpx.Response:
        headers = {"Origin": self.service.url if origin is None else origin}
        return self.browser.post(path, data=fields, headers=headers)


@pytest.fixture
def ids(service: RunningService) -> tuple[str, str]:
    """A breach with hostile words in it: the ids of its alert and its ticket."""
    breach = a_breach(column=HOSTILE, note=HOSTILE, reason=HOSTILE, runbook="javascript:alert(1)")
    with service.database.transaction() as c:
        application.apply(c, [SourceFile("s.yaml", SYSTEM)], "admin", service.clock.now())
        Handler("https://watch.example.org").handle(
            c, decode(a_record(breach).value), service.clock.now()
        )
    measure(service.database, DAY, reason=HOSTILE)
    measure(service.database, DAY, metric="psi", column="AGEP", value=None, state="insufficient")
    with service.database.read() as c:
        return alerts.listing(c)[0].id, tickets.listing(c)[0].id


PAGES = [
    "/",
    "/systems/employment-ma",
    "/systems/employment-ma/series?metric=accuracy",
    "/systems/employment-ma/series?metric=psi&column=AGEP",
    "/alerts",
    "/alerts?state=firing",
    "/alerts/{alert}",
    "/tickets",
    "/tickets/{ticket}",
    "/audit",
    "/audit?before=99999999999999999999",
]


@pytest.mark.parametrize("path", PAGES)
def test_every_page_is_closed_tight_and_holds_hostile_words_as_words(
    service: RunningService, ids: tuple[str, str], path: str
) -> None:
    visit = Visit(service, Role.AUDITOR)

    page = visit.get(path.format(alert=ids[0], ticket=ids[1]))

    assert page.status_code == 200
    assert "<script" not in page.text
    assert "javascript:" not in re.sub(r"<dd>.*?</dd>", "", page.text)
    assert " style=" not in page.text
    assert page.headers["content-security-policy"].startswith(
        "default-src 'none'; style-src 'self'"
    )
    assert page.headers["cache-control"] == "no-store"
    assert '<html lang="en">' in page.text
    assert page.text.count("<h1>") == 1


def test_what_was_judged_over_several_windows_stands_beside_the_last_one(
    service: RunningService, ids: tuple[str, str]
) -> None:
    pooled = {"value": 0.625, "low": 0.6, "high": 0.65, "n": 8_600}
    measure(service.database, DAY, metric="recall", scale=4, pooled=pooled, state="breach")
    visit = Visit(service, Role.VIEWER)

    for path in ("/systems/employment-ma", "/systems/employment-ma/series?metric=recall"):
        page = visit.get(path).text
        assert "0.83" in page
        assert "0.625 over 4 windows" in page
        assert "2026-11-19 00:00 to 2026-11-23 00:00, 8,600 rows" in page


def test_without_a_login_every_page_leads_to_the_login(service: RunningService) -> None:
    stranger = service.as_(None)

    for path in ("/", "/alerts", "/tickets/x", "/audit", "/tickets/x/evidence"):
        answer = stranger.get(path)
        assert (answer.status_code, answer.headers["location"][:12]) == (303, "/login?next=")
    assert stranger.get("/login").status_code == 200


def test_a_login_sets_a_cookie_that_scripts_and_other_sites_cannot_use(
    service: RunningService,
) -> None:
    visit = Visit(service, Role.VIEWER)

    cookie = visit.login.headers["set-cookie"]
    assert visit.login.headers["location"] == "/alerts"
    assert all(part in cookie for part in ("HttpOnly", "SameSite=strict", "Secure", "Path=/"))
    assert "watchkeeper_" not in cookie.partition("=")[2]  # as every API key begins


def test_a_wrong_key_and_a_publishers_key_do_not_open_the_console(
    service: RunningService,
) -> None:
    stranger = service.as_(None)

    refused = stranger.post("/login", data={"token": "x"}, headers={"Origin": service.url})

    assert refused.status_code == 401
    assert "unknown, expired or revoked" in refused.text
    assert Visit(service, Role.PUBLISHER).get("/").status_code == 403


def test_a_ticket_is_worked_on_with_plain_forms(
    service: RunningService, ids: tuple[str, str]
) -> None:
    visit, path = Visit(service, Role.REVIEWER), f"/tickets/{ids[1]}"

    acknowledged = visit.post(f"{path}/acts", act="acknowledge", reason="")
    without_reason = visit.post(f"{path}/acts", act="close", reason=" ")
    closed = visit.post(f"{path}/acts", act="close", reason="Fixed upstream.")

    page = visit.get(path).text
    assert acknowledged.status_code == closed.status_code == 303
    assert without_reason.status_code == 422
    assert "give a reason" in without_reason.text
    assert "Fixed upstream." in page
    assert ">Reopen</button>" in page
    assert "a-reviewer" in page


def test_an_alert_is_acknowledged_with_a_plain_form(
    service: RunningService, ids: tuple[str, str]
) -> None:
    visit, path = Visit(service, Role.ONCALL), f"/alerts/{ids[0]}"

    assert ">Acknowledge</button>" in visit.get(path).text
    assert visit.post(f"{path}/ack", reason="on it").status_code == 303
    assert visit.post(f"{path}/ack", reason="on it").status_code == 409
    assert "acknowledged by a-oncall" in visit.get(path).text


def test_a_reader_sees_no_forms_and_cannot_act(
    service: RunningService, ids: tuple[str, str]
) -> None:
    visit = Visit(service, Role.VIEWER)

    assert "Your decision" not in visit.get(f"/tickets/{ids[1]}").text
    act = visit.post(f"/tickets/{ids[1]}/acts", act="close", reason="x")
    acknowledgement = visit.post(f"/alerts/{ids[0]}/ack", reason="x")

    assert (act.status_code, acknowledgement.status_code) == (403, 403)


@pytest.mark.parametrize("origin", ["https://evil.example.org", "null", ""])
def test_a_form_of_another_site_does_nothing(
    service: RunningService, ids: tuple[str, str], origin: str
) -> None:
    visit = Visit(service, Role.REVIEWER)

    answer = visit.post(f"/tickets/{ids[1]}/acts", origin, act="close", reason="x")

    assert answer.status_code == 403
    with service.database.read() as c:
        assert tickets.listing(c)[0].state == "new"


def test_what_is_not_there_is_a_page_too(service: RunningService) -> None:
    visit = Visit(service, Role.VIEWER)

    for path in ("/systems/none", "/tickets/none", "/alerts/none", "/tickets/none/evidence"):
        page = visit.get(path)
        assert page.status_code == 404
        assert "Not found" in page.text


def test_logging_out_ends_the_session(service: RunningService) -> None:
    visit = Visit(service, Role.VIEWER)
    assert visit.get("/").status_code == 200

    visit.post("/logout")

    assert visit.get("/").status_code == 303


def test_what_is_open_is_shown_however_much_came_and_went_after_it(
    service: RunningService, ids: tuple[str, str]
) -> None:
    later = service.clock.now() + timedelta(hours=1)
    with service.database.transaction() as c:
        alert, ticket = alerts.listing(c)[0], tickets.listing(c)[0]
        over, closed = AlertState.RESOLVED, TicketState.CLOSED
        for number in range(200):
            name = f"{number:03d}"
            one = replace(alert, id=f"a-{name}", breach=name, opened_at=later, state=over)
            work = replace(ticket, id=f"t-{name}", breach=name, opened_at=later, state=closed)
            alerts.add(c, one)
            tickets.add(c, replace(work, alert=one.id))
    visit = Visit(service, Role.ONCALL)

    system, first = visit.get("/systems/employment-ma").text, visit.get("/alerts").text
    older = re.search(r'href="(/alerts\?after=[^"]+)">Older', first)

    assert f"/alerts/{alert.id}" in system
    assert f"/tickets/{ticket.id}" in system
    assert f"/alerts/{alert.id}" not in first
    assert older is not None
    last = visit.get(older[1]).text
    assert f"/alerts/{alert.id}" in last
    assert "Older" not in last
    assert f"/tickets/{ticket.id}" in visit.get("/tickets?state=new").text


def test_the_first_page_counts_every_series_of_every_system(
    service: RunningService, ids: tuple[str, str]
) -> None:
    for number in range(30):
        state = "breach" if number < 3 else "ok"
        fields: dict[str, object] = {"column": f"f{number}", "rule": "drift", "state": state}
        measure(service.database, DAY, metric="js_distance", **fields)
        older = {**fields, "state": "error"}
        measure(service.database, DAY - timedelta(days=1), metric="js_distance", **older)

    with service.database.read() as c:
        found = {
            (one.metric, one.rule, one.state): one
            for one in measurements.tallies(c, ["employment-ma"])
        }
    page = Visit(service, Role.VIEWER).get("/").text

    assert found["js_distance", "drift", "breach"].count == 3
    assert found["js_distance", "drift", "ok"].count == 27
    assert found["js_distance", "drift", "ok"].window_end == DAY + timedelta(days=1)
    assert "error" not in {state for _, _, state in found}
    assert "3 of 30" in page
    assert "1 under watch, 1 open alert, 1 open ticket." in page


def test_a_large_fleet_is_read_and_shown_a_page_at_a_time(
    service: RunningService, ids: tuple[str, str]
) -> None:
    names = [f"loans-{number:03d}" for number in range(200)]
    with service.database.transaction() as c:
        (one,) = c.execute(sa.select(objects).filter_by(name="employment-ma")).mappings()
        c.execute(sa.insert(objects), [{**one, "name": name} for name in names])
    for name in ("loans-000", "loans-199"):
        measure(service.database, DAY, system=name, metric="psi", rule="drift")
    visit = Visit(service, Role.VIEWER)

    first, second = visit.get("/").text, visit.get("/?first=200").text
    with service.database.read() as c:
        read = {one.system for one in measurements.tallies(c, names[:199])}

    assert "201 under watch, 1 open alert, 1 open ticket." in first
    assert first.index("employment-ma") < first.index("loans-000")  # trouble comes first
    assert "/systems/loans-198" in first
    assert "/systems/loans-199" not in first
    assert 'href="/?first=200"' in first
    assert "/systems/loans-199" in second
    assert "More systems" not in second
    assert visit.get("/?first=5000").text == first
    assert read == {"loans-000"}


POLICY = """\
apiVersion: watchkeeper/v1
kind: OversightPolicy
metadata: {name: quiet}
spec:
  systems: [employment-ma]
  rules:
    - {id: slow, metric: latency_p95, breach: 500}
"""
CHANNEL = """\
apiVersion: watchkeeper/v1
kind: Channel
metadata: {name: oncall}
spec: {type: webhook, url: "http://127.0.0.1:9900/hook"}
"""


def test_a_system_whose_breaches_nobody_is_told_of_says_so(
    service: RunningService, ids: tuple[str, str]
) -> None:
    visit = Visit(service, Role.VIEWER)

    def pages() -> tuple[str, str]:
        return visit.get("/").text, visit.get("/systems/employment-ma").text

    def apply(text: str) -> None:
        with service.database.transaction() as c:
            application.apply(c, [SourceFile("p.yaml", text)], "admin", service.clock.now())

    apply(POLICY)
    fleet, system = pages()
    apply(CHANNEL)
    heard = "".join(pages())

    assert "nobody is told of breaches" in fleet
    assert "Nobody is told of a breach of slow (policy quiet)" in system
    assert "obody is told" not in heard


def test_a_system_that_this_release_cannot_read_hides_no_other(
    service: RunningService, ids: tuple[str, str]
) -> None:
    with service.database.transaction() as c:
        other = SYSTEM.replace("employment-ma", "loans")
        application.apply(c, [SourceFile("o.yaml", other)], "admin", service.clock.now())
        here = objects.c.name == "loans"
        spec = c.execute(sa.select(objects.c.spec).where(here)).scalar_one()
        longer = {**spec, "features": {"F" * 129: "numeric"}}
        c.execute(sa.update(objects).where(here).values(spec=longer))
    visit = Visit(service, Role.VIEWER)

    fleet, system = visit.get("/"), visit.get("/systems/loans")

    assert "/systems/employment-ma" in fleet.text
    assert "AISystem/loans is left out" in fleet.text
    assert system.status_code == 404
    assert "cannot be read" in system.text


def test_a_system_whose_sender_is_broken_says_so(
    service: RunningService, ids: tuple[str, str]
) -> None:
    noted = {
        ("employment-ma", "dead_letters_malformed"): 1200,
        ("employment-ma", "dead_letters_wrong_type"): 2,
        ("employment-ma", "dead_letter_at"): int(service.clock.now().timestamp()) - 300,
        ("employment-ma", "rejected_unknown_version"): 7,
        ("employment-ma", "duplicates"): 99,
        ("", "dead_letters_unknown_system"): 4,
        ("", "dead_letter_at"): int(service.clock.now().timestamp()) - 7200,
    }
    with service.database.transaction() as c:
        for (system, name), value in noted.items():
            c.execute(tallies.insert().values(system=system, name=name, value=value))
    visit = Visit(service, Role.ONCALL)

    fleet, system = (_text(visit.get(path)) for path in ("/", "/systems/employment-ma"))

    assert "newest record that could not be read: 5 min ago" in fleet
    assert "4 records that could not be read (unknown system 4; the newest 2 h ago)" in fleet
    assert "1,202 records that could not be read (malformed 1,200, wrong type 2; the" in system
    assert "newest 5 min ago), 7 refused rows (unknown version 7)." in system
    assert "99" not in system


def test_who_was_told_stands_on_the_page_of_an_alert_after_the_notifications_ended(
    service: RunningService, ids: tuple[str, str]
) -> None:
    told = {"channel": "pager", "event": "firing", "state": "delivered", "attempts": 3}
    with service.database.transaction() as c:
        audit.record(
            c,
            at=service.clock.now(),
            actor="watchkeeper-alerting",
            act="alert.deliveries_ended",
            subject=f"Alert/{ids[0]}",
            reason="over",
            body={"told": [{**told, "last_error": None}]},
        )

    page = _text(Visit(service, Role.AUDITOR).get(f"/alerts/{ids[0]}"))

    assert "pager firing ● delivered from the audit log, No. " in page.replace("✓", "●")


def _text(page: httpx.Response) -> str:
    """Return the words of a page."""
    assert page.status_code == 200
    return (
        " ".join(re.sub(r"<[^>]+>", " ", page.text).split()).replace(" ,", ",").replace(" )", ")")
    )
