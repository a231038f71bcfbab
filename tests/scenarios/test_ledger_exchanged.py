"""The ledger's file exchanged while a relay serves."""

import shutil

import pytest
from stage.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_relay_is_not_ready_while_another_file_stands_there(town):
    file = town.folder / "ledger.db"
    assert (await town.admin("/readyz")).status == 200
    kept = file.rename(file.with_name("kept.db"))
    shutil.copy(kept, file)
    await until(lambda: town.relay.grants.is_wrong, "the exchange being noticed")
    answer = await town.admin("/readyz")
    assert (answer.status, answer.json()["missing"]) == (503, ["ledger"])
    kept.replace(file)
    await until(lambda: not town.relay.grants.is_wrong, "the former ledger being believed")
    assert (await town.admin("/readyz")).status == 200
