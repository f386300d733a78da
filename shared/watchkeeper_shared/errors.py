"""Every error this project raises on purpose.

WatchkeeperError
├── ConfigError                 the process must not start
├── PermanentError              trying again cannot help
│   ├── MalformedRecord         -> dead letters, or a reject with its code
│   ├── InvalidObject           an applied file does not hold: names the line
│   ├── NotFound                the named thing does not exist
│   ├── NotHeld                 it was rolled up or dropped: not kept at that resolution
│   ├── Forbidden               the caller may not do this
│   ├── Conflict                the thing is not in a state that allows this
│   ├── Fenced                  another worker owns the partition now
│   ├── OffsetGone              the log does not keep that offset: restart at its beginning
│   └── RejectedByReceiver      -> give up on this notification
└── RetryableError              trying again may help; carries how long to wait
    ├── LogUnavailable          the event log does not answer
    │   └── LogRefused          it answers, and refuses us until a person changes something
    │       ├── CredentialsRefused  user, password or token
    │       ├── CertificateRefused  the broker's certificate, or ours
    │       └── ProtocolMismatch    TLS or SASL is spoken on one side only
    ├── StoreUnavailable        the database does not answer
    └── ReceiverUnavailable     408, 425, 429 (Retry-After kept), 5xx, or no answer

A caller that wants to know only one thing asks: again, or never?
"""

from __future__ import annotations

from datetime import timedelta


class WatchkeeperError(Exception):
    """The root: anything below was raised by this project on purpose."""


class ConfigError(WatchkeeperError):
    """The process must not start; the message names every problem at once."""


class PermanentError(WatchkeeperError):
    """Trying again cannot help."""


class RetryableError(WatchkeeperError):
    """Trying again may help.

    Parameters
    ----------
    message
        What was wrong, where, and what to do.
    retry_after
        How long the other side asked us to wait, if it did.
    """

    def __init__(self, message: str, retry_after: timedelta | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class MalformedRecord(PermanentError):
    """A record or a row of it cannot be understood.

    Parameters
    ----------
    code
        One of the fixed reject codes in `watchkeeper_shared.events.rejects`.
    detail
        What was wrong, where, and what to send instead.
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail


class InvalidObject(PermanentError):
    """An applied object does not hold; the message names the file and the line.

    Parameters
    ----------
    message
        All problems, one a line.
    problems
        The same, one by one.
    """

    def __init__(self, message: str, problems: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.problems = problems


class NotFound(PermanentError):
    """The named thing does not exist."""


class NotHeld(PermanentError):
    """A stretch of time is not kept any more at the resolution that is asked for."""


class Forbidden(PermanentError):
    """The caller is known and may not do this."""


class Conflict(PermanentError):
    """The thing is not in a state that allows this act."""


class Fenced(PermanentError):
    """Another worker owns the partition now; what was read here must be dropped."""


class OffsetGone(PermanentError):
    """The log does not hold the offset that was asked for.

    Retention overtook the reader, or the topic was deleted and made again.

    Parameters
    ----------
    topic, partition, offset
        What was asked for.
    beginning, end
        What is held: offsets from `beginning` up to, not including, `end`. Starting at
        `beginning` loses the records between `offset` and there; count them.
    """

    def __init__(
        self, topic: str, partition: int, offset: int, *, beginning: int, end: int
    ) -> None:
        super().__init__(
            f"{topic}/{partition} holds offsets {beginning} to {end}, not {offset}: start at"
            f" {beginning} and count the gap, or raise the retention of the topic"
        )
        self.topic = topic
        self.partition = partition
        self.offset = offset
        self.beginning = beginning
        self.end = end


class RejectedByReceiver(PermanentError):
    """The receiver of a notification will never take it."""


class LogUnavailable(RetryableError):
    """The event log does not answer; nothing was promised for what was in flight."""


class LogRefused(LogUnavailable):
    """The brokers refuse us, and will until somebody changes a setting or a secret.

    Trying again is right all the same: secrets are rotated on both sides, one after the other.
    """


class CredentialsRefused(LogRefused):
    """The brokers do not take this user, password or token."""


class CertificateRefused(LogRefused):
    """We do not trust the broker's certificate, or it does not take ours."""


class ProtocolMismatch(LogRefused):
    """One side speaks TLS or SASL and the other does not, or not this mechanism."""


class StoreUnavailable(RetryableError):
    """The database does not answer; the transaction did not happen or is unknown."""


class ReceiverUnavailable(RetryableError):
    """The receiver of a notification does not take it now."""
