"""Institutions with several addresses, and institutions that do not respond: over real sockets."""

import asyncio
import contextlib
import socket
import time

import pytest
import pytest_asyncio
from fixtures.gateway_environment import BANK, LONG_TIMEOUTS, TWO, GatewayEnvironment
from fixtures.institution import Institution, answers_well
from fixtures.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="module")

PAIR, SILENT, NARROW, HEALTHY = "ZBAA000002", "ZBAA000003", "ZBAA000004", "ZBAA000005"
SILENT_S = 0.3


@contextlib.contextmanager
def open_black_hole():
    """Yields the port of a listener whose backlog is full: the kernel answers no further SYN."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener, contextlib.ExitStack() as stack:
        while True:
            client = stack.enter_context(socket.socket())
            client.settimeout(0.2)
            try:
                client.connect(listener.getsockname())
            except TimeoutError:
                break
        yield listener.getsockname()[1]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def module_env(tmp_path_factory, certificates):
    with open_black_hole() as port:
        places = {"spare_places": [f"http://127.0.0.1:{port}"], "timeouts": LONG_TIMEOUTS | {"connect_s": 0.5}}
        short = LONG_TIMEOUTS | {"connect_s": 0.2, "first_byte_s": SILENT_S, "total_s": SILENT_S, "queue_s": 0.2}
        institutions = [
            Institution(BANK, "bank"),
            Institution(PAIR, "bank", **places),
            Institution(SILENT, "bank", timeouts=short),
            Institution(NARROW, "bank", concurrency=1, queue=2, timeouts=LONG_TIMEOUTS | {"queue_s": 0.2}),
            Institution(HEALTHY, "bank"),
        ]
        env = GatewayEnvironment(tmp_path_factory.mktemp("env"), certificates, institutions)
        try:
            await env.open()
            yield env
        finally:
            await env.close()


async def never_answers(_call, wire):
    await wire.wait_closed()


async def test_a_black_holed_address_is_ejected(env):
    statuses = [(await env.call(env.build_get(provider=PAIR))).status for _ in range(5)]
    assert statuses == [200] * 5
    assert env.pool(PAIR).state()["ejected"] == 1
    begun = time.monotonic()
    for _ in range(20):
        assert (await env.call(env.build_get(provider=PAIR))).status == 200
    dials = [exchange.upstream for exchange in env.exchanges if exchange.received and exchange.attempts]
    assert sum(seconds >= 0.5 for seconds in dials) <= 1, (dials, time.monotonic() - begun)


async def test_calls_to_a_silent_institution_stop(env):
    env.institutions[SILENT].script = never_answers
    answers = await asyncio.gather(*(env.call(env.build_get(provider=SILENT)) for _ in range(10)))
    assert {answer.rsp_code for answer in answers} == {"50003"}
    answer = await env.call(env.build_get(provider=SILENT))
    assert (answer.status, answer.rsp_code, env.exchanges[-1].reason) == (500, "50005", "breaker_open")
    env.institutions[SILENT].script = answers_well
    await until(lambda: env.pool(SILENT).counts()["flying"] == 0, "the end of the calls")

    async def is_back():
        return (await env.call(env.build_get(provider=SILENT))).status == 200

    async with asyncio.timeout(20):
        while not await is_back():  # noqa: ASYNC110 - each call is a probe
            await asyncio.sleep(0.05)
    assert (await env.call(env.build_get(provider=SILENT))).status == 200


async def test_a_call_does_not_wait_long_for_a_permit(env):
    release = asyncio.Event()

    async def wait_for_release(call, wire):
        await release.wait()
        await answers_well(call, wire)

    env.institutions[NARROW].script = wait_for_release
    first = asyncio.create_task(env.call(env.build_get(provider=NARROW)))
    await until(lambda: env.institutions[NARROW].received, "the first call")
    answer = await env.call(env.build_get(provider=NARROW, operator=TWO), env.get_pair(TWO))
    assert (answer.rsp_code, env.exchanges[-1].reason) == ("50005", "queue_timeout")
    release.set()
    assert (await first).status == 200


async def test_hanging_institutions_leave_the_others_to_an_operator(env):
    env.institutions[BANK].script = env.institutions[NARROW].script = never_answers
    hanging = [
        asyncio.create_task(env.call(env.build_get(provider=code))) for code in (BANK, NARROW) for _ in range(20)
    ]
    await until(lambda: env.pool(BANK).counts()["flying"], "calls that hang")
    for _ in range(20):
        assert (await env.call(env.build_get(provider=HEALTHY))).status == 200
    for task in hanging:
        task.cancel()
    await asyncio.gather(*hanging, return_exceptions=True)
