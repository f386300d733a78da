"""A running alerting service: real routes over real HTTP, on a clock that stands still."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from fastapi import FastAPI

from watchkeeper_alerting import keys
from watchkeeper_alerting.api import application
from watchkeeper_alerting.api.context import Context
from watchkeeper_shared.clock import Clock
from watchkeeper_shared.db.keys import Keys, Role
from watchkeeper_shared.db.unit_of_work import Database
from watchkeeper_shared.observability import callers, problems
from watchkeeper_shared.observability.serving import served

PUBLIC_URL = "https://watch.example.org"


class RunningService:
    """The service under test; `as_` gives a client of a role.

    Parameters
    ----------
    database, clock
        What it works on.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self.database = database
        self.clock = clock
        self.url = ""
        self.app = FastAPI()
        problems.install(self.app)
        callers.install(self.app, Keys(database, clock))
        application.install(self.app, Context(database, clock, PUBLIC_URL, 1_000_000))
        self._clients: list[httpx.Client] = []

    def token(self, role: Role) -> str:
        with self.database.transaction() as c:
            return keys.create(c, role, f"a-{role}", actor="test", now=self.clock.now())

    def as_(self, role: Role | None) -> httpx.Client:
        headers = {} if role is None else {"Authorization": f"Bearer {self.token(role)}"}
        client = httpx.Client(base_url=self.url, headers=headers, trust_env=False)
        self._clients.append(client)
        return client

    def close(self) -> None:
        for client in self._clients:
            client.close()


@contextmanager
def running(database: Database, clock: Clock) -> Iterator[RunningService]:
    """Serve on a free port until the block ends."""
    service = RunningService(database, clock)
    with served(service.app) as at:
        service.url = at.url
        try:
            yield service
        finally:
            service.close()
