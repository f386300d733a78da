"""What can be set, and what is refused before the process starts."""

from __future__ import annotations

import pytest

from watchkeeper_ingest.settings import IngestSettings
from watchkeeper_shared.errors import ConfigError
from watchkeeper_shared.settings import read

ENOUGH = {
    "WATCHKEEPER_DATABASE_URL": "sqlite:///w.db",
    "WATCHKEEPER_KAFKA_BOOTSTRAP": "localhost:9092",
}


def test_the_defaults_need_only_the_database_and_the_log() -> None:
    settings = read(IngestSettings, ENOUGH)

    assert settings.ingest_record_rows == 2000
    assert settings.ingest_batch_bytes == 512 * 1024


def test_limits_that_leave_no_room_are_refused() -> None:
    with pytest.raises(ConfigError, match="WATCHKEEPER_INGEST_MAX_ROWS=0"):
        read(IngestSettings, ENOUGH | {"WATCHKEEPER_INGEST_MAX_ROWS": "0"})
    with pytest.raises(ConfigError, match="must not be below"):
        read(IngestSettings, ENOUGH | {"WATCHKEEPER_INGEST_HARD_INFLIGHT_BYTES": "1"})


def test_an_age_is_at_most_a_hundred_years() -> None:
    def age(text: str) -> IngestSettings:
        return read(IngestSettings, ENOUGH | {"WATCHKEEPER_INGEST_MAX_AGE": text})

    assert age("36525d").ingest_max_age.days == 36525
    with pytest.raises(ConfigError, match=r"WATCHKEEPER_INGEST_MAX_AGE=.* at most 36525d"):
        age("36526d")
