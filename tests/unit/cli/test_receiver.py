from __future__ import annotations

import json

import httpx
from standardwebhooks import Webhook

from watchkeeper.demo.receiver import Received, Receiver, new_secret
from watchkeeper_shared.clock import SystemClock

SECRET = new_secret(bytes(range(32)))
BODY = b'{"title": "psi of AGEP"}'


def signed(body: bytes, secret: str) -> dict[str, str]:
    """Headers as the reference implementation of the standard makes them."""
    now = SystemClock().now()
    return {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(secret).sign("msg_1", now, body.decode()),
    }


def test_a_notification_signed_with_the_secret_is_genuine() -> None:
    told: list[Received] = []
    with Receiver(SECRET, told.append) as receiver:
        answer = httpx.post(receiver.url, content=BODY, headers=signed(BODY, SECRET))

    assert answer.status_code == 204
    assert told == [Received("msg_1", True, json.loads(BODY))]


def test_a_changed_body_and_a_strange_secret_are_refused() -> None:
    told: list[Received] = []
    strange = new_secret(bytes(32))
    with Receiver(SECRET, told.append) as receiver:
        changed = httpx.post(receiver.url, content=b"{}", headers=signed(BODY, SECRET))
        forged = httpx.post(receiver.url, content=BODY, headers=signed(BODY, strange))

    assert (changed.status_code, forged.status_code) == (401, 401)
    assert [one.genuine for one in told] == [False, False]
