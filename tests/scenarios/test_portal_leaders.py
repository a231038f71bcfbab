"""Two instances run the jobs: one leads, and when it is killed or hangs in the middle of a sync, the other goes on."""

import asyncio
import sys
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
import pytest_asyncio
from stage.quarter import ONE, TWO, eventually, quarter_in

from relay.domain.jobs import Superseded

pytestmark = pytest.mark.asyncio(loop_scope="module")

TERM_S = 5
"""`jobs.term_s` of the street. An instance whose clock is so far ahead need not wait for the other's term to end."""


@pytest_asyncio.fixture(loop_scope="module")
async def quarter(tmp_path):
    """A quarter whose relay knows what its portal told once; then the portal removes one operator, renames another."""
    async with quarter_in(tmp_path / "street") as made, made.portal_up():
        async with made.instance() as jobs:
            assert (await jobs.run()).startswith("taken")
        made.registry.remove(ONE)
        made.registry.change(TWO, name="새 이름")
        yield made


async def both_or_none(quarter):
    """Whether the changes are there; never only one of them."""
    registry = await quarter.ledger.registry.registry()
    there = ONE not in registry.organisations
    assert (registry.organisations[TWO].name == "새 이름") is there
    assert (f"{ONE}SVC01" not in registry.services) is there
    return there


@asynccontextmanager
async def jobs_process(quarter):
    """The jobs as a process of its own, to be killed."""
    serve = ("-m", "relay", "serve", "--role", "jobs", "--log-level", "error", "-c", str(quarter.settings))
    process = await asyncio.create_subprocess_exec(sys.executable, *serve)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_a_leader_killed_while_it_asks_leaves_nothing_and_another_goes_on(quarter):
    before = await quarter.ledger.registry.registry()
    quarter.portal.misbehave("지원-003", "slow")
    quarter.portal.slow_s = 60
    async with quarter.gateway_up(), jobs_process(quarter) as leader, quarter.calling(TWO) as caller:
        await eventually(lambda: asked(quarter), "its question", 20.0)
        leader.kill()
        await leader.wait()
        assert await quarter.ledger.registry.registry() == before
        async with quarter.instance() as early:
            with pytest.raises(Superseded):
                await early.run()
        async with quarter.instance(ahead_s=TERM_S + 1) as other:
            assert await other.run() == TAKEN
        assert await both_or_none(quarter)
        await quarter.follows()
        assert await quarter.ask() == "40103"
    assert set(caller.answers) == {"00000"}


async def test_a_leader_killed_when_it_was_answered_took_all_of_it_or_nothing(quarter):
    came = quarter.portal.came
    async with jobs_process(quarter) as leader:
        async with asyncio.timeout(20):
            await quarter.portal.heard(lambda one: one.api_id == "지원-003" and one.number > came)
        leader.kill()
        await leader.wait()
    there = await both_or_none(quarter)
    async with quarter.instance(ahead_s=TERM_S + 1) as other:
        assert await other.run() == ("nothing changed" if there else TAKEN)
    assert await both_or_none(quarter)


TAKEN = "taken: organisations 0 new, 1 changed, 1 gone; services 0 new, 0 changed, 2 gone"


async def asked(quarter):
    """Whether the portal holds the answer of 지원-003 back."""
    return not quarter.portal.misdeeds.planned()


async def test_a_leader_that_hangs_in_the_middle_of_a_sync_writes_nothing_once_another_leads(quarter):
    quarter.portal.misbehave("지원-003", "slow")
    quarter.portal.slow_s = 0.5
    async with quarter.instance() as hung, quarter.instance(ahead_s=TERM_S + 1) as other:
        waiting = asyncio.create_task(hung.run())
        await eventually(lambda: asked(quarter), "its question")
        assert not await both_or_none(quarter)
        assert await other.run() == TAKEN
        after = await quarter.ledger.registry.registry()
        with pytest.raises(Superseded):
            await waiting
    assert await quarter.ledger.registry.registry() == after


async def test_of_two_instances_one_leads_and_the_other_takes_over_when_it_stops(quarter):
    async with AsyncExitStack() as stack:
        async with quarter.jobs_up():
            await eventually(lambda: both_or_none(quarter), "the sync")
            await stack.enter_async_context(quarter.jobs_up())
            former = await quarter.ledger.jobs.leader()
        quarter.registry.change(TWO, addresses=("127.0.0.2",))

        async def caught_up():
            registry = await quarter.ledger.registry.registry()
            return registry.organisations[TWO].addresses == ("127.0.0.2",)

        await eventually(caught_up, "a sync of the other")
        leader = await quarter.ledger.jobs.leader()
        assert (leader.fence > former.fence, leader.holder == former.holder) == (True, False)
