"""The live page passes promtool and survives a database that goes away."""

from __future__ import annotations

import subprocess

import pytest
import sqlalchemy as sa
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from watchkeeper_alerting.applying import application
from watchkeeper_alerting.applying.documents import SourceFile
from watchkeeper_alerting.breach_records import decode
from watchkeeper_alerting.counters import Counters
from watchkeeper_alerting.exporter import Exporter
from watchkeeper_alerting.gauges import Caps
from watchkeeper_alerting.handling import Handler
from watchkeeper_alerting.store import deliveries
from watchkeeper_alerting.store.deliveries import DeliveryState
from watchkeeper_alerting.testing.builders import DAY, a_breach, a_record
from watchkeeper_alerting.testing.measured import measure
from watchkeeper_shared.db import outbox
from watchkeeper_shared.db.engine import open_engine
from watchkeeper_shared.db.registry import Registry
from watchkeeper_shared.db.tables import objects
from watchkeeper_shared.db.unit_of_work import Database
from watchkeeper_shared.eventlog.port import Message
from watchkeeper_shared.testing.clocks import ManualClock
from watchkeeper_shared.testing.servers.programs import find_program
from watchkeeper_shared.testing.servers.unavailable import ServerUnavailable, skip
from watchkeeper_shared.topics import BREACHES

SYSTEM = """\
apiVersion: watchkeeper/v1
kind: AISystem
metadata: {name: employment-ma}
spec:
  owner: {team: labour-models, contact: oncall@example.org}
  purpose: Predicts employment
  task: binary
  features: {AGEP: numeric}
"""


def scrape(database: Database, clock: ManualClock, caps: Caps | None = None) -> str:
    registry = CollectorRegistry()
    Counters(registry)
    registry.register(Exporter(database, Registry(database, clock), clock, caps))
    return generate_latest(registry).decode()


def test_the_page_shows_the_newest_window(database: Database, clock: ManualClock) -> None:
    with database.transaction() as c:
        application.apply(c, [SourceFile("s.yaml", SYSTEM)], "admin", clock.now())
    measure(database, DAY.replace(day=21), value=0.5)
    measure(database, DAY, value=0.83)
    measure(database, DAY, metric="psi", column="AGEP", value=0.31)

    page = scrape(database, clock)

    line = 'watchkeeper_performance_score{metric="accuracy",model="employment-ma",version="1"} 0.83'
    assert line in page
    assert 'watchkeeper_exporter_series_dropped_total{reason="features"} 0.0' in page


def test_measurements_that_are_not_even_read_are_said(
    database: Database, clock: ManualClock
) -> None:
    with database.transaction() as c:
        application.apply(c, [SourceFile("s.yaml", SYSTEM)], "admin", clock.now())
    for metric in ("accuracy", "f1"):
        measure(database, DAY, metric=metric)

    whole, cut = scrape(database, clock), scrape(database, clock, Caps(rows=1))

    assert 'watchkeeper_exporter_series_dropped_total{reason="series"} 0.0' in whole
    assert 'watchkeeper_exporter_series_dropped_total{reason="series"} 1.0' in cut


def test_of_systems_past_the_cap_nothing_is_read(database: Database, clock: ManualClock) -> None:
    second = SYSTEM.replace("employment-ma", "loans")
    with database.transaction() as c:
        for text in (SYSTEM, second):
            application.apply(c, [SourceFile("s.yaml", text)], "admin", clock.now())
    measure(database, DAY, value=0.83)
    for metric in ("accuracy", "f1", "recall"):
        measure(database, DAY.replace(day=28), system="loans", metric=metric)

    page = scrape(database, clock, Caps(models=1, rows=3))

    assert "employment-ma" in page
    assert 'watchkeeper_exporter_series_dropped_total{reason="models"} 1.0' in page
    assert 'watchkeeper_exporter_series_dropped_total{reason="series"} 0.0' in page


def test_what_waits_for_the_log_and_what_it_refused_is_shown(
    database: Database, clock: ManualClock
) -> None:
    with database.transaction() as c:
        for number in range(3):
            message = Message(BREACHES.name, "employment-ma", b"{}")
            outbox.enqueue(c, "monitor", message, f"e-{number}", clock.now())
        outbox.mark_refused(c, {outbox.unsent(c, "monitor", 1)[0].id: "too large"})

    page = scrape(database, clock)

    assert 'watchkeeper_outbox_messages{owner="monitor",state="waiting"} 2.0' in page
    assert 'watchkeeper_outbox_messages{owner="monitor",state="refused"} 1.0' in page
    assert 'watchkeeper_outbox_messages{owner="alerting",state="refused"} 0.0' in page
    since = clock.now().timestamp()
    samples = {one.name: one for one in text_string_to_metric_families(page)}
    (oldest,) = samples["watchkeeper_outbox_oldest_timestamp_seconds"].samples
    assert (oldest.labels, oldest.value) == ({"owner": "monitor"}, since)


def test_an_open_alert_that_no_channel_was_told_of_is_counted(
    database: Database, clock: ManualClock
) -> None:
    channels = "".join(
        f"""---
apiVersion: watchkeeper/v1
kind: Channel
metadata: {{name: {name}}}
spec: {{type: webhook, url: "http://127.0.0.1:9/hook"}}
"""
        for name in ("pager", "mail")
    )
    handler = Handler("https://watch.example.org")
    told = {"silent": (), "refused": ("pager",), "one-refused": None, "queued": ("mail",)}
    with database.transaction() as c:
        files = [SourceFile("s.yaml", SYSTEM + channels)]
        application.apply(c, files, "admin", clock.now())
        for name, named in told.items():
            breach = a_breach(breach=name, fingerprint=name, channels=named)
            handler.handle(c, decode(a_record(breach, event_id=name).value), clock.now())
        for delivery in deliveries.due(c, clock.now(), 10):
            if delivery.channel == "pager":
                deliveries.settle(
                    c,
                    delivery.id,
                    leased_until=delivery.next_attempt_at,
                    state=DeliveryState.FAILED,
                    next_attempt_at=clock.now(),
                    delivered_at=None,
                    error="gone",
                )

    page = scrape(database, clock)

    labels = '{model="employment-ma",severity="critical"}'
    assert f"watchkeeper_alerts_open{labels} 4.0" in page
    assert f"watchkeeper_alerts_untold{labels} 2.0" in page


def test_what_is_applied_and_cannot_be_read_is_named(
    database: Database, clock: ManualClock
) -> None:
    with database.transaction() as c:
        application.apply(c, [SourceFile("s.yaml", SYSTEM)], "admin", clock.now())
        # As an earlier release took it: no column of a measurement holds such a name.
        spec = {
            **c.execute(sa.select(objects.c.spec)).scalar_one(),
            "features": {"F" * 129: "numeric"},
        }
        c.execute(sa.update(objects).values(spec=spec))

    page = scrape(database, clock)

    assert 'watchkeeper_object_unreadable{kind="AISystem",name="employment-ma"} 1.0' in page


def test_without_a_database_there_is_a_page_with_no_old_numbers(clock: ManualClock) -> None:
    away = Database(open_engine("postgresql://nobody@127.0.0.1:1/none?connect_timeout=1"))

    page = scrape(away, clock)

    assert "watchkeeper_performance_score" not in page
    assert "watchkeeper_breach_events_total" in page


@pytest.mark.prometheus
def test_promtool_accepts_the_page(database: Database, clock: ManualClock) -> None:
    try:
        promtool = find_program("promtool", "prometheus")
    except ServerUnavailable as error:
        skip(error)
    with database.transaction() as c:
        application.apply(c, [SourceFile("s.yaml", SYSTEM)], "admin", clock.now())
    for metric, column in (("accuracy", ""), ("psi", "AGEP"), ("psi", "score")):
        measure(database, DAY, metric=metric, column=column)

    checked = subprocess.run(
        [promtool, "check", "metrics"],
        input=scrape(database, clock),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")
