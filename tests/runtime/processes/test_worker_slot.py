"""One slot of a gateway's workers: its process, the channel, replacement."""

import asyncio
import signal

import pytest

from relay.policy.settings.worker_shares import WorkerShare
from relay.runtime.processes import supervisor as module
from relay.runtime.processes import worker_slot
from relay.runtime.processes.sockets import bind_socket
from relay.runtime.processes.supervisor import ChildNotReady
from relay.runtime.processes.worker_messages import WorkerStart
from relay.runtime.processes.worker_slot import WorkerSlot


@pytest.fixture
async def slot(scripted):
    """A slot with a running scripted worker; `ended` are the last metrics of ended ones."""
    with bind_socket("127.0.0.1", 0, "admin.port") as listening:
        ended = []
        start = WorkerStart(WorkerShare(1, 1), (("127.0.0.1", 0),))
        slot = WorkerSlot(start, [listening], scripted.command, 5.0, ended.append)
        slot.ended, slot.listening = ended, listening
        await slot.supervisor.start()
        await slot.supervisor.wait_until_ready()
        slot.supervisor.keep_running()
        yield slot
        await slot.stop()


async def test_a_started_worker_listens_and_answers(slot):
    assert slot.is_listening
    assert (slot.status.plan, len(slot.links)) == ("0123", 1)
    _, writer = await asyncio.open_connection(*slot.listening.getsockname())
    writer.close()
    assert "relay_calls_total 1" in await slot.link.fetch_metrics()


async def test_last_metrics_count_when_a_worker_does_not_answer(slot, monkeypatch):
    text = await slot.link.fetch_metrics()
    monkeypatch.setattr(worker_slot, "METRICS_S", 0.05)
    slot.link.process.send_signal(signal.SIGSTOP)
    assert await slot.link.fetch_metrics() == text
    slot.link.process.send_signal(signal.SIGCONT)


async def test_a_replaced_worker_retires_and_stops(slot, scripted):
    former = slot.link.process.pid
    pid = await slot.replace()
    assert slot.link.process.pid == pid != former
    await scripted.until(lambda: len(slot.links) == 1)
    assert [note.split()[1] for note in scripted.notes] in (
        ["started", "started", "retire", "SIGTERM"],
        ["started", "started", "SIGTERM"],  # a signal overtakes a message
    )


async def test_a_worker_stays_when_its_successor_ends(slot, scripted):
    former = slot.link
    scripted.set_state(status=3)
    with pytest.raises(ChildNotReady, match="the worker-1 process ended with status 3"):
        await slot.replace()
    scripted.set_state()
    assert slot.link is former
    assert slot.is_listening


async def test_a_killed_worker_is_started_again_and_its_metrics_are_kept(slot, scripted, monkeypatch):
    monkeypatch.setattr(module, "RESTART_WAITS_S", (0.0,))
    text = await slot.link.fetch_metrics()
    slot.link.process.kill()
    await scripted.until(lambda: slot.ended == [text] and not slot.is_listening)
    await scripted.until(lambda: slot.link is not None)
    while not slot.is_listening:
        slot.request_status()
        await asyncio.sleep(0.01)
    assert slot.supervisor.restarts == 1


async def test_messages_reach_the_current_worker(slot, scripted):
    slot.reduce(7)
    await scripted.until(lambda: scripted.notes[-1] == "1 reduce 7")
    slot.supervisor.send_sighup()
    await scripted.until(lambda: scripted.notes[-1] == "1 SIGHUP")
    await slot.stop()
    assert (slot.links, slot.link, slot.status, slot.is_listening) == ([], None, None, False)
    slot.reduce(7)
    slot.request_status()


async def test_a_worker_that_sends_no_message_is_logged(slot, scripted, monkeypatch, caplog):
    scripted.set_state(more={"missing": None})
    slot.request_status()
    await scripted.until(lambda: "worker sent an unknown message" in caplog.text)
    assert slot.links == []


async def test_an_aborted_worker_that_hangs_is_killed(slot, monkeypatch):
    monkeypatch.setattr(worker_slot, "ABORTED_S", 0.05)
    process = slot.link.process
    process.send_signal(signal.SIGSTOP)
    slot.abort()
    stopping = asyncio.create_task(slot.stop())
    assert await asyncio.wait_for(process.wait(), 3) == -signal.SIGKILL
    await stopping
