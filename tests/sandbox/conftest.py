"""One street for all tests that only read what was written."""

from datetime import UTC, datetime

import pytest

from relay.sandbox.street import build


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    """A street that was built; its doors are bound and nobody answers."""
    street = build(tmp_path_factory.mktemp("built") / "street", datetime.now(UTC))
    yield street
    street.close()


@pytest.fixture(scope="session")
def with_portal(tmp_path_factory):
    """A street whose relay lives from a portal's registry; nobody answers there either."""
    street = build(tmp_path_factory.mktemp("built") / "portal", datetime.now(UTC), portal=True)
    yield street
    street.close()
