"""Prometheus Alertmanager, API v2: groups, silences and routes for those who run it.

It keeps nothing over a restart and forgets what is not sent again, so a firing notice is
repeated, and a resolved one too for a while. Alerts go one by one: a list with one bad
alert is answered with 400 although the good ones were taken.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import httpx
import msgspec

from watchkeeper_alerting.channels.answers import post
from watchkeeper_alerting.notices import Notice, text

_LIVES = 4  # so many intervals may be missed before Alertmanager thinks that it is over


class Alertmanager:
    """Posts notices as alerts.

    Parameters
    ----------
    client
        The HTTP client of the process.
    url
        Where Alertmanager is, such as `http://alertmanager:9093`. Never a load balancer:
        apply one channel for each member of a cluster.
    repeat
        How often a notice is sent again.
    """

    def __init__(self, client: httpx.Client, url: str, repeat: timedelta) -> None:
        self._client = client
        self._url = f"{url.rstrip('/')}/api/v2/alerts"
        self._repeat = repeat

    @property
    def repeat(self) -> timedelta:
        """How often a notice is sent again."""
        return self._repeat

    def send(self, delivery: str, notice: Notice, now: datetime) -> None:  # noqa: ARG002 - identity here is the labels
        """Post one alert; its labels are the same in every notice of the episode."""
        annotations = {
            "title": notice.title,
            "summary": notice.summary,
            "description": text(notice),
            "runbook_url": notice.runbook,
            "ticket_url": notice.ticket_url,
        }
        alert = {
            "labels": notice.identity,
            "annotations": {name: value for name, value in annotations.items() if value},
            "startsAt": notice.opened_at,
            "endsAt": notice.ended_at or now + self._repeat * _LIVES,
            "generatorURL": notice.alert_url,
        }
        post(self._client, self._url, msgspec.json.encode([alert]), {}, now)
