"""Small records read together hold what they hold one by one."""

from __future__ import annotations

import json

from watchkeeper_shared.events.batches import to_bytes
from watchkeeper_shared.events.codec import ARROW, JSON, NDJSON, decode
from watchkeeper_shared.events.pooling import pool
from watchkeeper_shared.events.rows import Kind
from watchkeeper_shared.testing.builders import a_batch, a_label, a_prediction


def test_single_events_become_the_batch_that_they_would_be_in_one_record() -> None:
    items = [a_prediction(number) for number in range(50)]

    pooled = pool([(json.dumps(item).encode(), JSON) for item in items], Kind.PREDICTIONS)

    assert pooled.batch.equals(decode(json.dumps(items).encode(), JSON))
    assert pooled.owners.tolist() == list(range(50))
    assert pooled.apart == ()


def test_what_cannot_be_pooled_is_named_by_its_place() -> None:
    values = [
        (json.dumps([a_label(1), a_label(2)]).encode(), JSON),
        (to_bytes(a_batch(2, Kind.LABELS)), ARROW),
        (b'{"id": NaN}', JSON),
        (b'{"columns": {}}', JSON),
        (json.dumps(a_label(3)).encode(), NDJSON),
        (json.dumps([a_label(number) for number in range(500)]).encode(), JSON),
        (b"x", "text/csv"),
    ]

    pooled = pool(values, Kind.LABELS)

    assert pooled.batch.column("id").to_pylist() == ["p-000001", "p-000002", "p-000003"]
    assert pooled.owners.tolist() == [0, 0, 4]
    assert pooled.apart == (1, 2, 3, 5, 6)


def test_records_that_name_too_many_fields_together_are_left_apart() -> None:
    values = [
        (
            json.dumps(
                a_prediction(n, features={f"{n}-{field}": 1 for field in range(300)})
            ).encode(),
            JSON,
        )
        for n in range(20)
    ]

    pooled = pool(values, Kind.PREDICTIONS)

    assert pooled.batch.num_rows == 0
    assert pooled.apart == tuple(range(20))
