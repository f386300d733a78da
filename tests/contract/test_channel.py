"""Each channel against the contract, with a receiver that really listens."""

from __future__ import annotations

import base64
import email
import email.policy
import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta

import httpx
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from standardwebhooks.webhooks import Webhook as Verifier
from standardwebhooks.webhooks import WebhookVerificationError

from watchkeeper_alerting.channels.alertmanager import Alertmanager
from watchkeeper_alerting.channels.mail import Mail
from watchkeeper_alerting.channels.opening import Opener
from watchkeeper_alerting.channels.port import Channel
from watchkeeper_alerting.channels.webhook import Webhook
from watchkeeper_alerting.testing.contract import NOW, ChannelContract, Told, a_notice
from watchkeeper_alerting.testing.receivers import (
    HttpReceiver,
    MailReceiver,
    http_receiver,
    mail_receiver,
)
from watchkeeper_shared.clock import SystemClock
from watchkeeper_shared.errors import ReceiverUnavailable, RejectedByReceiver
from watchkeeper_shared.specs import Channel as ChannelSpec

SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef01234567").decode()


class OverHttp(ChannelContract):
    """What the HTTP channels share: how their receiver behaves."""

    receiver: HttpReceiver
    client: httpx.Client
    stack: ExitStack

    @pytest.fixture(autouse=True)
    def _listen(self) -> Iterator[None]:
        with ExitStack() as self.stack, httpx.Client(trust_env=False) as self.client:
            self.receiver = self.stack.enter_context(http_receiver())
            yield

    def be_busy(self) -> None:
        self.receiver.answers.append((503, {}))

    def refuse(self) -> None:
        self.receiver.answers.append((400, {}))

    def go_away(self) -> None:
        self.stack.close()

    @pytest.mark.parametrize("status", [401, 403, 404, 408, 425, 429, 500, 502, 503, 504])
    def test_these_answers_mean_again(self, status: int) -> None:
        self.receiver.answers.append((status, {"retry-after": "7"}))

        with pytest.raises(ReceiverUnavailable) as caught:
            self.channel().send("msg_1", a_notice(), NOW)

        assert caught.value.retry_after == timedelta(seconds=7)

    @pytest.mark.parametrize("status", [400, 410, 413, 415, 422])
    def test_these_answers_mean_never(self, status: int) -> None:
        self.receiver.answers.append((status, {}))

        with pytest.raises(RejectedByReceiver, match=str(status)):
            self.channel().send("msg_1", a_notice(), NOW)

    @pytest.mark.parametrize("status", [301, 302, 307, 308])
    def test_a_redirect_is_never_followed(self, status: int) -> None:
        self.receiver.answers.append((status, {"location": "http://169.254.169.254/login?key=s3"}))

        with pytest.raises(ReceiverUnavailable, match=f"{status}.*to http://169.254.169.254;"):
            self.channel().send("msg_1", a_notice(), NOW)

        assert len(self.receiver.received) == 1

    def test_an_answer_that_breaks_off_after_its_status_counts(self) -> None:
        self.receiver.answers.append((200, {"content-length": "1000000"}))

        self.channel().send("msg_1", a_notice(), NOW)  # not again: it was taken

        assert len(self.receiver.received) == 1


class TestWebhook(OverHttp):
    def channel(self) -> Channel:
        return Webhook(self.client, f"{self.receiver.url}/hook", SECRET)

    def told(self) -> list[Told]:
        bodies = [json.loads(one.body) for one in self.receiver.received]
        return [
            Told(one["data"]["alert"], one["data"]["text"] + one["data"]["title"]) for one in bodies
        ]

    @pytest.mark.parametrize("secret", [SECRET, "a plain secret"])
    def test_a_receiver_can_verify_the_signature(self, secret: str) -> None:
        now = SystemClock().now()
        Webhook(self.client, self.receiver.url, secret).send("msg_1", a_notice(), now)

        (one,) = self.receiver.received
        verifier = Verifier(secret if secret == SECRET else secret.encode())
        verified = verifier.verify(one.body, dict(one.headers))
        assert verified["type"] == "watchkeeper.alert.firing"
        assert one.headers["webhook-id"] == "msg_1"
        with pytest.raises(WebhookVerificationError):
            verifier.verify(one.body.replace(b"0.7712", b"0.9712"), dict(one.headers))

    def test_a_retry_has_the_same_id(self) -> None:
        channel = self.channel()
        for _ in range(2):
            channel.send("msg_1", a_notice(), NOW)

        assert {one.headers["webhook-id"] for one in self.receiver.received} == {"msg_1"}

    def test_without_a_secret_nothing_is_signed(self) -> None:
        Webhook(self.client, self.receiver.url, "").send("msg_1", a_notice(), NOW)

        assert "webhook-signature" not in self.receiver.received[0].headers

    def test_a_secret_that_cannot_be_read_is_refused(self) -> None:
        with pytest.raises(RejectedByReceiver, match="base64"):
            Webhook(self.client, self.receiver.url, "whsec_not base64!")

    @pytest.mark.parametrize("url", ["ftp://example.org/x", "http://a\x00b/", "just words"])
    def test_an_address_that_cannot_be_called_is_refused(self, url: str) -> None:
        with pytest.raises(RejectedByReceiver):
            Webhook(self.client, url, "").send("msg_1", a_notice(), NOW)


class TestAlertmanager(OverHttp):
    def channel(self) -> Channel:
        return Alertmanager(self.client, self.receiver.url, timedelta(minutes=1))

    def told(self) -> list[Told]:
        alerts = [json.loads(one.body)[0] for one in self.receiver.received]
        return [
            Told(json.dumps(one["labels"], sort_keys=True), json.dumps(one, ensure_ascii=False))
            for one in alerts
        ]

    def test_a_firing_alert_ends_by_itself_when_it_is_not_repeated(self) -> None:
        self.channel().send("msg_1", a_notice(), NOW)

        (one,) = self.receiver.received
        assert one.path == "/api/v2/alerts"
        assert json.loads(one.body)[0]["endsAt"] == "2026-11-23T12:04:00Z"

    def test_a_resolved_alert_says_when_it_ended(self) -> None:
        self.channel().send("msg_1", a_notice("resolved"), NOW + timedelta(minutes=3))

        assert json.loads(self.receiver.received[0].body)[0]["endsAt"] == "2026-11-23T12:00:00Z"


@pytest.fixture
def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    return port


class TestMail(ChannelContract):
    receiver: MailReceiver
    stack: ExitStack

    @pytest.fixture(autouse=True)
    def _listen(self, free_port: int) -> Iterator[None]:
        with ExitStack() as self.stack:
            self.receiver = self.stack.enter_context(mail_receiver(free_port))
            yield

    def channel(self) -> Channel:
        return Mail(self.receiver.url, "watch@example.org", ["a@example.org"], "")

    def told(self) -> list[Told]:
        found = []
        for raw in self.receiver.received:
            message = email.message_from_bytes(raw, policy=email.policy.default)
            body = message.get_content()
            found.append(Told(str(message["References"]), f"{message['Subject']}\n{body}"))
        return found

    def be_busy(self) -> None:
        self.receiver.answers.append("451 try again later")

    def refuse(self) -> None:
        self.receiver.answers.append("554 we do not want this")

    def go_away(self) -> None:
        self.stack.close()

    def test_a_message_has_the_id_of_its_delivery_and_no_foreign_headers(self) -> None:
        self.channel().send("msg_1", a_notice(column="x\r\nBcc: all@example.org"), NOW)

        message = email.message_from_bytes(self.receiver.received[0], policy=email.policy.default)
        assert message["Message-ID"] == "<msg_1@watchkeeper.invalid>"
        assert message["Bcc"] is None
        assert message["To"] == "a@example.org"

    @pytest.mark.parametrize("url", ["http://x:25", "smtp://x", "smtp://:25", "smtp://x:port"])
    def test_a_url_that_names_no_mail_server_is_refused(self, url: str) -> None:
        with pytest.raises(RejectedByReceiver, match="smtp://host:port"):
            Mail(url, "a@example.org", ["b@example.org"], "")


def test_a_password_is_given_to_no_server_without_tls(free_port: int) -> None:
    seen: list[object] = []

    def authenticator(*told: object) -> AuthResult:
        seen.append(told)
        return AuthResult(success=True)

    server = Controller(
        MailReceiver(),
        hostname="127.0.0.1",
        port=free_port,
        authenticator=authenticator,
        auth_require_tls=False,  # as whoever sits in between would offer it
    )
    server.start()
    try:
        mail = Mail(f"smtp://kim@127.0.0.1:{free_port}", "w@example.org", ["a@example.org"], "pw")
        with pytest.raises(ReceiverUnavailable, match="offers no TLS"):
            mail.send("msg_1", a_notice(), NOW)
    finally:
        server.stop()

    assert seen == []


def test_a_secret_that_is_not_there_yet_means_again() -> None:
    spec = ChannelSpec(type="webhook", url="http://127.0.0.1:9", secret_env="ONCALL_SECRET")
    with httpx.Client(trust_env=False) as client:
        with pytest.raises(ReceiverUnavailable, match="ONCALL_SECRET"):
            Opener(client, {}).open(spec)

        assert isinstance(Opener(client, {"ONCALL_SECRET": "x"}).open(spec), Webhook)


def test_a_channel_that_was_applied_before_gets_no_secret_of_watchkeeper_itself() -> None:
    name = "WATCHKEEPER_DATABASE_URL"
    spec = ChannelSpec(type="webhook", url="http://127.0.0.1:9", secret_env=name)
    with httpx.Client(trust_env=False) as client, pytest.raises(RejectedByReceiver, match=name):
        Opener(client, {name: "postgresql://u:p@db/x"}).open(spec)


@pytest.mark.parametrize("rest", ["/T0/word", "/?token=word", "/#word"])
@pytest.mark.parametrize("status", [404, 503])
def test_what_is_secret_in_an_address_is_not_told(rest: str, status: int) -> None:
    with httpx.Client(trust_env=False) as client, http_receiver() as receiver:
        receiver.answers.append((status, {}))
        at = receiver.url.replace("http://", "http://kim:word@")
        with pytest.raises((RejectedByReceiver, ReceiverUnavailable)) as answered:
            Webhook(client, at + rest, "").send("msg_1", a_notice(), NOW)
        with pytest.raises((RejectedByReceiver, ReceiverUnavailable)) as silent:
            Webhook(client, f"http://127.0.0.1:1{rest}", "").send("msg_1", a_notice(), NOW)

    assert receiver.url in str(answered.value)
    assert "word" not in str(answered.value) + str(silent.value)
