"""`relay serve` as a process of its own: signals, draining, what it says and does not say."""

import asyncio
import contextlib
import re
import signal
import sys

import pytest_asyncio
from stage.caller import Line
from stage.institution import Institution, answers_well
from stage.town import BANK, PATIENT, Town, request
from stage.waiting import PATIENCE_S, until

START_S = 30.0
"""A process that starts on a busy machine takes longer than anything else here."""

READY = re.compile(r"gateway ready: ports=\[(\d+)\] admin_port=(\d+)")


class Served(Town):
    """A town whose relay is a process of its own, started in `root`."""

    root = None
    child = None

    async def open(self):
        for one in self.institutions.values():
            await one.open()
        self.write()
        self.said = ""
        command = [sys.executable, "-m", "relay", "serve", "--role", "gateway", "-c", str(self.folder / "relay.yaml")]
        self.child = await asyncio.create_subprocess_exec(*command, cwd=self.root, stderr=asyncio.subprocess.PIPE)
        self._listening = asyncio.create_task(self._listen())
        found = await until(lambda: READY.search(self.said) or self.child.returncode, "the relay being ready", START_S)
        self.port, self.admin_port = map(int, found.groups())

    async def _listen(self):
        while line := await self.child.stderr.readline():
            self.said += line.decode()

    async def ended(self):
        async with asyncio.timeout(PATIENCE_S):
            await self._listening
            return await self.child.wait()

    async def close(self):
        if self.child is not None:
            with contextlib.suppress(ProcessLookupError):
                self.child.kill()
            await self.ended()
        self.books.close()
        for one in self.institutions.values():
            await one.shut()

    def line(self, pair=None):
        pair = pair or self.certificates.operators[0]
        return Line.open(self.port, self.context(pair))

    async def admin(self, path):
        async with await Line.open(self.admin_port, None) as line:
            return await line.ask(request("GET", path, {"Host": "admin.test"}))


@pytest_asyncio.fixture
async def served(tmp_path, certificates, pytestconfig):
    drain = {"listeners": [{"address": "127.0.0.1", "port": 0}], "drain": {"delay_s": 0.5, "finish_s": 5}}
    town = Served(tmp_path, certificates, [Institution(BANK, "bank", timeouts=PATIENT)], gateway=drain)
    town.root = pytestconfig.rootpath
    try:
        await town.open()
        yield town
    finally:
        await town.close()


async def test_told_to_stop_it_is_unready_serves_on_and_finishes_what_is_in_flight(served):
    release = asyncio.Event()

    async def waits(asked, wire):
        await release.wait()
        await answers_well(asked, wire)

    async with await served.line() as old, await served.line() as idle, await served.line() as late:
        assert "connection" not in (await idle.ask(served.get())).headers
        served.bank.script = waits
        old.send(served.get())
        await until(lambda: len(served.bank.seen) == 2, "the call")
        served.child.send_signal(signal.SIGTERM)
        while (ready := await served.admin("/readyz")).status == 200:
            pass
        assert (ready.status, ready.json()["missing"]) == (503, ["stopping"])
        assert (await served.admin("/healthz")).status == 200
        served.bank.script = answers_well
        async with await served.line() as new:
            answer = await new.ask(served.get())
            assert (answer.status, answer.headers["connection"]) == (200, "close")
            assert await new.hung_up()
        assert await idle.hung_up()
        release.set()
        answer = await old.answer()
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        assert await late.hung_up()
    assert await served.ended() == 0
    assert "gateway stopped: calls_in_flight=0" in served.said


async def test_told_twice_it_stops_at_once(served):
    async def waits(_asked, wire):
        await wire.left()

    served.bank.script = waits
    async with await served.line() as line:
        line.send(served.get())
        await until(lambda: served.bank.seen, "the call")
        served.child.send_signal(signal.SIGTERM)
        while (await served.admin("/readyz")).status == 200:
            pass
        served.child.send_signal(signal.SIGTERM)
        assert await line.hung_up()
    assert await served.ended() == 0


async def test_hangup_takes_the_settings_anew_and_says_so(served):
    async with await served.line() as line:
        assert (await line.ask(served.get())).status == 200
        served.put("directory.yaml", {"operators": []})
        served.child.send_signal(signal.SIGHUP)
        await until(lambda: re.search(r"settings applied: role=gateway plan=[0-9a-f]{12}", served.said), "the new plan")
        assert (await line.ask(served.get())).rsp_code == "40103"
        served.put("directory.yaml", {"operators": 1})
        served.child.send_signal(signal.SIGHUP)
        await until(lambda: "settings rejected" in served.said, "the bad file being named")
        assert (await line.ask(served.get())).rsp_code == "40103"
    assert "directory.yaml" in served.said
    assert "Traceback" not in served.said


async def test_it_does_not_start_with_settings_that_cannot_be_used(served):
    served.put("directory.yaml", {"operators": 1})
    command = [sys.executable, "-m", "relay", "serve", "-c", str(served.folder / "relay.yaml")]
    child = await asyncio.create_subprocess_exec(*command, cwd=served.root, stderr=asyncio.subprocess.PIPE)
    _, said = await child.communicate()
    assert child.returncode == 2
    assert b"directory.yaml" in said
    assert b"Traceback" not in said
