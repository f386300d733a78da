from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from watchkeeper.folder import Folder
from watchkeeper_shared.db.engine import open_engine
from watchkeeper_shared.db.keys import Keys, Role
from watchkeeper_shared.db.migrations import upgrade
from watchkeeper_shared.db.unit_of_work import Database
from watchkeeper_shared.errors import ConfigError
from watchkeeper_shared.testing.clocks import ManualClock


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    one = Folder(tmp_path / "data")
    one.make()
    return one


@pytest.fixture
def database(folder: Folder) -> Iterator[Database]:
    engine = open_engine(folder.environment({})["WATCHKEEPER_DATABASE_URL"])
    upgrade(engine)
    yield Database(engine)
    engine.dispose()


def test_a_folder_that_is_made_is_for_its_owner_alone(folder: Folder, tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir(0o755)
    Folder(shared).make()

    assert folder.path.stat().st_mode & 0o777 == 0o700
    assert shared.stat().st_mode & 0o777 == 0o755


def test_the_folder_outranks_whatever_else_the_environment_names(folder: Folder) -> None:
    env = {
        "WATCHKEEPER_KAFKA_BOOTSTRAP": "elsewhere:9092",
        "WATCHKEEPER_DATABASE_URL_FILE": "/run/secrets/url",
        "WATCHKEEPER_FLUSH_ROWS": "10",
        "ONCALL_SECRET": "s",
    }

    own = folder.environment(env)

    assert own == {
        "WATCHKEEPER_DATABASE_URL": f"sqlite:///{folder.path}/state.db",
        "WATCHKEEPER_LOG_PATH": f"{folder.path}/log.db",
        "WATCHKEEPER_FLUSH_ROWS": "10",
        "ONCALL_SECRET": "s",
    }


def test_the_first_start_makes_a_key_that_works_and_the_next_one_keeps_it(
    folder: Folder, database: Database
) -> None:
    clock = ManualClock()

    folder.ensure_token(database, clock)
    first = folder.token_file.read_text()
    folder.ensure_token(database, clock)

    assert folder.token_file.read_text() == first
    assert folder.token_file.stat().st_mode & 0o777 == 0o600
    caller = Keys(database, clock).authenticate(first.strip())
    assert caller is not None
    assert caller.role is Role.ADMIN


@pytest.mark.parametrize("lost", ["", "watchkeeper_0000000000000000_00"])
def test_a_file_whose_key_does_not_work_is_replaced(
    folder: Folder, database: Database, lost: str
) -> None:
    clock = ManualClock()
    folder.token_file.write_text(lost)

    folder.ensure_token(database, clock)

    token = folder.token_file.read_text().strip()
    assert Keys(database, clock).authenticate(token) is not None


def test_a_folder_that_cannot_be_made_says_which_and_why(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(ConfigError, match="choose another --data"):
        Folder(tmp_path / "file" / "data").make()
