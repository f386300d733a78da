"""A Kafka node with a listener for each way to prove who one is, and an authorizer."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from watchkeeper_shared.testing.servers import ServerUnavailable
from watchkeeper_shared.testing.servers.certificates import Authority
from watchkeeper_shared.testing.servers.kafka import node as plain

LISTENERS = {
    "plainsasl": "SASL_PLAINTEXT",
    "scram": "SASL_PLAINTEXT",
    "scramtls": "SASL_SSL",
    "tls": "SSL",
    "mtls": "SSL",
    "oauth": "SASL_PLAINTEXT",
}
"""Name of each guarded listener, and what is spoken there."""

_MECHANISMS = {
    "plainsasl": {"plain": "plain.PlainLoginModule"},
    "scram": {
        "scram-sha-512": "scram.ScramLoginModule",
        "scram-sha-256": "scram.ScramLoginModule",
    },
    "scramtls": {"scram-sha-512": "scram.ScramLoginModule"},
    # Takes tokens that nobody signed: what is tried is the client's side.
    "oauth": {"oauthbearer": "oauthbearer.OAuthBearerLoginModule"},
}

# The controller and our own admin come in without a name; so does TLS without a certificate.
_GUARDS = """
inter.broker.listener.name=PLAINTEXT
ssl.keystore.type=PEM
ssl.keystore.location={folder}/keystore.pem
ssl.truststore.type=PEM
ssl.truststore.location={folder}/ca.pem
listener.name.mtls.ssl.client.auth=required
ssl.principal.mapping.rules=RULE:^CN=([^,]+).*$/$1/,DEFAULT
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
"""


class SecureNode(plain.KafkaNode):
    """A broker with `LISTENERS`; `bootstrap` is its open listener, for the test itself.

    Parameters
    ----------
    folder, env
        As for `KafkaNode`. The certificates of `authority` lie in the folder too.
    users
        Name and password of those who may log in with SCRAM or PLAIN.
    """

    def __init__(self, folder: Path, env: Mapping[str, str], users: Mapping[str, str]) -> None:
        super().__init__(folder, env)
        self._users = users
        ports: set[int] = set()
        while len(ports) < len(LISTENERS):
            ports |= set(plain.free_ports())
        self.address = {
            name: f"127.0.0.1:{port}" for name, port in zip(LISTENERS, sorted(ports), strict=False)
        }
        self.authority = Authority(folder, "ca")

    def format(self) -> None:
        """Prepare the folder, with certificates and users; once."""
        server = self.authority.sign("broker", "DNS:localhost", "IP:127.0.0.1")
        parts = [server.key, server.certificate, self.authority.certificate]
        (self._folder / "keystore.pem").write_text("".join(part.read_text() for part in parts))
        (self._folder / "server.properties").write_text("\n".join(self._properties()))
        users = [
            f"{mechanism}=[name={name},password={password}]"
            for name, password in self._users.items()
            for mechanism in ("SCRAM-SHA-512", "SCRAM-SHA-256")
        ]
        options = [part for user in users for part in ("--add-scram", user)]
        tool = ["kafka.tools.StorageTool", "format", "-t", plain.CLUSTER, *options, "-c"]
        done = subprocess.run(
            self._java(*tool), env=dict(self._env), capture_output=True, check=False
        )
        if done.returncode:
            raise ServerUnavailable(f"Kafka cannot format {self._folder}: {done.stderr.decode()}")

    def _properties(self) -> Sequence[str]:
        text = plain.PROPERTIES.format(
            port=self._port, controller=self._controller, folder=self._folder
        )
        named = [f"{name.upper()}://{self.address[name]}" for name in LISTENERS]
        spoken = [f"{name.upper()}:{protocol}" for name, protocol in LISTENERS.items()]
        lines = [
            text.replace(",CONTROLLER://", f",{','.join(named)},CONTROLLER://", 1),
            _GUARDS.format(folder=self._folder),
            "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,"
            + ",".join(spoken),
        ]
        for listener, modules in _MECHANISMS.items():
            offered = ",".join(modules).upper()
            lines.append(f"listener.name.{listener}.sasl.enabled.mechanisms={offered}")
            lines += [
                f"listener.name.{listener}.{mechanism}.sasl.jaas.config="
                f"org.apache.kafka.common.security.{module} required{self._known(mechanism)};"
                for mechanism, module in modules.items()
            ]
        return lines

    def _known(self, mechanism: str) -> str:
        if mechanism != "plain":
            return ""
        return "".join(f' user_{name}="{password}"' for name, password in self._users.items())


def unsigned_token(subject: str, issued: int, expires: int) -> str:
    """Return a JSON web token without a signature.

    Parameters
    ----------
    subject
        The principal.
    issued, expires
        Seconds of Unix time.
    """
    parts = ({"alg": "none"}, {"sub": subject, "iat": issued, "exp": expires})
    texts = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode() for part in parts]
    return ".".join(text.rstrip("=") for text in texts) + "."
