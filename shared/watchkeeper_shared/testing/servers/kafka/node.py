"""One Kafka node (KRaft: broker and controller in one process) in a folder of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path
from threading import Event, Thread
from typing import IO

from watchkeeper_shared.testing.servers import ServerUnavailable
from watchkeeper_shared.testing.servers.kafka.jars import kafka_jars, program

READY = b"Kafka Server started"
READY_SECONDS = 60
STOP_SECONDS = 20

# Quick to start and small; no C2 compiler, because a test is over before it pays.
JVM = ["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]

# A fixed id: a random one may begin with a dash, which the formatter takes for an option.
CLUSTER = "MkU3OEVBNTcwNTJENDM2Qk"

# The short broker session makes a restart after a kill take 4 s instead of 12.
PROPERTIES = """
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
controller.listener.names=CONTROLLER
log.dirs={folder}/data
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
log.cleaner.dedupe.buffer.size=1200000
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=500
"""


class KafkaNode:
    """A broker that can be stopped, killed, frozen and started again on the same port.

    Parameters
    ----------
    folder
        Where its data and its log go; empty at first.
    env
        The environment: `PATH` for `java` and `mvn`.
    """

    def __init__(self, folder: Path, env: Mapping[str, str]) -> None:
        self._folder = folder
        self._env = env
        self._port, self._controller = free_ports()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def bootstrap(self) -> str:
        """Host and port for clients."""
        return f"127.0.0.1:{self._port}"

    def format(self) -> None:
        """Prepare the folder; once."""
        text = PROPERTIES.format(port=self._port, controller=self._controller, folder=self._folder)
        (self._folder / "server.properties").write_text(text)
        command = self._java("kafka.tools.StorageTool", "format", "-t", CLUSTER, "-c")
        done = subprocess.run(command, env=dict(self._env), capture_output=True, check=False)
        if done.returncode:
            raise ServerUnavailable(f"Kafka cannot format {self._folder}: {done.stderr.decode()}")

    def start(self) -> None:
        """Run the broker, and return when it takes clients."""
        # A session of its own: the broker must not get the signals of the tests' terminal.
        self._process = subprocess.Popen(
            self._java("kafka.Kafka"),
            env=dict(self._env),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        ready = Event()
        Thread(target=self._follow, args=(self._process.stdout, ready), daemon=True).start()
        if not ready.wait(READY_SECONDS) or self._process.poll() is not None:
            self.kill()
            raise ServerUnavailable(
                f"Kafka did not start: {(self._folder / 'log').read_text()[-2000:]}"
            )

    def stop(self) -> None:
        """Shut down in order."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a power cut would."""
        self._end(signal.SIGKILL)

    def freeze(self) -> None:
        """Stop it from running; its sockets stay open and silent."""
        os.kill(self._running().pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen broker run on."""
        os.kill(self._running().pid, signal.SIGCONT)

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise ServerUnavailable("this Kafka was not started, or was stopped")
        return self._process

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.send_signal(how)
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def _java(self, main: str, *arguments: str) -> list[str]:
        java = [program("java", self._env), *JVM, "-cp", f"{kafka_jars(self._env)}/*"]
        java += [f"-Dlog4j2.configurationFile={Path(__file__).parent / 'log4j2.xml'}"]
        return [*java, main, *arguments, str(self._folder / "server.properties")]

    def _follow(self, output: IO[bytes], ready: Event) -> None:
        """Copy what the broker says; tell when it is ready, or when it ends."""
        with output, (self._folder / "log").open("ab") as log:
            for line in output:
                log.write(line)
                log.flush()
                if READY in line:
                    ready.set()
        ready.set()


def free_ports() -> tuple[int, int]:
    """Return two ports of this machine that nobody listens on now."""
    with socket.socket() as one, socket.socket() as two:
        one.bind(("127.0.0.1", 0))
        two.bind(("127.0.0.1", 0))
        return one.getsockname()[1], two.getsockname()[1]
