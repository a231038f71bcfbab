"""One sandbox for all tests that only read its files."""

from datetime import UTC, datetime

import pytest
from mydata_sandbox.environment.build import build


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    """A sandbox with bound sockets that are not served."""
    environment = build(tmp_path_factory.mktemp("built") / "sandbox", datetime.now(UTC))
    yield environment
    environment.close()


@pytest.fixture(scope="session")
def with_portal(tmp_path_factory):
    """A sandbox with a portal; its sockets are not served."""
    environment = build(tmp_path_factory.mktemp("built") / "portal", datetime.now(UTC), portal=True)
    yield environment
    environment.close()
