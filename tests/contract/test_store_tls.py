"""PostgreSQL over TLS: verified to the end, and what is wrong named within seconds."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from watchkeeper_shared.clock import SystemClock
from watchkeeper_shared.db.engine import open_engine
from watchkeeper_shared.db.unit_of_work import Database
from watchkeeper_shared.errors import StoreUnavailable
from watchkeeper_shared.testing.servers import ServerUnavailable
from watchkeeper_shared.testing.servers.certificates import Authority
from watchkeeper_shared.testing.servers.postgres_tls import GuardedDatabase, guarded_postgres
from watchkeeper_shared.testing.servers.unavailable import skip

pytestmark = pytest.mark.postgres

SECONDS, USER, PASSWORD = 3.0, "watchkeeper", "right-horse"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GuardedDatabase]:
    folder = tmp_path_factory.mktemp("tls")
    running = guarded_postgres(os.environ, folder, USER, PASSWORD)  # noqa: TID251
    try:
        found = running.__enter__()
    except ServerUnavailable as reason:
        skip(reason)
    yield found
    running.__exit__(None, None, None)


def url(server: GuardedDatabase, *, host: str = "127.0.0.1", word: str = PASSWORD) -> str:
    return f"postgresql://{USER}:{word}@{host}:{server.port}/postgres"


def verified(server: GuardedDatabase, authority: Path | None = None) -> str:
    return f"?sslmode=verify-full&sslrootcert={authority or server.authority}"


def failure(address: str) -> str:
    """What the readiness of a service would say, and how soon."""
    database = Database(open_engine(address))
    clock = SystemClock()
    started = clock.monotonic()
    with pytest.raises(StoreUnavailable) as refused:
        database.ping()
    assert clock.monotonic() - started < SECONDS
    database.close()
    return str(refused.value)


def test_the_connection_is_encrypted_and_the_server_verified(server: GuardedDatabase) -> None:
    database = Database(open_engine(url(server) + verified(server)))
    with database.read() as connection:
        seen = connection.execute(
            sa.text("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
        )
        assert seen.scalar_one() is True
    database.close()


def test_a_strangers_certificate_is_named(server: GuardedDatabase, tmp_path: Path) -> None:
    stranger = Authority(tmp_path, "stranger").certificate
    assert "certificate verify failed" in failure(url(server) + verified(server, stranger))


def test_another_name_than_the_certificates_is_named(server: GuardedDatabase) -> None:
    said = failure(url(server, host="localhost") + verified(server))
    assert "does not match host name" in said


def test_a_missing_file_of_authorities_is_named(server: GuardedDatabase) -> None:
    nowhere = Path("/nowhere/ca.pem")
    assert f'"{nowhere}" does not exist' in failure(url(server) + verified(server, nowhere))


def test_who_does_not_encrypt_is_sent_away(server: GuardedDatabase) -> None:
    assert "no encryption" in failure(url(server) + "?sslmode=disable")


def test_a_wrong_password_is_named_and_not_told(server: GuardedDatabase) -> None:
    said = failure(url(server, word="wrong-horse") + verified(server))
    assert f'password authentication failed for user "{USER}"' in said
    assert "wrong-horse" not in said
