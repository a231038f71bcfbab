"""Real sockets, real mutual TLS, one relay for each module, on the event loop of production."""

from datetime import UTC, datetime

import pytest
import pytest_asyncio
from fixtures.gateway_environment import BANK, CARD, SHORT_TIMEOUTS, GatewayEnvironment
from fixtures.institution import Institution
from fixtures.operator_servers import OperatorServers
from mydata_sandbox.credentials.certificates import make_dev_certificates
from mydata_sandbox.environment.running import running_environment

from relay.infra.dns.event_loop import new_event_loop


def pytest_asyncio_loop_factories(config, item):
    return {"relay": new_event_loop}


@pytest.fixture(scope="session")
def certificates(tmp_path_factory):
    return make_dev_certificates(tmp_path_factory.mktemp("certs"), datetime.now(UTC))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def module_env(request, tmp_path_factory, certificates):
    """A module's environment: what its `ENVIRONMENT(certificates)` returns, else a bank and a card."""
    make = getattr(
        request.module,
        "ENVIRONMENT",
        lambda _: ([Institution(BANK, "bank", timeouts=SHORT_TIMEOUTS), Institution(CARD, "card")], {}),
    )
    institutions, sections = make(certificates)
    build = getattr(request.module, "ENVIRONMENT_CLASS", GatewayEnvironment)
    env = build(tmp_path_factory.mktemp("env"), certificates, institutions, **sections)
    try:
        await env.open()
        yield env
    finally:
        await env.close()


@pytest_asyncio.fixture(loop_scope="module")
async def env(module_env):
    """The module's environment with reset institutions and exchanges."""
    module_env.reset()
    yield module_env
    await module_env.wait_idle()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def servers(tmp_path_factory):
    """Gateway and authority as processes, for a module. Searches their logs for secrets at the end."""
    async with running_environment(tmp_path_factory.mktemp("servers") / "env") as running:
        servers = OperatorServers(running)
        yield servers
        await servers.close()
    assert servers.secret_values
    assert servers.find_leaks() == set()
