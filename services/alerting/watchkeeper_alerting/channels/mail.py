"""E-mail over SMTP: one message a notice, one thread an alert."""

from __future__ import annotations

import logging
import smtplib
import ssl
from collections.abc import Sequence
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime
from urllib.parse import SplitResult, unquote, urlsplit

from watchkeeper_alerting.notices import Notice, text
from watchkeeper_shared.errors import ReceiverUnavailable, RejectedByReceiver

_TIMEOUT = 15.0
_PERMANENT = 500  # SMTP: 4xx may work later, 5xx never will
_DOMAIN = "watchkeeper.invalid"  # ids only need to be unique; this is nobody's domain

logger = logging.getLogger(__name__)


class Mail:
    """Sends notices as plain text.

    Parameters
    ----------
    url
        `smtp://[user@]host:port` (TLS if the server offers it, and never without it where there
        is a user to log in), or `smtps://…`.
    sender, to
        From whom to whom.
    password
        For the user in the URL.

    Raises
    ------
    RejectedByReceiver
        The URL is no such URL.
    """

    repeat = None

    def __init__(self, url: str, sender: str, to: Sequence[str], password: str) -> None:
        self._server = _server(url)
        self._sender = sender
        self._to = tuple(to)
        self._password = password

    def send(self, delivery: str, notice: Notice, now: datetime) -> None:
        """Send one message; its Message-ID is the delivery's, its thread the alert's."""
        try:
            message = self._message(delivery, notice, now)
            with self._connection() as smtp:
                refused = smtp.send_message(message, self._sender, self._to)
        except smtplib.SMTPRecipientsRefused as error:
            raise _judged(min(code for code, _ in error.recipients.values()), str(error)) from error
        except smtplib.SMTPResponseException as error:
            said = error.smtp_error
            shown = said.decode(errors="replace") if isinstance(said, bytes) else said
            raise _judged(error.smtp_code, shown) from error
        except smtplib.SMTPNotSupportedError as error:
            raise RejectedByReceiver(f"the mail server cannot do this: {error}") from error
        except (smtplib.SMTPException, OSError) as error:
            where = f"{self._server.hostname}:{self._server.port}"
            raise ReceiverUnavailable(f"the mail server {where} fails: {error}") from error
        except ValueError as error:  # a header that a hostile text would break out of
            raise RejectedByReceiver(f"the message cannot be written: {error}") from error
        if refused:
            logger.warning("mail_partly_refused", extra={"refused": sorted(refused)})

    def _message(self, delivery: str, notice: Notice, now: datetime) -> EmailMessage:
        thread = f"<{notice.alert}@{_DOMAIN}>"
        message = EmailMessage()
        message["Subject"] = notice.title
        message["From"] = self._sender
        message["To"] = ", ".join(self._to)
        message["Date"] = format_datetime(now)
        message["Message-ID"] = f"<{delivery}@{_DOMAIN}>"
        message["In-Reply-To"] = thread
        message["References"] = thread
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(text(notice))
        return message

    def _connection(self) -> smtplib.SMTP:
        host, port = self._server.hostname or "", self._server.port or 0
        context = ssl.create_default_context()
        if self._server.scheme == "smtps":
            smtp: smtplib.SMTP = smtplib.SMTP_SSL(host, port, timeout=_TIMEOUT, context=context)
        else:
            smtp = smtplib.SMTP(host, port, timeout=_TIMEOUT)
        try:
            self._secure(smtp, context)
        except BaseException:
            smtp.close()
            raise
        return smtp

    def _secure(self, smtp: smtplib.SMTP, context: ssl.SSLContext) -> None:
        """Use TLS if it is offered, and log in; a password never travels readable."""
        secure = isinstance(smtp, smtplib.SMTP_SSL)
        if not secure:
            smtp.ehlo()
            if smtp.has_extn("starttls"):
                smtp.starttls(context=context)
                secure = True
        if self._server.username and not secure:
            raise ReceiverUnavailable(
                f"the mail server {self._server.hostname}:{self._server.port} offers no TLS, and "
                "the password would travel readable: use smtps://, or leave the user out"
            )
        if self._server.username:
            smtp.login(unquote(self._server.username), self._password)


def _server(url: str) -> SplitResult:
    try:
        server = urlsplit(url)
        complete = server.scheme in ("smtp", "smtps") and server.hostname and server.port
    except ValueError:
        complete = None
    if not complete:
        raise RejectedByReceiver(f"an email channel's url is smtp://host:port, got {url!r}")
    return urlsplit(url)


def _judged(code: int, said: str) -> ReceiverUnavailable | RejectedByReceiver:
    detail = f"the mail server answered {code}: {said}"
    return RejectedByReceiver(detail) if code >= _PERMANENT else ReceiverUnavailable(detail)
