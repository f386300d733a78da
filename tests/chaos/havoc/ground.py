"""What the processes stand on: an event log and a database, and how each can fail."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event

import sqlalchemy as sa

from havoc.postgres import PostgresNode, postgres_node
from watchkeeper_shared.db import migrations
from watchkeeper_shared.db.engine import open_engine
from watchkeeper_shared.testing.servers.kafka.node import KafkaNode
from watchkeeper_shared.testing.servers.kafka_server import kafka_node
from watchkeeper_shared.testing.servers.postgres_server import fresh_database


@dataclass(frozen=True, slots=True)
class Servers:
    """Real servers of our own, which may be stopped and killed; None: none of that kind."""

    kafka: KafkaNode | None = None
    postgres: PostgresNode | None = None


@dataclass(frozen=True, slots=True)
class Ground:
    """One log and one database, both empty and ready.

    Parameters
    ----------
    name
        What to call it in a table.
    env
        The settings that lead there.
    servers
        What of it can be stopped.
    """

    name: str
    env: Mapping[str, str]
    servers: Servers

    @property
    def url(self) -> str:
        """The URL of the database."""
        return self.env["WATCHKEEPER_DATABASE_URL"]

    @property
    def faults(self) -> Mapping[str, Callable[[float], None]]:
        """What can happen to the ground; each is given the seconds that it lasts."""
        found: dict[str, Callable[[float], None]] = {}
        if self.servers.kafka is not None:
            found |= _of_kafka(self.servers.kafka)
        if self.servers.postgres is not None:
            found |= _of_postgres(self.servers.postgres)
        return found


def _of_kafka(node: KafkaNode) -> dict[str, Callable[[float], None]]:
    def away(end: Callable[[], None]) -> Callable[[float], None]:
        def happen(seconds: float) -> None:
            end()
            Event().wait(seconds)
            node.start()

        return happen

    def frozen(seconds: float) -> None:
        node.freeze()
        Event().wait(seconds)
        node.thaw()

    return {
        "broker stopped": away(node.stop),
        "broker killed": away(node.kill),
        "broker frozen": frozen,
    }


def _of_postgres(node: PostgresNode) -> dict[str, Callable[[float], None]]:
    def away(how: signal.Signals) -> Callable[[float], None]:
        def happen(seconds: float) -> None:
            node.end(how)
            Event().wait(seconds)
            node.start()

        return happen

    def cut(_: float) -> None:
        node.cut_connections()

    return {
        "database stopped": away(signal.SIGINT),
        "database killed": away(signal.SIGQUIT),
        "connections cut": cut,
    }


@contextmanager
def servers(env: Mapping[str, str], *, kafka: bool, postgres: bool) -> Iterator[Servers]:
    """Run the servers that are asked for.

    Raises
    ------
    ServerUnavailable
        One of them cannot be had here.
    """
    with ExitStack() as stack:
        yield Servers(
            stack.enter_context(kafka_node(env)) if kafka else None,
            stack.enter_context(postgres_node()) if postgres else None,
        )


@contextmanager
def ground(name: str, folder: Path, servers: Servers, topic_prefix: str = "") -> Iterator[Ground]:
    """Make an empty, migrated database and name an empty log.

    Parameters
    ----------
    folder
        For the files of the embedded log and of SQLite.
    """
    with ExitStack() as stack:
        if servers.postgres is None:
            url = f"sqlite:///{folder}/state.db"
        else:
            url = stack.enter_context(fresh_database(servers.postgres.url))
            stack.callback(_wait_for, servers.postgres)
        env = {"WATCHKEEPER_DATABASE_URL": url}
        if servers.kafka is None:
            env["WATCHKEEPER_LOG_PATH"] = str(folder / "log.db")
        else:
            env["WATCHKEEPER_KAFKA_BOOTSTRAP"] = servers.kafka.bootstrap
        engine = open_engine(url)
        migrations.upgrade(engine)
        engine.dispose()
        yield Ground(name, env, servers)


def _wait_for(node: PostgresNode) -> None:
    with contextlib.suppress(sa.exc.OperationalError):
        node.cut_connections()
