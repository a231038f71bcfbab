"""Exchanges and lines that are no sockets."""

import pytest

from relay.domain.exchange import Exchange


@pytest.fixture
def exchange():
    """Makes closed exchanges; keywords are their fields."""

    def make(*, ended=0.0, **fields):
        made = Exchange(fields.pop("started", 0.0), 1_700_000_000.0)
        for name, value in fields.items():
            setattr(made, name, value)
        made.close(ended)
        return made

    return make
