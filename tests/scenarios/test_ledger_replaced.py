"""The ledger's file is replaced while a relay serves."""

import shutil

import pytest
from fixtures.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_relay_is_not_ready_while_its_ledger_file_is_replaced(env):
    file = env.folder / "ledger.db"
    assert (await env.admin("/readyz")).status == 200
    kept = file.rename(file.with_name("kept.db"))
    shutil.copy(kept, file)
    await until(lambda: env.relay.grants.is_wrong, "the replacement being noticed")
    answer = await env.admin("/readyz")
    assert (answer.status, answer.json()["missing"]) == (503, ["ledger"])
    kept.replace(file)
    await until(lambda: not env.relay.grants.is_wrong, "the former ledger being accepted")
    assert (await env.admin("/readyz")).status == 200
