"""Real sockets, real mutual TLS, one relay for each module, on the loop that serves in production."""

import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
import pytest_asyncio

sys.path.insert(0, str(Path(__file__).parent))  # stage/ is no installed package

from stage.institution import Institution
from stage.neighbours import Neighbours
from stage.town import BANK, CARD, Town

from relay.infra.dns.event_loop import new_event_loop
from relay.runtime.processes.sandbox_environment import running_environment
from relay.sandbox.certificates import make_dev_certificates


def pytest_asyncio_loop_factories(config, item):
    return {"relay": new_event_loop}


@pytest.fixture(scope="session")
def certificates(tmp_path_factory):
    return make_dev_certificates(tmp_path_factory.mktemp("certs"), datetime.now(UTC))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def standing(request, tmp_path_factory, certificates):
    """The town of a module: its own `TOWN(certificates)` gives institutions and sections, or a bank and a card."""
    make = getattr(request.module, "TOWN", lambda _: ([Institution(BANK, "bank"), Institution(CARD, "card")], {}))
    institutions, sections = make(certificates)
    town = Town(tmp_path_factory.mktemp("town"), certificates, institutions, **sections)
    try:
        await town.open()
        yield town
    finally:
        await town.close()


@pytest_asyncio.fixture(loop_scope="module")
async def town(standing):
    """The module's town, as new."""
    standing.forget()
    yield standing
    await standing.quiet()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def neighbours(tmp_path_factory):
    """A whole relay of a module, gateway and authority as processes; after all stories its logs are read."""
    async with running_environment(tmp_path_factory.mktemp("neighbours") / "street") as around:
        neighbours = Neighbours(around)
        yield neighbours
        await neighbours.close()
    assert neighbours.said
    assert neighbours.leaks() == set()
