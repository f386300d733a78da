"""Certificates for tests, made by openssl: an authority, and what it signs."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from watchkeeper_shared.testing.servers.programs import find_program


@dataclass(frozen=True, slots=True)
class Identity:
    """A certificate and its key, each in a file.

    Parameters
    ----------
    certificate, key
        PEM; the key is PKCS#8 and not encrypted.
    """

    certificate: Path
    key: Path


class Authority:
    """Signs certificates that are valid for two days.

    Parameters
    ----------
    folder
        Where all files go.
    name
        What the authority calls itself, and how its files begin.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self._openssl = find_program("openssl", "openssl")
        self._folder = folder
        self._name = name
        self.certificate = folder / f"{name}.pem"
        self._key = folder / f"{name}.key"
        self._run("req", "-x509", "-subj", f"/CN={name}", *_new(self._key, self.certificate))

    def sign(self, name: str, *alternatives: str) -> Identity:
        """Make a certificate for `name`.

        Parameters
        ----------
        name
            The common name; the files begin with it.
        alternatives
            What else it is good for: `DNS:localhost`, `IP:127.0.0.1`.
        """
        made = Identity(
            self._folder / f"{self._name}-{name}.pem", self._folder / f"{self._name}-{name}.key"
        )
        signer = ["-CA", str(self.certificate), "-CAkey", str(self._key)]
        names = ["-addext", f"subjectAltName={','.join(alternatives)}"] if alternatives else []
        subject = ["-x509", "-subj", f"/CN={name}", "-addext", "basicConstraints=CA:FALSE"]
        self._run("req", *subject, *signer, *names, *_new(made.key, made.certificate))
        return made

    def _run(self, *arguments: str) -> None:
        subprocess.run([str(self._openssl), *arguments], check=True, capture_output=True)


def _new(key: Path, certificate: Path) -> list[str]:
    made = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc"]
    return [*made, "-days", "2", "-keyout", str(key), "-out", str(certificate)]
