"""THE FLOW: each topic, its key, who writes it, who reads it.

ML service ── HTTP ──► ingest ──► predictions.v1, labels.v1 ──► monitor
                                                                  │ outbox
people ◄── channels ◄── alerting ◄── breaches.v1 ◄────────────────┘
ingest, monitor ◄── control.v1 ◄── alerting (outbox)
anything unreadable ──► <topic>.dlq, with the reason
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Topic:
    """One stream of records in the event log.

    Parameters
    ----------
    name
        The public name, versioned.
    key
        What the record key holds; records of one key keep their order.
    writers, readers
        Who appends and who reads, for people and for the access rules of a broker.
    compacted
        Whether the log may keep only the newest record of each key.
    """

    name: str
    key: str
    writers: tuple[str, ...]
    readers: tuple[str, ...]
    compacted: bool = False

    @property
    def dead_letters(self) -> str:
        """The topic that takes what could not be read from this one."""
        return f"{self.name}.dlq"


PREDICTIONS = Topic("watchkeeper.predictions.v1", "system", ("ingest", "ML services"), ("monitor",))
LABELS = Topic("watchkeeper.labels.v1", "system", ("ingest", "ML services"), ("monitor",))
BREACHES = Topic("watchkeeper.breaches.v1", "system", ("monitor",), ("alerting",))
CONTROL = Topic(
    "watchkeeper.control.v1", "kind/name", ("alerting",), ("ingest", "monitor"), compacted=True
)

TOPICS = (PREDICTIONS, LABELS, BREACHES, CONTROL)
