"""Institutions by name, of whose names some hang."""

import asyncio

import pytest
import pytest_asyncio
from harness.name_server import NameServer
from stage.institution import Institution
from stage.town import BANK, CARD, QUICK, Town
from stage.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="module")

LONGER = QUICK | {"connect_s": 2.0, "total_s": 2.4}
HANGING = [f"ZHGA0000{number:02}" for number in range(10, 30)]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def names():
    server = NameServer()
    await server.start()
    asyncio.get_running_loop().name_servers = (server.place,)
    server.addresses = {"bank.test": ["127.0.0.1"], "card.test": ["127.0.0.1"]}
    server.silent = {f"{code}.test".lower() for code in HANGING}
    yield server
    server.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def standing(names, tmp_path_factory, certificates):
    named = [Institution(BANK, "bank", host="bank.test"), Institution(CARD, "card", host="card.test")]
    hanging = [Institution(code, "bank", host=f"{code}.test", timeouts=LONGER) for code in HANGING]
    town = Town(tmp_path_factory.mktemp("town"), certificates, [*named, *hanging])
    await town.open()
    yield town
    await town.close()


async def test_institutions_whose_names_hang_hurt_no_other(town, names):
    calls = [asyncio.create_task(town.ask(town.get(provider=code))) for code in HANGING]
    await until(lambda: set(names.asked) >= names.silent, "every hanging name asked for")
    assert (await town.ask(town.get())).status == 200
    assert not any(call.done() for call in calls)
    assert {(await call).rsp_code for call in calls} == {"50003"}


async def test_a_name_that_fails_later_keeps_its_addresses(town, names):
    assert (await town.ask(town.get())).status == 200
    names.silent = {*names.silent, "bank.test"}
    asked = names.asked["bank.test"]
    for _ in range(3):
        town.bank.forget()
        assert (await town.ask(town.get())).status == 200
    assert names.asked["bank.test"] == asked
