"""What the tests of the tree share."""

from pathlib import Path

import pytest

from watchkeeper_shared.testing.charts import HelmEnvironment
from watchkeeper_shared.testing.servers.unavailable import ServerUnavailable, skip

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def helm() -> HelmEnvironment:
    """Helm, the Kubernetes schemas and hadolint, in an environment of their own."""
    try:
        return HelmEnvironment(ROOT)
    except ServerUnavailable as reason:
        skip(reason)
