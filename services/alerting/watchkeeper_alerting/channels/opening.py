"""From an applied channel to the thing that sends: the one registry of channel types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

import httpx

from watchkeeper_alerting.channels.alertmanager import Alertmanager
from watchkeeper_alerting.channels.mail import Mail
from watchkeeper_alerting.channels.port import Channel
from watchkeeper_alerting.channels.webhook import Webhook
from watchkeeper_shared.errors import ReceiverUnavailable, RejectedByReceiver
from watchkeeper_shared.settings import PREFIX
from watchkeeper_shared.specs import Channel as ChannelSpec


@dataclass(frozen=True, slots=True)
class Opener:
    """Opens channels.

    Parameters
    ----------
    client
        For channels over HTTP; kept open between notices.
    environment
        Where secrets are, by the name in `secret_env`.
    repeat
        How often Alertmanager is told again.
    """

    client: httpx.Client
    environment: Mapping[str, str]
    repeat: timedelta = timedelta(minutes=1)

    def open(self, spec: ChannelSpec) -> Channel:
        """Return the channel that `spec` describes.

        Raises
        ------
        ReceiverUnavailable
            Its secret is not in the environment (yet): a restart with it helps.
        RejectedByReceiver
            Its url or its secret cannot be used.
        """
        secret = self._secret(spec.secret_env)
        if spec.type == "webhook":
            return Webhook(self.client, spec.url, secret)
        if spec.type == "alertmanager":
            return Alertmanager(self.client, spec.url, self.repeat)
        return Mail(spec.url, spec.sender, spec.to, secret)

    def _secret(self, name: str) -> str:
        if not name:
            return ""
        # The password of the database, say, would go to whatever server the channel names.
        if name.startswith(PREFIX):
            raise RejectedByReceiver(f"{name} is a setting of Watchkeeper, no channel's secret")
        found = self.environment.get(name)
        if not found:
            raise ReceiverUnavailable(f"the environment variable {name} with the secret is not set")
        return found
