"""A gateway with two workers as processes: shared work, reload, replacement, a killed worker, drain."""

import asyncio
import os
import re
import signal
import sys
import time

import pytest
import pytest_asyncio
from fixtures.caller import Connection
from fixtures.gateway_environment import BANK, LONG_TIMEOUTS, ONE, request
from fixtures.institution import Institution, answers_well
from fixtures.process_environment import ProcessEnvironment
from fixtures.waiting import START_S, read_records, until

from relay.domain.korea import day_in_korea

pytestmark = pytest.mark.asyncio(loop_scope="module")

FAILURES = (OSError, asyncio.IncompleteReadError, TimeoutError)
COUNTS = re.compile(r"^(relay_\w+(?:_total|_count|_sum|_bucket)(?:\{.*\})?) (\S+)$", re.MULTILINE)
READY = re.compile(r"worker ready: pid=(\d+) .*worker=(\d)")


class WorkersEnvironment(ProcessEnvironment):
    """An environment with two workers, authority and jobs."""

    role = "all"
    start_s = 3 * START_S  # five processes, three after the others

    def get_pids(self):
        """Returns the process ids of the current workers by slot."""
        return {int(slot): int(pid) for pid, slot in READY.findall(self.output)}

    def get_log(self, slot):
        return self.folder / f"access.{slot}.log"

    def read_tran_ids(self, slot):
        """Returns the x-api-tran-id of each answered call of a worker."""
        records = read_records(self.get_log(slot))
        return [record["tran_id"] for record in records if record["status"] == 200]

    def find_slots_with_authority(self):
        """Returns the slots whose records have a call that the authority answered."""
        for slot in (1, 2):
            records = read_records(self.get_log(slot))
            if any(record["error"] == "invalid_request" and record["provider_status"] == 400 for record in records):
                yield slot

    def get_all_records(self):
        return [*self.read_tran_ids(1), *self.read_tran_ids(2)]

    async def read_metrics(self):
        """Returns the text of the metrics."""
        answer = await self.admin("/metrics")
        assert answer.status == 200
        return answer.body.decode()

    async def wait_for_workers(self):
        """Waits until both workers accept connections: /readyz is satisfied with one."""
        async with asyncio.timeout(START_S):
            while "\nrelay_workers 2.0\n" not in await self.read_metrics():  # noqa: ASYNC110 - there is no event
                await asyncio.sleep(0.05)

    async def count_requests(self):
        """Returns the number of answered calls in the metrics."""
        counts = COUNTS.findall(await self.read_metrics())
        return sum(float(value) for series, value in counts if re.match('relay_requests_total.*status="200"', series))

    def count_statistics(self):
        """Returns the number of answered calls in the ledger."""
        day, writer = day_in_korea(time.time()), self.ledger_writer
        return sum(count for line, count in writer.run(writer.ledger.statistics.counts(day, day)) if line.success)

    async def count_everything(self):
        """Returns the answered calls in metrics, access records and ledger, once they are complete."""
        await until(lambda: self.count_statistics() == len(self.get_all_records()), "statistics")
        return await self.count_requests(), len(self.get_all_records()), self.count_statistics()

    async def call_patiently(self):
        """Makes one call on a connection that may wait for a worker to start."""
        reader, writer = await asyncio.open_connection(
            "127.0.0.1",
            self.port,
            ssl=self.context(self.get_pair(ONE)),
            server_hostname="localhost",
            ssl_handshake_timeout=START_S,
        )
        async with Connection(reader, writer) as connection:
            return await connection.call(self.build_get())

    def hold_calls(self):
        """Makes the bank answer calls when the returned event is set."""
        release = asyncio.Event()

        async def wait_for_release(call, wire):
            await release.wait()
            await answers_well(call, wire)

        self.bank.script = wait_for_release
        return release

    async def open_connections(self, number):
        """Returns connections that have made a call, with the worker of each."""
        connections = []
        for _ in range(number):
            connection = await self.connect()
            call = self.build_get()
            assert (await connection.call(call)).status == 200
            connections.append((connection, get_tran_id(call)))
        await until(lambda: {tran_id for _, tran_id in connections} <= set(self.get_all_records()), "the records")
        first = set(self.read_tran_ids(1))
        return [(connection, 1 if tran_id in first else 2) for connection, tran_id in connections]


def get_tran_id(call):
    return re.search(rb"x-api-tran-id: (\S+)", call)[1].decode()


class Load:
    """Calls without a pause on several connections; connects again when the relay closes one."""

    def __init__(self, env, clients):
        self._env = env
        self._is_running = True
        self.tran_ids, self.failures = [], []
        self._tasks = [asyncio.create_task(self._run()) for _ in range(clients)]

    async def stop(self):
        self._is_running = False
        await asyncio.gather(*self._tasks)

    async def _run(self):
        while self._is_running:
            try:
                async with await self._env.connect() as connection:
                    await self._call_repeatedly(connection)
            except FAILURES as error:
                self.failures.append(repr(error))

    async def _call_repeatedly(self, connection):
        is_open = True
        while self._is_running and is_open:
            call = self._env.build_get()
            answer = await connection.call(call)
            if answer.status == 200:
                self.tran_ids.append(get_tran_id(call))
            else:
                self.failures.append(answer)
            is_open = answer.headers.get("connection") != "close"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def env(tmp_path_factory, certificates, pytestconfig):
    gateway = {
        "workers": 2,
        "listeners": [{"address": "127.0.0.1", "port": 0}],
        "timeouts": {"handshake_s": 20, "head_s": 20, "body_s": 5, "idle_s": 30},
        "drain": {"delay_s": 0.3, "finish_s": 5},
    }
    institution = Institution(BANK, "bank", timeouts={**LONG_TIMEOUTS, "first_byte_s": 30, "total_s": 30})
    env = WorkersEnvironment(tmp_path_factory.mktemp("env"), certificates, [institution], gateway=gateway)
    env.root = pytestconfig.rootpath
    try:
        await env.open()
        yield env
    finally:
        await env.close()


@pytest.fixture(autouse=True)
def _reset(env):
    env.bank.script = answers_well


async def test_both_workers_serve_and_everything_is_counted_once(env):
    before = await env.count_everything()
    load = Load(env, 20)
    await until(lambda: len(load.tran_ids) >= 60, "calls", START_S)
    await load.stop()
    assert load.failures == []
    await until(lambda: set(load.tran_ids) <= set(env.get_all_records()), "the records")
    records = env.get_all_records()
    assert len(records) == len(set(records)) == before[1] + len(load.tran_ids)
    assert set(env.read_tran_ids(1)) & set(load.tran_ids)
    assert set(env.read_tran_ids(2)) & set(load.tran_ids)
    assert await env.count_everything() == tuple(count + len(load.tran_ids) for count in before)
    metrics = await env.read_metrics()
    assert "\nrelay_workers 2.0\n" in metrics
    assert metrics.endswith("# EOF\n")
    assert (await env.admin("/readyz")).json() == {"status": "ok", "missing": []}
    assert (await env.admin("/jwks.json")).json()["keys"]


async def test_all_workers_reach_the_authority(env):
    form = {"Content-Type": "application/x-www-form-urlencoded", "Host": "relay.test"}
    for connection, _ in await env.open_connections(20):
        async with connection:
            fields = form | {"x-api-tran-id": env.make_tran_id()}
            answer = await connection.call(request("POST", "/oauth/2.0/token", fields, b"grant_type=password"))
            assert (answer.status, answer.json()["error"]) == (400, "invalid_request")
    await until(lambda: set(env.find_slots_with_authority()) == {1, 2}, "records of calls that the authority answered")


async def test_sighup_reaches_all_workers(env):
    connections = await env.open_connections(6)
    directory = (env.folder / "directory.yaml").read_text()
    env.write_file("directory.yaml", {"operators": []})
    env.child.send_signal(signal.SIGHUP)
    applied = re.compile(r"settings applied: role=gateway plan=\w+ worker=(\d)")
    await until(lambda: set(applied.findall(env.output)) == {"1", "2"}, "both workers applying the settings")
    for connection, _ in connections:
        async with connection:
            assert (await connection.call(env.build_get())).rsp_code == "40103"
    await until(lambda: len(re.findall("all workers have the same plan", env.output)) == 2, "the parent's line")
    env.write_file("directory.yaml", {"operators": 1})
    env.child.send_signal(signal.SIGHUP)
    rejected = re.compile(r"settings rejected.* worker=(\d)")
    await until(lambda: set(rejected.findall(env.output)) == {"1", "2"}, "both workers rejecting the settings")
    assert "\nrelay_plan_reload_failures 1.0\n" in await env.read_metrics()
    (env.folder / "directory.yaml").write_text(directory)
    env.child.send_signal(signal.SIGHUP)
    await until(lambda: len(applied.findall(env.output)) == 4, "the former settings")


async def test_replacing_the_workers_under_load_fails_no_call(env):
    async def answers_slowly(call, wire):
        await asyncio.sleep(0.05)
        await answers_well(call, wire)

    env.bank.script = answers_slowly
    before, former = await env.count_everything(), env.get_pids()
    load = Load(env, 6)
    await until(lambda: load.tran_ids, "a call")
    command = [sys.executable, "-m", "relay", "restart", "-c", str(env.folder / "relay.yaml")]
    restart = await asyncio.create_subprocess_exec(*command, cwd=env.root, stdout=asyncio.subprocess.PIPE)
    output, _ = await restart.communicate()
    await load.stop()
    assert (restart.returncode, load.failures) == (0, [])
    current = env.get_pids()
    assert output.decode().splitlines() == [
        f"worker 1 of 2 replaced: pid {current[1]}",
        f"worker 2 of 2 replaced: pid {current[2]}",
        "done",
    ]
    assert not set(current.values()) & set(former.values())
    await until(lambda: set(load.tran_ids) <= set(env.get_all_records()), "the records")
    assert await env.count_everything() == tuple(count + len(load.tran_ids) for count in before)


async def test_a_killed_worker_loses_only_what_it_carried(env):
    connections = await env.open_connections(12)
    await env.count_everything()
    metrics = await env.read_metrics()
    release = env.hold_calls()
    received = len(env.bank.received)
    for connection, _ in connections:
        connection.send(env.build_get())
    await until(lambda: len(env.bank.received) == received + 12, "the calls")
    killed = env.get_pids()
    os.kill(killed[1], signal.SIGKILL)
    await asyncio.gather(*(connection.is_closed() for connection, slot in connections if slot == 1))
    env.bank.script = answers_well
    release.set()
    for connection, slot in connections:
        if slot == 2:
            async with connection:
                assert (await connection.read_answer()).status == 200
    answers = await asyncio.gather(*(env.call() for _ in range(16)))  # worker 2 accepts from both sockets
    assert [answer.status for answer in answers] == [200] * 16
    await env.count_everything()
    os.kill(killed[2], signal.SIGKILL)
    answers = await asyncio.gather(*(env.call_patiently() for _ in range(8)))  # their connections wait for a successor
    assert [answer.status for answer in answers] == [200] * 8
    await until(lambda: not set(env.get_pids().values()) & set(killed.values()), "two successors", START_S)
    await env.wait_for_readiness(200)
    for slot in (1, 2):
        assert f"child process ended: role=worker-{slot} status=-9 restart_in_s=0.2" in env.output
    await env.count_everything()
    assert len(set(env.get_all_records())) == len(env.get_all_records())
    now = dict(COUNTS.findall(await env.read_metrics()))
    assert [series for series, value in COUNTS.findall(metrics) if float(now.get(series, 0)) < float(value)] == []
    assert now["relay_worker_restarts_total"] == "2.0"


async def test_sigterm_drains_all_workers(env):
    await env.wait_for_workers()
    connections = await env.open_connections(20)
    idle = {slot: connection for connection, slot in connections}
    assert set(idle) == {1, 2}
    calling = [connection for connection, _ in connections if connection not in idle.values()]
    release = env.hold_calls()
    received = len(env.bank.received)
    for connection in calling:
        connection.send(env.build_get())
    await until(lambda: len(env.bank.received) == received + len(calling), "the calls")
    env.child.send_signal(signal.SIGTERM)
    ready = await env.wait_for_readiness(503)
    assert ready.json()["missing"] == ["stopping"]
    for connection in idle.values():
        assert await connection.is_closed()
    release.set()
    for connection in calling:
        async with connection:
            answer = await connection.read_answer()
            assert (answer.status, answer.headers["connection"]) == (200, "close")
    assert await env.wait_ended() == 0
    assert env.output.count("gateway stopped: calls_in_flight=0") >= 2
    assert not (env.folder / "gateway.sock").exists()
