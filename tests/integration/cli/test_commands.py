"""The commands against a real alerting service over real HTTP, or on a real database."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from importlib import resources
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from watchkeeper.main import group
from watchkeeper_alerting.testing.service import RunningService, running
from watchkeeper_shared.clock import SystemClock
from watchkeeper_shared.db import audit, migrations
from watchkeeper_shared.db.engine import open_engine
from watchkeeper_shared.db.keys import Keys, Role
from watchkeeper_shared.db.unit_of_work import Database
from watchkeeper_shared.testing.clocks import ManualClock

SYSTEM = resources.files("watchkeeper.demo").joinpath("system.yaml").read_text()
POLICY = resources.files("watchkeeper.demo").joinpath("policy.yaml").read_text()


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    engine = open_engine(f"sqlite:///{tmp_path / 'state.db'}")
    migrations.upgrade(engine)
    yield Database(engine)
    engine.dispose()


@pytest.fixture
def service(database: Database) -> Iterator[RunningService]:
    with running(database, ManualClock()) as one:
        yield one


def run(*words: object, env: dict[str, str] | None = None) -> Result:
    return CliRunner().invoke(group, [str(word) for word in words], env=env)


def as_admin(service: RunningService) -> dict[str, str]:
    return {"WATCHKEEPER_URL": service.url, "WATCHKEEPER_TOKEN": service.token(Role.ADMIN)}


def test_the_demo_files_apply_and_the_same_again_changes_nothing(
    service: RunningService, tmp_path: Path
) -> None:
    files = [tmp_path / "system.yaml", tmp_path / "policy.yaml"]
    for path, text in zip(files, (SYSTEM, POLICY), strict=True):
        path.write_text(text)
    words = ("apply", "-f", files[0], "-f", files[1])
    env = as_admin(service)

    first, second = run(*words, env=env), run(*words, env=env)

    assert first.exit_code == 0, first.output
    assert first.stdout.splitlines() == [
        "AISystem/employment-ma created (revision 1)",
        "OversightPolicy/employment-ma created (revision 1)",
        "OversightPolicy/employment-ma-yearly created (revision 1)",
    ]
    assert second.output.count("unchanged (revision 1)") == 3


def test_what_was_applied_is_withdrawn_by_the_name_that_apply_printed(
    service: RunningService, tmp_path: Path
) -> None:
    path = tmp_path / "system.yaml"
    path.write_text(SYSTEM)
    env = as_admin(service)
    run("apply", "-f", path, env=env)
    words = ("withdraw", "AISystem/employment-ma", "--reason", "replaced")

    first, second = run(*words, env=env), run(*words, env=env)
    unknown = run("withdraw", "AISystem/nobody", "--reason", "replaced", env=env)
    unnamed = run("withdraw", "employment-ma", "--reason", "replaced", env=env)
    unsaid = run("withdraw", "AISystem/employment-ma", env=env)
    again = run("apply", "-f", path, env=env)

    assert (first.exit_code, first.output) == (0, second.output)
    assert re.match(
        r"AISystem/employment-ma withdrawn by a-admin at \S+: replaced \(revision 2\)$",
        first.output.strip(),
    )
    assert (unknown.exit_code, unnamed.exit_code, unsaid.exit_code) == (1, 2, 2)
    assert "no AISystem 'nobody' was ever applied" in unknown.output
    assert "name its kind too, as in AISystem/employment-ma" in unnamed.output
    assert "AISystem/employment-ma restored (revision 3)" in again.stdout
    assert "was withdrawn by a-admin at " in again.stderr


def test_applying_warns_on_stderr_of_breaches_that_nobody_is_told_of(
    service: RunningService, tmp_path: Path
) -> None:
    path = tmp_path / "both.yaml"
    path.write_text(f"{SYSTEM}\n---\n{POLICY}")

    tried = run("apply", "--dry-run", "-f", path, env=as_admin(service))

    assert tried.exit_code == 0, tried.output
    warnings = tried.stderr.splitlines()
    assert len(warnings) == 2, "one a policy"
    assert re.match(r"warning: .*both\.yaml:\d+: policy employment-ma: nobody is told", warnings[0])


def test_every_mistake_in_a_file_is_told_with_its_line(
    service: RunningService, tmp_path: Path
) -> None:
    path = tmp_path / "system.yaml"
    path.write_text(SYSTEM.replace("task: binary", "taks: binary").replace("high", "extreme"))

    result = run("apply", "-f", path, env=as_admin(service))

    assert result.exit_code == 1
    lines = {int(match[1]) for match in re.finditer(r"system\.yaml:(\d+): ", result.output)}
    assert len(lines) >= 2
    assert "taks" in result.output


def test_a_wrong_token_is_told_in_one_line(service: RunningService, tmp_path: Path) -> None:
    path = tmp_path / "system.yaml"
    path.write_text(SYSTEM)

    result = run("apply", "-f", path, "--url", service.url, "--token", "no")

    assert result.exit_code == 1
    assert "WATCHKEEPER_TOKEN" in result.output
    assert len(result.output.splitlines()) == 1


def test_a_reference_is_built_here_and_in_force_there(
    service: RunningService, tmp_path: Path
) -> None:
    (tmp_path / "system.yaml").write_text(SYSTEM)
    env = as_admin(service)
    run("apply", "-f", tmp_path / "system.yaml", env=env)
    rows = tmp_path / "approved.parquet"
    pq.write_table(
        pa.table(
            {
                "key": pa.array(range(2000)),
                "yhat": pa.array([i % 2 for i in range(2000)]),
                "score": pa.array([(i % 100) / 100 for i in range(2000)]),
                "label": pa.array([i % 2 for i in range(2000)]),
                "features.AGEP": pa.array([float(i % 90) for i in range(2000)]),
                "groups.SEX": pa.array([str(1 + i % 2) for i in range(2000)]),
            }
        ),
        rows,
    )
    of = ("--system", "employment-ma", "--version", "1", "--map", "id=key")

    result = run("reference", "build", *of, "--map", "prediction=yhat", rows, env=env)

    assert result.exit_code == 0, result.output
    (stored,) = service.as_(Role.VIEWER).get("/v1/references").json()["references"]
    assert stored["id"] in result.output
    assert (stored["rows"], stored["current"]) == (2000, True)


def test_a_reference_with_a_dead_column_is_taken_and_says_so(
    service: RunningService, tmp_path: Path
) -> None:
    (tmp_path / "system.yaml").write_text(SYSTEM)
    env = as_admin(service)
    run("apply", "-f", tmp_path / "system.yaml", env=env)
    rows = tmp_path / "approved.csv"
    rows.write_text("id,prediction,features.AGEP\n1,1,40\n2,0,40\n3,1,40\n")

    of = ("--system", "employment-ma", "--version", "1")
    result = run("reference", "build", *of, rows, env=env)

    assert result.exit_code == 0, result.output
    assert "warning: features.AGEP is 40 in every row: any other value is drift" in result.output
    assert "warning: groups.SEX holds no value: its groups cannot be compared" in result.output


def test_a_reference_of_a_system_that_nobody_applied_is_refused(
    service: RunningService, tmp_path: Path
) -> None:
    rows = tmp_path / "approved.csv"
    rows.write_text("id,prediction\n1,1\n")

    result = run(
        "reference", "build", "--system", "x", "--version", "1", rows, env=as_admin(service)
    )

    assert result.exit_code == 1
    assert "apply its file first" in result.output


def test_a_key_made_on_the_database_opens_what_its_role_opens(
    tmp_path: Path, database: Database
) -> None:
    env = {"WATCHKEEPER_DATABASE_URL": f"sqlite:///{tmp_path / 'state.db'}"}

    result = run("key", "create", "--role", "publisher", "--name", "ml", "--system", "a", env=env)

    token = result.output.split()[-1]
    caller = Keys(database, SystemClock(), timedelta(0)).authenticate(token)
    assert caller is not None
    assert (caller.role, caller.name) == (Role.PUBLISHER, "ml")
    assert caller.may_publish("a")
    assert not caller.may_publish("b")


def test_a_key_is_listed_without_its_secret_and_taken_back_for_good(
    database: Database, tmp_path: Path
) -> None:
    made = run("key", "create", "--data", tmp_path, "--role", "oncall", "--name", "kim")
    token = made.output.split()[-1]
    key_id = token.split("_")[1]
    assert Keys(database, SystemClock()).authenticate(token) is not None

    revoked = run("key", "revoke", "--data", tmp_path, key_id, "--reason", "kim left")
    listed = run("key", "list", "--data", tmp_path)

    assert revoked.exit_code == listed.exit_code == 0, revoked.output + listed.output
    assert Keys(database, SystemClock()).authenticate(token) is None
    assert re.fullmatch(rf"{key_id} oncall 'kim' revoked \S+ \S+Z\n", listed.output)
    with database.read() as c:
        acts = [(one.act, one.subject, one.reason) for one in audit.entries(c)]
    assert acts[-1] == ("key.revoke", f"ApiKey/{key_id}", "kim left")
    again = run("key", "revoke", "--data", tmp_path, key_id, "--reason", "kim left")
    assert again.exit_code == 1
    assert "was revoked at" in again.output


@pytest.mark.parametrize("role", [one for one in Role if one is not Role.PUBLISHER])
def test_a_key_that_would_work_on_all_systems_is_not_made_for_one(
    database: Database, tmp_path: Path, role: Role
) -> None:
    words = ("--role", role, "--name", "kim", "--system", "loans")

    result = run("key", "create", "--data", tmp_path, *words)

    assert result.exit_code == 1
    assert f"one of role {role} works on all of them" in result.output
    with database.read() as c:
        assert audit.count(c) == 0


@pytest.mark.parametrize("name", ["watchkeeper-alerting", " Watchkeeper up", "command line"])
def test_no_key_has_the_name_of_the_machine(database: Database, tmp_path: Path, name: str) -> None:
    result = run("key", "create", "--data", tmp_path, "--role", "oncall", "--name", name)

    assert result.exit_code == 1
    assert "an act of the machine" in result.output
    with database.read() as c:
        assert audit.count(c) == 0


def test_the_schema_is_made_once_and_a_second_upgrade_finds_nothing(tmp_path: Path) -> None:
    env = {"WATCHKEEPER_DATABASE_URL": f"sqlite:///{tmp_path / 'new.db'}"}

    first, second = run("db", "upgrade", env=env), run("db", "upgrade", env=env)

    assert (first.exit_code, second.exit_code) == (0, 0)
    engine = open_engine(env["WATCHKEEPER_DATABASE_URL"])
    migrations.check(engine)
    engine.dispose()


def test_settings_that_are_missing_are_named_without_a_traceback() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "watchkeeper", "db", "upgrade"],
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin:/bin"},
        check=False,
    )

    assert done.returncode == 1
    assert done.stderr == "Error: WATCHKEEPER_DATABASE_URL is not set\n"


def test_usage_mistakes_end_with_two() -> None:
    assert run("key", "create", "--role", "king", "--name", "x").exit_code == 2
    assert run("fly").exit_code == 2


def test_help_names_every_command_without_loading_them() -> None:
    code = "import sys, watchkeeper.main as m; m.group(['--help'], standalone_mode=False)"
    check = "; print(sorted({'numpy', 'pyarrow', 'sqlalchemy', 'fastapi'} & set(sys.modules)))"

    done = subprocess.run(
        [sys.executable, "-c", code + check], capture_output=True, text=True, check=True
    )

    assert "reference" in done.stdout
    assert done.stdout.splitlines()[-1] == "[]"
