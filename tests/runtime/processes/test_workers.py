"""The parent of a gateway's workers, with scripted workers; tests/scenarios/test_workers.py has real ones."""

import asyncio
import logging
import os
import signal

import pytest
import yaml

from relay.infra.process.control_channel import MAX_SOCKETS
from relay.runtime.processes import supervisor, workers
from relay.runtime.processes.supervisor import ChildNotReady
from relay.runtime.processes.workers import WorkersProcess, build_command


@pytest.fixture
def environment(environment):
    """Settings with two listeners on free ports."""
    values = yaml.safe_load(environment.settings.read_text())
    listeners = [{"address": "127.0.0.1", "port": 0}, {"address": "127.0.0.1", "port": 0}]
    values["gateway"] |= {"listeners": listeners, "socket": "g.sock", "drain": {"delay_s": 0.1}}
    values["admin"] = {"port": 0}
    environment.settings.write_text(yaml.safe_dump(values))
    return environment


class Parent:
    """A running WorkersProcess."""

    def __init__(self, process, task):
        self.process, self.task = process, task

    def get_pids(self):
        return [slot.link.process.pid for slot in self.process.slots]


@pytest.fixture
async def start(environment, scripted, monkeypatch):
    """Starts a parent of scripted workers, and stops it at the end."""
    monkeypatch.setattr(workers, "build_command", lambda *_: scripted.command)
    monkeypatch.setattr(workers, "STATUS_S", 0.02)
    monkeypatch.setattr(workers, "BALANCE_S", 0.0)
    monkeypatch.setattr(supervisor, "RESTART_WAITS_S", (0.1,))
    running = []

    async def run(count=2, **options):
        process = WorkersProcess(environment.settings, count, **options)
        task = asyncio.create_task(process.run())
        running.append(Parent(process, task))
        await scripted.until(lambda: task.done() or (process.ready.is_set() and not process.list_unready_parts()))
        if task.done():
            await task
        return running[-1]

    yield run
    for parent in running:
        parent.process.stop()
        await asyncio.gather(parent.task, return_exceptions=True)


def test_the_command_runs_a_worker(tmp_path):
    assert build_command(tmp_path / "relay.yaml", "debug")[1:4] == ("-m", "relay", "worker")


async def test_all_workers_listen_on_the_same_addresses(start, scripted):
    parent = await start()
    assert len(set(parent.process.ports)) == 2
    for port in parent.process.ports:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.close()
    assert sorted(note.split()[0] for note in scripted.notes) == ["1", "2"]
    await scripted.until(lambda: parent.process.jwks() == {"keys": [1]})


async def test_a_stop_while_workers_start_ends_them(environment, scripted, monkeypatch):
    monkeypatch.setattr(workers, "build_command", lambda *_: scripted.command)
    scripted.set_state(more={"missing": ["listeners"]})
    process = WorkersProcess(environment.settings, 2)
    running = asyncio.create_task(process.run())
    await scripted.until(lambda: scripted.notes)
    assert not process.ready.is_set()
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(running, 20)
    assert [note.split(maxsplit=1)[1] for note in scripted.notes[1:]] == ["SIGTERM"]


async def test_metrics_are_those_of_all_workers(start, scripted):
    parent = await start(lost_log_lines=lambda: 3)
    scripted.set_state(calls=5)
    text = (await parent.process.render_metrics()).decode()
    for line in ("relay_calls_total 10.0", "relay_workers 2.0", "relay_worker_restarts_total 0.0",
                 "relay_log_lines_lost 3.0", "# EOF"):  # fmt: skip
        assert line in text.splitlines()


async def test_missing_parts_of_workers_are_named_once(start, scripted):
    parent = await start()
    scripted.set_state(more={"missing": ["ledger"]})
    await scripted.until(lambda: parent.process.list_unready_parts() == ["ledger"])
    parent.process.stop()
    assert parent.process.list_unready_parts() == ["stopping"]


async def test_another_worker_accepts_for_an_ended_one(start, scripted, monkeypatch):
    monkeypatch.setattr(supervisor, "RESTART_WAITS_S", (1.0,))
    parent = await start()
    os.kill(parent.get_pids()[0], signal.SIGKILL)
    await scripted.until(lambda: "2 adopt 1" in scripted.notes)
    assert parent.process.list_unready_parts() == ["worker 1"]
    await scripted.until(lambda: "2 release 1" in scripted.notes)
    assert scripted.notes.count("2 adopt 1") == 1
    await scripted.until(lambda: not parent.process.list_unready_parts())
    assert "relay_worker_restarts_total 1.0" in (await parent.process.render_metrics()).decode()


async def test_a_silent_worker_is_not_ready_and_stalls(start, scripted, monkeypatch):
    monkeypatch.setattr(workers, "SILENT_S", 0.2)
    parent = await start()
    os.kill(parent.get_pids()[1], signal.SIGSTOP)
    await scripted.until(lambda: parent.process.list_unready_parts() == ["worker 2"])
    assert parent.process.stalled_s() > 0.2
    os.kill(parent.get_pids()[1], signal.SIGCONT)
    await scripted.until(lambda: not parent.process.list_unready_parts())


async def test_a_restart_replaces_each_worker_and_reports_it(start):
    parent = await start()
    former, lines = parent.get_pids(), []
    await parent.process.restart(lines.append)
    assert not set(former) & set(parent.get_pids())
    assert lines == [f"worker {slot} of 2 replaced: pid {pid}" for slot, pid in enumerate(parent.get_pids(), 1)]


async def test_sigusr2_replaces_the_workers_too(start, scripted, caplog):
    parent = await start()
    former = parent.get_pids()
    os.kill(os.getpid(), signal.SIGUSR2)
    os.kill(os.getpid(), signal.SIGUSR2)  # one restart at a time
    await scripted.until(lambda: len([note for note in scripted.notes if "SIGTERM" in note]) == 2)
    assert not set(former) & set(parent.get_pids())


async def test_two_restarts_do_not_run_at_once(start):
    parent = await start()
    running = asyncio.create_task(parent.process.restart(lambda _: None))
    await asyncio.sleep(0)
    with pytest.raises(ChildNotReady, match="another restart is under way"):
        await parent.process.restart(lambda _: None)
    await running


async def test_a_failed_restart_leaves_all_workers(start, scripted, caplog):
    parent = await start()
    former = parent.get_pids()
    scripted.set_state(status=3)
    with pytest.raises(ChildNotReady, match="ended with status 3"):
        await parent.process.restart(lambda _: None)
    scripted.set_state()
    assert parent.get_pids() == former
    assert "restart of workers failed, the former one stays: worker=1" in caplog.text


async def test_a_stop_ends_a_restart(start, scripted):
    parent = await start()
    scripted.set_state(more={"missing": ["listeners"]})  # the successor is never ready
    restarting = asyncio.create_task(parent.process.restart(lambda _: None))
    await scripted.until(lambda: len([note for note in scripted.notes if "started" in note]) == 3)
    parent.process.stop()
    await parent.task
    with pytest.raises(asyncio.CancelledError):
        await restarting
    assert len([note for note in scripted.notes if "SIGTERM" in note]) == 3


async def test_a_restart_that_comes_during_a_stop_is_refused(start, scripted):
    parent = await start()
    parent.process.stop()
    with pytest.raises(ChildNotReady, match="the gateway stops"):
        await parent.process.restart(lambda _: None)
    await parent.task
    assert len([note for note in scripted.notes if "started" in note]) == 2


async def test_a_successor_that_hangs_does_not_delay_a_stop(start, scripted):
    parent = await start()
    scripted.set_state(more={"missing": ["listeners"]})
    restarting = asyncio.create_task(parent.process.restart(lambda _: None))
    await scripted.until(lambda: len([note for note in scripted.notes if "started" in note]) == 3)
    successor = int(scripted.notes[-1].split()[-1])
    os.kill(successor, signal.SIGSTOP)
    parent.process.stop()
    await scripted.until(lambda: len([note for note in scripted.notes if "SIGTERM" in note]) == 2)
    os.kill(successor, signal.SIGCONT)  # it has not been killed yet
    await parent.task
    with pytest.raises(asyncio.CancelledError):
        await restarting


async def test_sighup_reaches_all_children(start, scripted):
    hangups = []
    await start(on_sighup=lambda: hangups.append(1))
    os.kill(os.getpid(), signal.SIGHUP)
    await scripted.until(lambda: {"1 SIGHUP", "2 SIGHUP"} <= set(scripted.notes))
    assert hangups == [1]


async def test_a_second_stop_ends_workers_at_once(start, scripted):
    parent, stops = await start(), []
    parent.process.on_second_stop = lambda: stops.append(parent.process.ports)
    for pid in parent.get_pids():
        os.kill(pid, signal.SIGSTOP)
    parent.process.stop()
    assert not stops
    parent.process.stop()
    assert len(stops) == 1
    for pid in parent.get_pids():
        os.kill(pid, signal.SIGCONT)
    await parent.task
    assert parent.process.ports == []


async def test_a_worker_with_too_many_connections_closes_some(start, scripted, caplog):
    caplog.set_level(logging.INFO)
    await start()
    scripted.set_state(connections={"1": 20, "2": 100})
    await scripted.until(lambda: "2 reduce 40" in scripted.notes)
    assert not [note for note in scripted.notes if note.startswith("1 reduce")]
    assert "worker has too many connections, some are closed: worker=2 excess=40" in caplog.text


async def test_a_worker_that_cannot_start_ends_the_gateway(start, scripted):
    scripted.set_state(status=2)
    with pytest.raises(ChildNotReady, match="the worker-1 process ended with status 2"):
        await start()
    assert len(scripted.notes) == 1  # the second one would report the same problem


async def test_more_sockets_than_can_be_passed_are_refused(start):
    with pytest.raises(OSError, match="with 2 listeners at most 125"):
        await start(count=MAX_SOCKETS // 2 + 1)
