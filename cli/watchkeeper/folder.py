"""The folder of `watchkeeper up`: what is in it, and the first key."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from watchkeeper_alerting import keys
from watchkeeper_shared.clock import Clock
from watchkeeper_shared.db.keys import Keys, Role
from watchkeeper_shared.db.unit_of_work import Database
from watchkeeper_shared.errors import ConfigError

_OWNER_ONLY = 0o600
_OWNER_ONLY_FOLDER = 0o700
_ACTOR = "watchkeeper up"


@dataclass(frozen=True, slots=True)
class Folder:
    """Where one all-in-one process keeps everything.

    Parameters
    ----------
    path
        An absolute path.
    """

    path: Path

    @property
    def token_file(self) -> Path:
        """The file with the admin's API key, readable by its owner only."""
        return self.path / "admin.token"

    def make(self) -> None:
        """Make the folder, for its owner alone: log and samples hold data of people.

        One that is there already stays as open as it is.

        Raises
        ------
        ConfigError
            It cannot be made or written.
        """
        try:
            self.path.mkdir(_OWNER_ONLY_FOLDER, parents=True, exist_ok=True)
            (self.path / ".writable").touch()
            (self.path / ".writable").unlink()
        except OSError as error:
            raise ConfigError(
                f"{self.path} cannot be written ({error.strerror}); choose another --data"
            ) from error

    def environment(self, env: Mapping[str, str]) -> dict[str, str]:
        """Return `env` with the log and the database of this folder in place of others."""
        kept = {
            name: value
            for name, value in env.items()
            if not name.startswith(("WATCHKEEPER_KAFKA_", "WATCHKEEPER_DATABASE_URL"))
        }
        return kept | {
            "WATCHKEEPER_DATABASE_URL": f"sqlite:///{self.path / 'state.db'}",
            "WATCHKEEPER_LOG_PATH": str(self.path / "log.db"),
        }

    def ensure_token(self, database: Database, clock: Clock) -> None:
        """Make the admin's key unless the file holds one that still works.

        A key whose file was lost cannot be read again, so a new one is made.
        """
        if self.token_file.exists():
            token = self.token_file.read_text(encoding="utf-8").strip()
            if Keys(database, clock).authenticate(token) is not None:
                return
            self.token_file.unlink()
        with database.transaction() as c:
            token = keys.create(c, Role.ADMIN, "admin", actor=_ACTOR, now=clock.now())
            # Written inside the transaction: no key is valid that nobody can read.
            self._write(token)

    def _write(self, token: str) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        handle = os.open(self.token_file, flags, _OWNER_ONLY)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(token + "\n")
            file.flush()
            os.fsync(file.fileno())
