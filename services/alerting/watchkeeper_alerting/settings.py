"""What can be set about alerting; the variables are the field names with `WATCHKEEPER_`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from watchkeeper_shared.settings import LogSettings, StoreSettings


@dataclass(frozen=True, kw_only=True)
class AlertingOptions:
    """How alerting behaves, wherever it runs.

    Parameters
    ----------
    public_url
        How people reach the console; stands in every notification. Left out: where the
        service listens, which is right on one machine only.
    alertmanager_repeat
        How often Alertmanager is told again of what still fires.
    delivery_threads
        So many notifications go out at a time, each to another channel.
    control_body_bytes
        The largest file or reference artifact that is taken.
    session_length
        How long a login to the console lasts.
    delivery_retention
        So long after an alert was resolved and its ticket closed its notifications are kept;
        the audit log then says what they were.
    """

    public_url: str = ""
    alertmanager_repeat: timedelta = timedelta(minutes=1)
    delivery_threads: int = 4
    control_body_bytes: int = 64 << 20
    session_length: timedelta = timedelta(hours=12)
    delivery_retention: timedelta = timedelta(days=1096)

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        if self.public_url and not self.public_url.startswith(("http://", "https://")):
            raise ValueError(
                f"WATCHKEEPER_PUBLIC_URL={self.public_url!r} must start with http:// or https://"
            )
        if self.delivery_retention < timedelta(days=1):
            raise ValueError(
                f"WATCHKEEPER_DELIVERY_RETENTION={self.delivery_retention} must be 1 day or more"
            )
        if not 1 <= self.delivery_threads <= 32:  # noqa: PLR2004 - each holds a connection
            raise ValueError(
                f"WATCHKEEPER_DELIVERY_THREADS={self.delivery_threads} must be 1 to 32"
            )


@dataclass(frozen=True, kw_only=True)
class AlertingSettings(StoreSettings, LogSettings, AlertingOptions):
    """Everything that `watchkeeper alerting` reads."""

    def __post_init__(self) -> None:
        """Check each part."""
        LogSettings.__post_init__(self)
        AlertingOptions.__post_init__(self)
