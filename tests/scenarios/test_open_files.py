"""The limit of open files (RLIMIT_NOFILE) of a gateway, as its own process."""

import asyncio
import os
import resource

import pytest_asyncio
from fixtures.gateway_environment import BANK, LONG_TIMEOUTS
from fixtures.institution import Institution, answers_well
from fixtures.process_environment import ProcessEnvironment
from fixtures.waiting import read_records, until

UNAVAILABLE = "file descriptors of the relay unavailable: reason=no_descriptors cause=EMFILE"


@pytest_asyncio.fixture
async def env(tmp_path, certificates, pytestconfig):
    institution = Institution(BANK, "bank", timeouts=LONG_TIMEOUTS)
    env = ProcessEnvironment(tmp_path, certificates, [institution], gateway={"drain": {"delay_s": 0, "finish_s": 1}})
    env.root = pytestconfig.rootpath
    env.sections["gateway"] |= {"listeners": [{"address": "127.0.0.1", "port": 0}]}
    try:
        await env.open()
        yield env
    finally:
        await env.close()


def list_descriptors(pid):
    return set(map(int, os.listdir(f"/proc/{pid}/fd")))  # noqa: PTH208 - names alone


def fill_limit(pid):
    """Lowers the limit until the process has no free descriptor. Returns the former limit."""
    soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    lowest_free = next(number for number in range(soft) if number not in list_descriptors(pid))
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (lowest_free, hard))
    return soft, hard


async def test_a_reached_limit_is_named_and_passes(env):
    release = asyncio.Event()

    async def wait_for_release(call, wire):
        await release.wait()
        await answers_well(call, wire)

    async with await env.connect() as first, await env.connect() as second:
        assert (await first.call(env.build_get())).status == 200
        env.bank.script = wait_for_release
        first.send(env.build_get())
        await until(lambda: len(env.bank.received) == 2, "a call that keeps its connection to the institution")
        former = fill_limit(env.child.pid)
        assert (await second.call(env.build_get())).rsp_code == "50001"
        waiting = asyncio.create_task(env.call())
        await until(lambda: "limit of open files reached (EMFILE), new connections wait" in env.output, "the line")
        await until(lambda: UNAVAILABLE in env.output, "the line of the connection to the institution")
        assert "institution unavailable" not in env.output
        resource.prlimit(env.child.pid, resource.RLIMIT_NOFILE, former)
        release.set()
        assert (await waiting).status == (await first.read_answer()).status == 200
    (record,) = await until(lambda: [each for each in read_records(env.log) if each["status"] == 500], "the record")
    assert (record["reason"], record["detail"]) == ("no_descriptors", "no_descriptors")
    await until(lambda: "file descriptors of the relay available again: reason=no_descriptors" in env.output, "the end")
    assert "Traceback" not in env.output
