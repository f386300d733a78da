"""A signed webhook after the Standard Webhooks specification.

https://github.com/standard-webhooks/standard-webhooks: the signature is HMAC-SHA256 over
`id.timestamp.body`, in base64, so that the receiver knows who sent it, that nobody changed
it, and that it is neither old nor a repetition.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from datetime import datetime

import httpx
import msgspec

from watchkeeper_alerting.channels.answers import post
from watchkeeper_alerting.notices import Notice, text
from watchkeeper_shared.errors import RejectedByReceiver

_PREFIX = "whsec_"


class Webhook:
    """Posts notices as JSON.

    Parameters
    ----------
    client
        The HTTP client of the process.
    url
        The receiver.
    secret
        What signs; empty sends unsigned.

    Raises
    ------
    RejectedByReceiver
        The secret begins with `whsec_` and is not base64 after it.
    """

    repeat = None

    def __init__(self, client: httpx.Client, url: str, secret: str) -> None:
        self._client = client
        self._url = url
        self._key = _key(secret)

    def send(self, delivery: str, notice: Notice, now: datetime) -> None:
        """Post one notice; the webhook id is the delivery's."""
        payload = {
            "type": f"watchkeeper.alert.{notice.event}",
            "timestamp": notice.ended_at or notice.opened_at,
            "data": {**msgspec.to_builtins(notice), "text": text(notice)},
        }
        body = msgspec.json.encode(payload)
        stamp = str(int(now.timestamp()))
        headers = {"webhook-id": delivery, "webhook-timestamp": stamp}
        if self._key:
            headers["webhook-signature"] = signature(self._key, delivery, stamp, body)
        post(self._client, self._url, body, headers, now)


def signature(key: bytes, identity: str, stamp: str, body: bytes) -> str:
    """Return the value of the `webhook-signature` header.

    Parameters
    ----------
    key
        The secret's bytes.
    identity, stamp
        The webhook's id, and whole seconds since 1970.
    body
        Exactly what is sent.
    """
    signed = b".".join((identity.encode(), stamp.encode(), body))
    digest = hmac.new(key, signed, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


def _key(secret: str) -> bytes:
    if not secret.startswith(_PREFIX):
        return secret.encode()
    try:
        return base64.b64decode(secret[len(_PREFIX) :], validate=True)
    except binascii.Error as error:
        raise RejectedByReceiver(
            "the webhook's secret begins with whsec_ and is not base64 after it"
        ) from error
