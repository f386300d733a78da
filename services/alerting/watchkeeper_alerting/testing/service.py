"""A running alerting service: real routes over real HTTP, on a clock that stands still."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import httpx
import uvicorn
from fastapi import FastAPI

from watchkeeper_alerting import keys
from watchkeeper_alerting.api import application
from watchkeeper_alerting.api.context import Context
from watchkeeper_shared.db.keys import Keys, Role
from watchkeeper_shared.db.unit_of_work import Database
from watchkeeper_shared.observability import callers, problems

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


class StillClock:
    """A clock that moves only when it is told to."""

    def __init__(self, instant: datetime = NOON) -> None:
        self.instant = instant
        self._began = instant

    def now(self) -> datetime:
        return self.instant

    def monotonic(self) -> float:
        return (self.instant - self._began).total_seconds()

    def advance(self, by: timedelta) -> None:
        self.instant += by


class RunningService:
    """The service under test; `as_` gives a client of a role.

    Parameters
    ----------
    database, clock
        What it works on.
    url
        Where it answers.
    """

    def __init__(self, database: Database, clock: StillClock, url: str) -> None:
        self.database = database
        self.clock = clock
        self.url = url
        self.app = FastAPI()
        context = Context(database, clock, "https://watch.example.org", 1_000_000)
        problems.install(self.app)
        callers.install(self.app, Keys(database, clock))
        application.install(self.app, context)
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
def running(database: Database, clock: StillClock) -> Iterator[RunningService]:
    """Serve on a free port until the block ends."""
    listener = socket.create_server(("127.0.0.1", 0))
    service = RunningService(database, clock, f"http://127.0.0.1:{listener.getsockname()[1]}")
    server = uvicorn.Server(uvicorn.Config(service.app, log_config=None, lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()  # the listener queues calls until the server takes them
    try:
        yield service
    finally:
        service.close()
        server.should_exit = True
        thread.join()
