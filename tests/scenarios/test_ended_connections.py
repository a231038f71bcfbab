"""Ended connections leave no garbage, however they ended."""

import asyncio
import gc
import sys
from collections import Counter
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from fixtures.gateway_environment import BANK, CARD
from fixtures.institution import Institution
from fixtures.waiting import until
from harness.hanging_up import KINDS, Plan

pytestmark = pytest.mark.asyncio(loop_scope="module")

FULL_CONNECTIONS, CONNECTIONS, CALLERS = 1000, 200, 20
HERE = Path(__file__).parent
SCRIPT = HERE.parents[1] / "bench" / "harness" / "hanging_up.py"


class HangingUp(Institution):
    """An institution in its own process that ends each connection after one answer."""

    async def open(self):
        script = str(HERE / "hanging_up_institution.py")
        pipe = asyncio.subprocess.PIPE
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, script, *self.pair, stdin=pipe, stdout=pipe
        )
        self.port = int(await self._process.stdout.readline())

    async def stop(self):
        self._process.stdin.close()
        await self._process.wait()


def ENVIRONMENT(certificates):  # noqa: N802 - a constant that needs a fixture
    leased_line = {"address": "127.0.0.1", "port": 0, "tls": False, "client_certificate": False}
    gateway = {"listeners": [{"address": "127.0.0.1", "port": 0}, leased_line]}
    plain, tls = HangingUp(BANK, "bank"), HangingUp(CARD, "card", link="tls", ca=str(certificates.ca))
    plain.pair, pair = (), certificates.providers["card"]
    tls.pair = (str(pair.certificate), str(pair.private_key))
    return [plain, tls], {"gateway": gateway, "operators": 1}


MODULES = {"relay", "uvloop", "_ssl", "ssl", "asyncio", "_contextvars"}
"""Modules whose objects belong to connections; SQLAlchemy's statements that poll the ledger are cycles of their own."""


@contextmanager
def collect_garbage():
    """Counts, by type, the objects of the block that only the garbage collector can free."""
    garbage = Counter()
    gc.collect()
    gc.set_debug(gc.DEBUG_SAVEALL)
    gc.disable()
    try:
        yield garbage
        gc.collect()
        types = [type(item) for item in gc.garbage]
        garbage.update(cls.__qualname__ for cls in types if cls.__module__.split(".")[0] in MODULES)
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


@pytest.fixture(scope="session")
def connections(full_size):
    return FULL_CONNECTIONS if full_size else CONNECTIONS


async def run_callers(env, plan):
    """Runs callers in their own process. Waits until every connection has ended."""
    script = plan.write(env.folder / "callers.json")
    process = await asyncio.create_subprocess_exec(sys.executable, str(SCRIPT), str(script))
    assert await process.wait() == 0
    await until(lambda: not env.relay.connection_registry.connections, "the end of every connection")
    await env.wait_idle()
    for _, pool in env.relay.pools.values():
        await until(lambda pool=pool: not pool.connections, "the end of every connection to institutions")
    calls = [kind for kind in plan.kinds if kind in {"call", "closing"}]
    assert len(env.exchanges) >= len(calls) * (plan.count // len(plan.kinds))
    env.exchanges.clear()


async def count_garbage(env, plan):
    """Counts objects that only the garbage collector can free after these callers."""
    await run_callers(env, replace(plan, count=CALLERS))
    with collect_garbage() as garbage:
        await run_callers(env, plan)
    return garbage


async def test_ended_tls_connections_leave_no_garbage(env, connections):
    pair, ca = env.get_pair("ZOPA000001"), str(env.certificates.ca)
    request = env.build_get("/nowhere").decode()
    plan = Plan(
        env.process.ports[0], connections, CALLERS, KINDS, request, ca, str(pair.certificate), str(pair.private_key)
    )
    assert await count_garbage(env, plan) == {}


async def test_rejected_handshakes_leave_no_garbage(env, connections):
    plan = Plan(env.process.ports[0], connections, CALLERS, ("silent",), "", str(env.certificates.ca))
    assert await count_garbage(env, plan) == {}
    assert env.relay.connection_registry.rejected["certificate_missing"] >= connections


async def test_ended_plain_connections_leave_no_garbage(env, connections):
    plan = Plan(env.process.ports[1], connections, CALLERS, KINDS, env.build_get("/nowhere").decode())
    assert await count_garbage(env, plan) == {}


@pytest.mark.parametrize(("provider", "path"), [(BANK, "/v1/bank/accounts"), (CARD, "/v1/card/cards")])
async def test_ended_connections_to_institutions_leave_no_garbage(env, connections, provider, path):
    request = env.build_get(path, provider=provider).decode()
    plan = Plan(env.process.ports[1], connections, CALLERS, ("call", "call", "call", "gone"), request)
    assert await count_garbage(env, plan) == {}
