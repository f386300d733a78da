"""What happens where the real thing cannot be had: said by name, and red where it is required."""

from pathlib import Path

import pytest

from watchkeeper_shared.testing.charts import HelmEnvironment
from watchkeeper_shared.testing.servers.programs import find_program
from watchkeeper_shared.testing.servers.unavailable import ServerUnavailable, skip


def test_an_installation_that_fails_says_why(tmp_path: Path) -> None:
    (tmp_path / "helm").mkdir()
    (tmp_path / "helm" / "requirements.txt").write_text(
        f"--no-index\nhelm-python-sdk==0.2.2 --hash=sha256:{'0' * 64}\n", encoding="utf-8"
    )

    with pytest.raises(ServerUnavailable, match=r"Helm cannot be installed: .*index"):
        HelmEnvironment(tmp_path)


def test_a_missing_program_is_named_with_its_package() -> None:
    with pytest.raises(ServerUnavailable, match=r"no-such-program.*package some-package"):
        find_program("no-such-program", "some-package")


def test_what_cannot_be_had_is_skipped_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WATCHKEEPER_REQUIRE_REAL", raising=False)

    with pytest.raises(pytest.skip.Exception, match="promtool is away"):
        skip(ServerUnavailable("promtool is away"))


def test_where_it_is_required_a_skip_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHKEEPER_REQUIRE_REAL", "1")

    with pytest.raises(pytest.fail.Exception, match="promtool is away"):
        skip(ServerUnavailable("promtool is away"))
