"""Tests of the adapter process: socket, readiness, reloads, stop."""

import asyncio
import base64
import shutil
import signal
import tempfile
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
import yaml
from fixtures.telegram_core import TELEGRAMS, TelegramCore
from fixtures.waiting import START_S, until

from relay.runtime.processes.adapter import AdapterProcess
from relay.runtime.settings.loading import SettingsError

SAVINGS = "ZBAC000001"
HEADERS = {"x-api-tran-id": "ZOPA000001M00000000000001", "x-relay-consent": "c1"}
BODY = {"org_code": SAVINGS, "account_num": "110200300400", "seqno": "001"}
FUND = {"currency_code": "KRW", "balance_amt": "4711", "eval_amt": "1", "inv_principal": "1", "fund_num": "1"}


@pytest.fixture
async def core():
    """A running core of the example bank."""
    core = TelegramCore(SAVINGS)
    core.values["A012"] = FUND
    await core.open()
    yield core
    await core.stop()


class AdapterFolder:
    """Settings of an adapter for a test to change."""

    def __init__(self, folder, core, log):
        self.folder, self.core, self.log = folder, core, log
        self.socket = Path(tempfile.mkdtemp(prefix="relay-"), "b.sock")
        folder.put("relay.yaml", "adapter", {"socket": str(self.socket)})
        folder.write("certs/customers.key", base64.b64encode(bytes(32)))
        shutil.copytree(TELEGRAMS, folder.root / "providers/savings/telegrams")
        self.put()

    def put(self, **values):
        content = self.core.build_file() | {"telegrams": "savings/telegrams"} | values
        self.folder.write("providers/savings.yaml", yaml.safe_dump(content))

    @asynccontextmanager
    async def serving(self):
        """Runs the process while it serves."""
        process = AdapterProcess(self.folder.path)
        running = asyncio.ensure_future(process.run())
        try:
            await until(lambda: "adapter ready" in self.log.text or running.done(), "readiness", START_S)
            yield process
        finally:
            process.stop()
            await running

    async def ask(self):
        """Makes one call; returns status and JSON."""
        async with aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(self.socket))) as session:
            url = f"http://adapter/{SAVINGS}/v1/bank/accounts/invest/detail"
            async with session.post(url, json=BODY, headers=HEADERS) as answer:
                return answer.status, await answer.json()


@pytest.fixture
def adapter(folder, core, caplog):
    caplog.set_level("INFO")
    return AdapterFolder(folder, core, caplog)


async def test_it_serves_on_its_socket_and_ends_its_lines(adapter, core):
    async with adapter.serving():
        assert adapter.socket.stat().st_mode & 0o777 == 0o600
        status, body = await adapter.ask()
        assert (status, body["balance_amt"]) == (200, "4711")
    assert not adapter.socket.exists()
    await until(lambda: ("0800", "002") in core.management, "the end of the line")
    assert "adapter stopped" in adapter.log.text


async def test_a_reload_replaces_lines_without_a_failed_call(adapter, core):
    async with adapter.serving() as process:
        assert (await adapter.ask())[0] == 200
        adapter.put(core={"addresses": [f"127.0.0.1:{core.port}"], "lines": 2})
        await process.reloader.reload()
        assert (await adapter.ask())[0] == 200
        await until(lambda: len(core.wires) == 2, "the new lines alone")
    assert "settings applied: role=adapter" in adapter.log.text


async def test_layouts_that_cannot_be_used_leave_the_former_in_force(adapter):
    async with adapter.serving() as process:
        layout = adapter.folder.root / "providers/savings/telegrams/BA12.yaml"
        layout.write_text("api: BA12\n")
        await process.reloader.reload()
        assert (await adapter.ask())[0] == 200
        assert process.reloader.rejected == 1
    assert "settings rejected, plan stays: role=adapter" in adapter.log.text


async def test_a_new_layout_file_is_seen(adapter):
    async with adapter.serving() as process:
        folder = adapter.folder.root / "providers/savings/telegrams"
        (folder / "BA12.yaml").rename(folder / "balance.yaml")
        assert process.reloader.has_changed_files()


async def test_an_institution_that_is_removed_loses_its_lines(adapter, core):
    async with adapter.serving() as process:
        await until(lambda: core.wires, "a line")
        (adapter.folder.root / "providers/savings.yaml").unlink()
        await process.reloader.reload()
        await until(lambda: not core.wires, "no line")
        assert (await adapter.ask())[1]["rsp_code"] == "40303"


async def test_sighup_reloads(adapter):
    async with adapter.serving() as process:
        signal.raise_signal(signal.SIGHUP)
        await until(lambda: process.reloader.applied == 1, "a reload")


async def test_unusable_settings_are_an_error(adapter):
    adapter.put(core={"addresses": ["nowhere"]})
    with pytest.raises(SettingsError, match=r"core\.addresses\[0\]"):
        AdapterProcess(adapter.folder.path)
