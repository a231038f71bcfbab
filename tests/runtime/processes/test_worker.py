"""A worker answers its parent over the channel; tests/scenarios/test_workers.py runs whole workers."""

import asyncio
import socket
from dataclasses import replace

import pytest

from relay.infra.process.control_channel import ControlChannel
from relay.policy.settings.worker_shares import WorkerShare
from relay.runtime.commands.migrate import prepare_ledger
from relay.runtime.processes.gateway import GatewayProcess
from relay.runtime.processes.sockets import bind_socket
from relay.runtime.processes.worker import WorkerEndpoint, check_addresses
from relay.runtime.processes.worker_messages import WorkerStart, WorkerStatus
from relay.runtime.settings.loading import load_settings


class Worker:
    """The endpoint of slot 1 of 2, and the parent's side of its channel."""

    def __init__(self, process, endpoint, parent):
        self.process, self.endpoint, self.parent = process, endpoint, parent
        self.answering = asyncio.create_task(endpoint.run())

    async def ask(self, name):
        self.parent.send(name)
        answered, content = await self.parent.receive()
        assert answered == name
        return content

    async def status(self):
        return WorkerStatus.decode(await self.ask("status"))


def names(metrics):
    """Returns the series of a text of metrics, which has ages, and its last line."""
    return [line.rpartition(b" ")[0] for line in metrics.splitlines()], metrics.endswith(b"\n# EOF\n")


@pytest.fixture
async def worker(built):
    await prepare_ledger(load_settings(built.settings, {}).settings.ledger)
    ours, theirs = socket.socketpair()
    with bind_socket("127.0.0.1", 0, "admin.port") as own, bind_socket("127.0.0.1", 0, "admin.port") as other:
        process = GatewayProcess(built.settings, share=WorkerShare(1, 2), sockets=[own])
        endpoint = WorkerEndpoint(process, await ControlChannel.open(theirs), {1: [own], 2: [other]})
        worker = Worker(process, endpoint, await ControlChannel.open(ours))
        worker.other = other
        yield worker
        worker.answering.cancel()
        await asyncio.gather(worker.answering, return_exceptions=True)
        await process.listeners.close()
        worker.parent.close()
        await endpoint.finish()


async def test_its_status_has_plan_and_keys(worker):
    assert await worker.status() == WorkerStatus(
        missing=("listeners",),
        plan=worker.process.relay.gateway.plan.fingerprint,
        jwks=worker.process.relay.jwks(),
    )
    worker.process.listeners.start()
    assert (await worker.status()).is_listening


async def test_it_has_its_share_of_the_limits(worker, built):
    total = load_settings(built.settings, {}).settings.gateway.limits.connections
    assert worker.process.relay.loaded.settings.gateway.limits.connections == total // 2
    await worker.process.reload()
    assert worker.process.relay.loaded.settings.gateway.limits.connections == total // 2


async def test_its_metrics_are_the_text_of_the_admin_port(worker):
    assert names(await worker.ask("metrics")) == names(await worker.process.render_metrics())


async def test_it_accepts_for_another_worker_until_it_is_released(worker):
    worker.process.listeners.start()
    worker.parent.send("adopt", b"2")
    await worker.status()
    with socket.create_connection(worker.other.getsockname()):
        worker.parent.send("release", b"2")
        assert (await worker.status()).is_listening


async def test_a_retired_worker_accepts_no_more(worker):
    worker.process.listeners.start()
    worker.parent.send("retire")
    assert (await worker.status()).missing == ("listeners",)
    assert "stopping" not in worker.process.list_unready_parts()


async def test_an_aborted_worker_stops_at_once(worker):
    worker.parent.send("abort")
    assert (await worker.status()).missing == ("stopping",)
    assert worker.process.listeners.aborted


class Connection:
    """The part of a connection without a call that closes it."""

    source, will_close = None, False


async def test_it_closes_some_connections_with_their_next_responses(worker):
    connections = worker.process.relay.connection_registry.connections
    connections.update(Connection() for _ in range(5))
    worker.parent.send("reduce", b"2")
    assert (await worker.status()).connections == 5
    assert sum(each.will_close for each in connections) == 2
    assert not worker.process.relay.gateway.is_draining
    connections.clear()


async def test_it_drains_when_its_parent_ends(worker):
    worker.process.listeners.start()
    worker.parent.close()
    await worker.answering
    assert (worker.process.list_unready_parts(), worker.process.ports) == (["stopping"], [])


async def test_its_last_message_has_the_metrics(worker):
    finishing = asyncio.create_task(worker.endpoint.finish())
    name, content = await worker.parent.receive()
    assert (name, names(content)) == ("metrics", names(await worker.process.render_metrics()))
    await finishing


def test_changed_listeners_need_a_restart_of_the_relay(built):
    listeners = load_settings(built.settings, {}).settings.gateway.listeners
    start = WorkerStart(WorkerShare(1, 2), tuple((each.address, each.port) for each in listeners))
    check_addresses(start, built.settings, listeners)
    with pytest.raises(OSError, match=r"gateway\.listeners: has changed: restart the relay"):
        check_addresses(replace(start, addresses=(("192.0.2.1", 1),)), built.settings, listeners)
