"""Tokens for OAUTHBEARER: from a file that changes, and from a token endpoint."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import parse_qs

import pytest

from watchkeeper_shared.errors import ConfigError, CredentialsRefused, LogUnavailable
from watchkeeper_shared.eventlog.access import access
from watchkeeper_shared.eventlog.tokens import ClientCredentials, TokenFile
from watchkeeper_shared.testing.clocks import ManualClock
from watchkeeper_shared.testing.servers.kafka.secure import unsigned_token


class Endpoint(ThreadingHTTPServer):
    """A token endpoint that counts what it gave."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.url = f"http://127.0.0.1:{self.server_port}/token"
        self.given = 0
        self.status = 200
        self.asked: dict[str, list[str]] = {}


class _Answer(BaseHTTPRequestHandler):
    server: Endpoint

    def do_POST(self) -> None:
        form = self.rfile.read(int(self.headers["content-length"])).decode()
        self.server.asked = parse_qs(form)
        who = base64.b64encode(b"ingest:s3cret").decode()
        known = self.headers["authorization"] == f"Basic {who}"
        status = self.server.status if known else 401
        self.server.given += status == 200
        body = json.dumps({"access_token": f"t{self.server.given}", "expires_in": 300}).encode()
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with Endpoint() as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def test_a_token_is_kept_until_shortly_before_its_end(
    endpoint: Endpoint, clock: ManualClock
) -> None:
    source = ClientCredentials(endpoint.url, "ingest", "s3cret", "kafka", clock)
    assert [source.token().text, source.token().text] == ["t1", "t1"]
    assert endpoint.asked == {"grant_type": ["client_credentials"], "scope": ["kafka"]}
    clock.advance(timedelta(seconds=271))
    assert source.token().text == "t2"


def test_a_refused_client_is_named_and_its_secret_is_not(
    endpoint: Endpoint, clock: ManualClock
) -> None:
    source = ClientCredentials(endpoint.url, "ingest", "wr0ng", "", clock)
    with pytest.raises(CredentialsRefused, match="refuses client ingest with 401") as refused:
        source.token()
    assert "wr0ng" not in str(refused.value)


def test_an_endpoint_in_trouble_is_an_outage(endpoint: Endpoint, clock: ManualClock) -> None:
    source = ClientCredentials(endpoint.url, "ingest", "s3cret", "", clock)
    endpoint.status = 503
    with pytest.raises(LogUnavailable, match="answers 503"):
        source.token()
    endpoint.shutdown()
    endpoint.server_close()
    with pytest.raises(LogUnavailable, match="does not answer"):
        source.token()


def test_a_token_file_is_read_anew_each_time(tmp_path: Path, clock: ManualClock) -> None:
    path = tmp_path / "token"
    source = TokenFile(path, clock)
    with pytest.raises(CredentialsRefused, match="cannot be read"):
        source.token()
    now = round(clock.now().timestamp())
    path.write_text(unsigned_token("ingest", now, now + 60) + "\n")
    assert source.token().expires == now + 60
    path.write_text("opaque")
    assert source.token().text == "opaque"
    path.write_text(unsigned_token("ingest", now - 60, now - 7))
    with pytest.raises(CredentialsRefused, match="ended 7 s ago"):
        source.token()
    assert "opaque" not in repr(source)


def test_a_token_is_never_shown(tmp_path: Path, clock: ManualClock) -> None:
    path = tmp_path / "token"
    path.write_text("opaque")
    assert "opaque" not in repr(TokenFile(path, clock).token())


def test_oauth_without_a_source_of_tokens_does_not_start(clock: ManualClock) -> None:
    security = {"security_protocol": "SASL_SSL", "sasl_mechanism": "OAUTHBEARER"}
    with pytest.raises(ConfigError, match="OAUTH_TOKEN_FILE or …_OAUTH_TOKEN_URL"):
        access("k:9092", security, clock)


def test_an_address_without_a_port_does_not_start(clock: ManualClock) -> None:
    with pytest.raises(ConfigError, match="host:port"):
        access("kafka", {}, clock)
