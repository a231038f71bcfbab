"""A relay with portal and certifiers: the sandbox in this process, all roles of the relay as processes."""

import asyncio
import base64
import itertools
import time
from contextlib import asynccontextmanager
from pathlib import Path

from fixtures.gateway_environment import ONE, request
from fixtures.ledger_writer import LedgerWriter
from fixtures.portal_environment import PortalEnvironment, open_portal_environment
from mydata_sandbox.checks.conformance import find_strict_violations
from mydata_sandbox.operator.authority_client import AuthorityClient
from mydata_sandbox.operator.client import open_session

from chaos.environment import Environment
from chaos.relay_process import RelayProcess


class SandboxEnvironment(Environment):
    """Calls of operator one at the bank of the sandbox. `portal` is the environment of the portal's tests."""

    def __init__(self, folder: Path, portal: PortalEnvironment, token: str) -> None:
        self.folder = folder
        self.portal = portal
        self.relays = self.gateways = [RelayProcess(portal.settings, "all")]
        self.calls, self.phase = [], "calm"
        self.left_at = self.back_at = float("inf")
        self.token = token
        self._count = itertools.count(1)

    def open_writer(self) -> LedgerWriter:
        """Opens the ledger of the sandbox."""
        key = base64.b64decode((self.portal.settings.parent / "certs" / "customers.key").read_text())
        return LedgerWriter(f"sqlite:{self.portal.settings.parent / 'ledger.db'}", key, kid="dev-1")

    async def connect(self, operator: str = ONE, gateway=None, address=None):
        """Opens a connection to the gateway."""
        return await self.portal.connect(self.portal.get_pair(operator), address)

    def build_request(self, call, token: str = "", limit: int = 10) -> bytes:
        """Returns the request of a call: 은행-001."""
        fields = {"Host": "relay.test", "x-api-tran-id": call.tran_id, "x-api-type": call.api_type}
        target = f"/v1/bank/accounts?org_code={self.portal.bank.org_code}&search_timestamp=0&limit={limit}"
        return request("GET", target, fields | {"Authorization": f"Bearer {token or self.token}"})

    @asynccontextmanager
    async def open_authority_client(self):
        """Opens a client of the authority, for operator one."""
        sandbox = self.portal.sandbox
        operator = sandbox.operators[0]
        async with open_session(operator.identity, sandbox.certificates.ca) as session:
            yield AuthorityClient(session, sandbox.gateway, operator, self.portal.catalogue, find_strict_violations)

    async def wait_for_job(self, check, timeout_s: float = 20.0) -> float:
        """Returns the failures of the job `directory` once `check(failures)` is true."""
        return await self.gateway.wait_for_metric('relay_job_failures{job="directory"}', check, timeout_s)


@asynccontextmanager
async def open_sandbox(folder: Path):
    """Opens sandbox, portal and a relay that has synchronized with it."""
    async with open_portal_environment(folder / "env") as portal, portal.run_portal():
        token = await portal.get_token()
        env = SandboxEnvironment(folder, portal, token)
        try:
            await env.gateway.start()
            started = time.monotonic()
            while (await env.gateway.admin("/readyz"))[0] != 200:
                assert time.monotonic() - started < 30, env.gateway.output[-2000:]
                await asyncio.sleep(0.2)
            yield env
        finally:
            await env.gateway.stop()
