"""What everybody who reads may see of an applied object: no address that is a secret. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from watchkeeper_alerting.channels.answers import place


def shown(kind: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return a spec whose address, if it is a channel's, is cut to its server and a fingerprint.

    Examples
    --------
    >>> shown("Channel", {"url": "https://hooks.example.org/T0/XXXX"})["url"]
    'https://hooks.example.org/... (sha256 36a1a454526d)'
    """
    if kind != "Channel":
        return dict(spec)
    url = str(spec["url"])
    mark = hashlib.sha256(url.encode()).hexdigest()[:12]
    return {**spec, "url": f"{place(url)}/... (sha256 {mark})"}
