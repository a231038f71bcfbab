"""What connections leave behind when they have ended: nothing, however they ended."""

import asyncio
import gc
import sys
from collections import Counter
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from stage.institution import Institution
from stage.town import BANK, CARD
from stage.waiting import until

sys.path.insert(0, str(Path(__file__).parents[2] / "bench"))  # scripts, no package

from harness.hanging_up import KINDS, Plan

pytestmark = pytest.mark.asyncio(loop_scope="module")

FULL_CONNECTIONS, CONNECTIONS, CALLERS = 1000, 200, 20
HERE = Path(__file__).parent
SCRIPT = HERE.parents[1] / "bench" / "harness" / "hanging_up.py"


class HangingUp(Institution):
    """An institution in a process of its own that ends each connection after one answer."""

    async def open(self):
        script = str(HERE / "hanging_up_institution.py")
        pipe = asyncio.subprocess.PIPE
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, script, *self.pair, stdin=pipe, stdout=pipe
        )
        self.port = int(await self._process.stdout.readline())

    async def shut(self):
        self._process.stdin.close()
        await self._process.wait()


def TOWN(certificates):  # noqa: N802 - a constant of the module, made late
    leased_line = {"address": "127.0.0.1", "port": 0, "tls": False, "client_certificate": False}
    gateway = {"listeners": [{"address": "127.0.0.1", "port": 0}, leased_line]}
    plain, tls = HangingUp(BANK, "bank"), HangingUp(CARD, "card", link="tls", ca=str(certificates.ca))
    plain.pair, pair = (), certificates.providers["card"]
    tls.pair = (str(pair.certificate), str(pair.private_key))
    return [plain, tls], {"gateway": gateway, "operators": 1}


WIRE = {"relay", "uvloop", "httptools", "_ssl", "ssl", "asyncio", "_contextvars"}
"""Modules whose objects belong to connections; SQLAlchemy's statements that poll the ledger are cycles of their own."""


@contextmanager
def uncollected():
    """Garbage that the block makes, as a counter of types: what only a collection can free."""
    garbage = Counter()
    gc.collect()
    gc.set_debug(gc.DEBUG_SAVEALL)
    gc.disable()
    try:
        yield garbage
        gc.collect()
        types = [type(one) for one in gc.garbage]
        garbage.update(one.__qualname__ for one in types if one.__module__.split(".")[0] in WIRE)
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


@pytest.fixture(scope="session")
def connections(full_size):
    return FULL_CONNECTIONS if full_size else CONNECTIONS


async def come_and_go(town, plan):
    """Let callers come, in a process of their own; wait until every connection is gone."""
    script = plan.write(town.folder / "callers.json")
    process = await asyncio.create_subprocess_exec(sys.executable, str(SCRIPT), str(script))
    assert await process.wait() == 0
    await until(lambda: not town.relay.connection_registry.connections, "the end of every connection")
    await town.quiet()
    for _, pool in town.relay.pools.values():
        await until(lambda pool=pool: not pool._connections, "the end of every connection to institutions")
    calls = [kind for kind in plan.kinds if kind in {"call", "closing"}]
    assert len(town.exchanges) >= len(calls) * (plan.count // len(plan.kinds))
    town.exchanges.clear()


async def garbage_after(town, plan):
    """Objects that only a collection can free, after all these callers."""
    await come_and_go(town, replace(plan, count=CALLERS))
    with uncollected() as garbage:
        await come_and_go(town, plan)
    return garbage


async def test_ended_tls_connections_leave_no_garbage(town, connections):
    pair, ca = town.pair_of("ZOPA000001"), str(town.certificates.ca)
    request = town.get("/nowhere").decode()
    plan = Plan(
        town.process.ports[0], connections, CALLERS, KINDS, request, ca, str(pair.certificate), str(pair.private_key)
    )
    assert await garbage_after(town, plan) == {}


async def test_rejected_handshakes_leave_no_garbage(town, connections):
    plan = Plan(town.process.ports[0], connections, CALLERS, ("silent",), "", str(town.certificates.ca))
    assert await garbage_after(town, plan) == {}
    assert town.relay.connection_registry.rejected["certificate_missing"] >= connections


async def test_ended_plain_connections_leave_no_garbage(town, connections):
    plan = Plan(town.process.ports[1], connections, CALLERS, KINDS, town.get("/nowhere").decode())
    assert await garbage_after(town, plan) == {}


@pytest.mark.parametrize(("provider", "path"), [(BANK, "/v1/bank/accounts"), (CARD, "/v1/card/cards")])
async def test_ended_connections_to_institutions_leave_no_garbage(town, connections, provider, path):
    request = town.get(path, provider=provider).decode()
    plan = Plan(town.process.ports[1], connections, CALLERS, ("call", "call", "call", "gone"), request)
    assert await garbage_after(town, plan) == {}
