"""Evidence reports as responses, shut in a sandbox.

A report is made by a third party's code from production data, so it may hold anything.
The browser treats it as a page from nowhere: it runs its own inline scripts and can reach
no network, no cookie and no other page.
"""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Mapping

from starlette.responses import Response

from watchkeeper_alerting import reading
from watchkeeper_alerting.store import evidence
from watchkeeper_alerting.store.evidence import Evidence
from watchkeeper_shared.db.unit_of_work import Database
from watchkeeper_shared.errors import Conflict, NotFound

SANDBOX = (
    "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'unsafe-inline'; img-src data: blob:; font-src data:; form-action 'none'; "
    "base-uri 'none'; frame-ancestors 'self'"
)
_HEADERS: Mapping[str, str] = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


def json_response(database: Database, ticket: str) -> Response:
    """Return the JSON of a ticket's report.

    Raises
    ------
    NotFound
        There is no such ticket, or no report; the message says why.
    Conflict
        The stored report is not the one that was hashed.
    """
    with database.read() as c:
        found = _ready(reading.ticket_view(c, ticket))
        text = evidence.report_json(c, found.id)
    if text is None:
        raise NotFound(f"ticket {ticket} has a report without its JSON")
    actual = hashlib.sha256(text.encode()).hexdigest()
    if actual != found.report_hash:
        raise Conflict(
            f"the stored report of ticket {ticket} has the SHA-256 {actual}, and when it was made "
            f"{found.report_hash} was recorded: it was changed since, so it is no evidence"
        )
    return Response(text, media_type="application/json", headers=dict(_HEADERS))


def html_response(database: Database, ticket: str) -> Response:
    """Return the page of a ticket's report.

    Raises
    ------
    NotFound
        There is no such ticket, or no report; the message says why.
    Conflict
        The stored page is damaged.
    """
    with database.read() as c:
        found = _ready(reading.ticket_view(c, ticket))
        packed = evidence.report_html(c, found.id)
    if packed is None:
        raise NotFound(f"ticket {ticket} has a report without a page; read evidence.json")
    try:
        page = gzip.decompress(packed)
    except (OSError, EOFError, zlib.error) as error:
        raise Conflict(f"the stored page of ticket {ticket} is damaged: {error}") from error
    headers = {**_HEADERS, "Content-Security-Policy": SANDBOX}
    return Response(page, media_type="text/html; charset=utf-8", headers=headers)


def _ready(view: reading.TicketView) -> Evidence:
    if view.evidence is None:
        raise NotFound(f"ticket {view.ticket.id} has no report: {view.evidence_note}")
    if view.evidence.state != "ready":
        detail = view.evidence.reason or "it is being made; ask again"
        raise NotFound(f"the report of ticket {view.ticket.id} is {view.evidence.state}: {detail}")
    return view.evidence
