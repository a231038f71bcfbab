"""Fixtures of the upstream tests."""

import pytest
from pool_stand import Stand


@pytest.fixture
def stand():
    """A pool of two permits and a queue of two, between fakes."""
    stand = Stand()
    yield stand
    stand.close()
