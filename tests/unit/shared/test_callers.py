"""Who calls is asked of the event loop only when no database can be in the way."""

from __future__ import annotations

import asyncio
import threading

import pytest
from fastapi import FastAPI
from starlette.requests import Request

from watchkeeper_shared.db.keys import Caller, Role
from watchkeeper_shared.observability import callers

ANN = Caller("1", "ann", Role.VIEWER, frozenset())


class Forgetful:
    """Remembers a key once: it grows old the moment after."""

    def __init__(self, *remembered: Caller) -> None:
        self._remembered = list(remembered)
        self.asked_on: list[str] = []

    def authenticate(self, token: str) -> Caller | None:
        del token
        self.asked_on.append(threading.current_thread().name)
        return ANN

    def remembered(self, token: str) -> Caller | None:
        del token
        return self._remembered.pop() if self._remembered else None


@pytest.mark.parametrize(("remembered", "asked"), [([ANN], 0), ([], 1)])
def test_only_a_key_that_is_not_remembered_is_looked_up_and_on_another_thread(
    remembered: list[Caller], asked: int
) -> None:
    app, keys = FastAPI(), Forgetful(*remembered)
    callers.install(app, keys)
    headers = [(b"authorization", b"Bearer x")]

    caller = asyncio.run(callers.anyone(Request({"type": "http", "app": app, "headers": headers})))

    assert caller == ANN
    assert len(keys.asked_on) == asked
    assert threading.current_thread().name not in keys.asked_on
