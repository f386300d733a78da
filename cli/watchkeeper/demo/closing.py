"""The demo's last words: asks the API and tells it as lines of text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from watchkeeper.client import Client
from watchkeeper.demo import report
from watchkeeper.demo.receiver import Received
from watchkeeper.demo.report import Row
from watchkeeper_shared.counted import counted

_MOST = 20_000
_OPEN_DELIVERIES = ("queued",)


def headline(one: Received) -> str:
    """Return the line of a notification that a phone would show."""
    data = one.body.get("data", one.body)
    return str(data.get("title", one.id))


def is_settled(client: Client) -> bool:
    """Whether every alert was delivered or given up, and every report made or given up."""
    alerts = _details(client, "alerts")
    tickets = _details(client, "tickets")
    delivering = [one for alert in alerts for one in alert["deliveries"]]
    return (
        len(tickets) == sum(alert["ticket"] is not None for alert in alerts)
        and not any(one["state"] in _OPEN_DELIVERIES for one in delivering)
        and not any(ticket["evidence"]["state"] == "pending" for ticket in tickets)
    )


def told(
    client: Client, system: str, until: datetime, received: Sequence[Received]
) -> Iterator[str]:
    """Tell everything that the demo ends with.

    Parameters
    ----------
    until
        The time of the newest prediction: windows that end later are still filling.
    received
        The notifications that reached the person on call.
    """
    tickets = _details(client, "tickets")
    yield from _measured(client, system, until)
    yield from _broken(_details(client, "alerts"), tickets, received)
    yield from _tickets(tickets)
    audit = client.get("/v1/audit", limit=1000)
    acts = Counter(entry["act"] for entry in audit["entries"])
    yield ""
    yield f"The audit table holds {audit['total']} acts: " + ", ".join(
        f"{count} {act}" for act, count in sorted(acts.items())
    )


def _details(client: Client, what: str) -> list[Any]:
    return [
        client.get(f"/v1/{what}/{one['id']}") for one in client.get(f"/v1/{what}", limit=200)[what]
    ]


def _measured(client: Client, system: str, until: datetime) -> Iterator[str]:
    volumes = client.get("/v1/measurements", system=system, metric="volume")["measurements"]
    for policy in sorted({row["policy"]["id"] for row in volumes}):
        windows = [row["window"] for row in volumes if row["policy"]["id"] == policy]
        whole = [one for one in windows if datetime.fromisoformat(one["end"]) <= until]
        newest = max(whole or windows, key=lambda one: str(one["start"]))
        begin, end = (_day(newest[name]) for name in ("start", "end"))
        yield ""
        judged = counted(len(windows), "window")
        yield f"Measured from {begin} to {end} (policy {policy}, {judged} judged)"
        yield from report.measured(report.with_limits(_of_window(client, system, policy, newest)))


def _of_window(client: Client, system: str, policy: str, window: Row) -> list[Row]:
    between = {"from": str(window["start"]), "to": str(window["end"])}
    answer = client.get("/v1/measurements", system=system, limit=_MOST, **between)
    return [
        row
        for row in answer["measurements"]
        if row["policy"]["id"] == policy and row["window"]["start"] == window["start"]
    ]


def _broken(
    alerts: Sequence[Row], tickets: Sequence[Row], received: Sequence[Received]
) -> Iterator[str]:
    opening: dict[str, Row] = {ticket["alert"]: ticket["frozen"] for ticket in tickets}
    yield ""
    yield f"Rules that broke: {len(alerts)}" if alerts else "No rule broke."
    for alert in alerts:
        now: Row = alert["breach"]
        first = opening.get(alert["id"], now)
        yield f"  {now['rule']}: {now['metric']} of {report.where(now)}, {alert['severity']}"
        yield f"    broke    {_numbers(first)}"
        yield f"    because  {first['reason']}"
        yield f"    now      {alert['state']}; {_numbers(now)}"
        for one in alert["deliveries"]:
            yield f"    told     {one['channel']}: {one['event']} {one['state']}"
    if alerts:
        genuine = sum(one.genuine for one in received)
        yield f"  Notifications that arrived: {len(received)}, {genuine} with a good signature"


def _numbers(breach: Row) -> str:
    numbers = (report.number(breach[name]) for name in ("value", "limit", "low", "high"))
    value, limit, low, high = numbers
    begin, end = (_day(breach["window"][name]) for name in ("start", "end"))
    return f"{value} (limit {limit}, 95 % interval {low} to {high}), {begin} to {end}"


def _tickets(tickets: Sequence[Row]) -> Iterator[str]:
    yield ""
    waiting = sum(ticket["state"] != "closed" for ticket in tickets)
    yield f"Tickets that wait for a person: {waiting}"
    for ticket in tickets:
        evidence = ticket["evidence"]
        yield f"  {ticket['title']}"
        yield f"    ticket   {ticket['state']}, {ticket['kind']}, id {ticket['id']}"
        if evidence["state"] == "ready":
            yield f"    report   SHA-256 {evidence['report_hash']}"
            rows = f"{evidence['sample_rows']:,} of {evidence['window_rows']:,} rows"
            yield f"    sample   {rows}, SHA-256 {evidence['sample_hash']}"
        else:
            yield f"    report   {evidence['state']}: {evidence['reason']}"


def _day(instant: str) -> str:
    return datetime.fromisoformat(instant).strftime("%Y-%m-%d")
