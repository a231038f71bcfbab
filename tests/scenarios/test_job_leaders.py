"""Two instances run the jobs. When the leader is killed or hangs during a sync, the other takes over."""

import asyncio
import sys
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
import pytest_asyncio
from fixtures.portal_environment import ONE, TWO, eventually, open_portal_environment

from relay.domain.jobs import Superseded

pytestmark = pytest.mark.asyncio(loop_scope="module")

TERM_S = 5
"""`jobs.term_s` of the sandbox. An instance whose clock is further ahead need not wait for the other's term."""


@pytest_asyncio.fixture(loop_scope="module")
async def env(tmp_path):
    """An environment after one sync. The portal then removes one operator and renames another."""
    async with open_portal_environment(tmp_path / "env") as env, env.run_portal():
        async with env.open_instance() as jobs:
            assert (await jobs.run()).startswith("taken")
        env.registry.remove(ONE)
        env.registry.change(TWO, name="새 이름")
        yield env


async def are_changes_applied(env):
    """Returns whether both changes are applied. Fails if only one is."""
    registry = await env.ledger.registry.registry()
    applied = ONE not in registry.organisations
    assert (registry.organisations[TWO].name == "새 이름") is applied
    assert (f"{ONE}SVC01" not in registry.services) is applied
    return applied


@asynccontextmanager
async def jobs_process(env):
    """Starts the jobs as their own process."""
    serve = ("-m", "relay", "serve", "--role", "jobs", "--log-level", "error", "-c", str(env.settings))
    process = await asyncio.create_subprocess_exec(sys.executable, *serve)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_a_leader_killed_during_a_request_changes_nothing(env):
    before = await env.ledger.registry.registry()
    env.portal.plan_failure("지원-003", "slow")
    env.portal.slow_s = 60
    async with env.run_gateway(), jobs_process(env) as leader, env.run_caller(TWO) as caller:
        await eventually(lambda: is_answer_delayed(env), "the request of 지원-003", 20.0)
        leader.kill()
        await leader.wait()
        assert await env.ledger.registry.registry() == before
        async with env.open_instance() as early:
            with pytest.raises(Superseded):
                await early.run()
        async with env.open_instance(ahead_s=TERM_S + 1) as other:
            assert await other.run() == APPLIED
        assert await are_changes_applied(env)
        await env.wait_for_registry()
        assert await env.call() == "40103"
    assert set(caller.answers) == {"00000"}


async def test_a_leader_killed_after_a_response_commits_all_or_nothing(env):
    came = env.portal.received_count
    async with jobs_process(env) as leader:
        async with asyncio.timeout(20):
            await env.portal.wait_for_call(lambda request: request.api_id == "지원-003" and request.number > came)
        leader.kill()
        await leader.wait()
    applied = await are_changes_applied(env)
    async with env.open_instance(ahead_s=TERM_S + 1) as other:
        assert await other.run() == ("nothing changed" if applied else APPLIED)
    assert await are_changes_applied(env)


APPLIED = "taken: organisations 0 new, 1 changed, 1 gone; services 0 new, 0 changed, 2 gone"


async def is_answer_delayed(env):
    """Returns whether the portal is delaying its answer to 지원-003."""
    return not env.portal.failures.planned()


async def test_a_superseded_leader_commits_nothing(env):
    env.portal.plan_failure("지원-003", "slow")
    env.portal.slow_s = 0.5
    async with env.open_instance() as hung, env.open_instance(ahead_s=TERM_S + 1) as other:
        waiting = asyncio.create_task(hung.run())
        await eventually(lambda: is_answer_delayed(env), "the request of 지원-003")
        assert not await are_changes_applied(env)
        assert await other.run() == APPLIED
        after = await env.ledger.registry.registry()
        with pytest.raises(Superseded):
            await waiting
    assert await env.ledger.registry.registry() == after


async def test_a_second_instance_takes_over_when_the_leader_stops(env):
    async with AsyncExitStack() as stack:
        async with env.run_jobs():
            await eventually(lambda: are_changes_applied(env), "the sync")
            await stack.enter_async_context(env.run_jobs())
            former = await env.ledger.jobs.load_leader()
        env.registry.change(TWO, addresses=("127.0.0.2",))

        async def is_caught_up():
            registry = await env.ledger.registry.registry()
            return registry.organisations[TWO].addresses == ("127.0.0.2",)

        await eventually(is_caught_up, "a sync of the other")
        leader = await env.ledger.jobs.load_leader()
        assert (leader.fence > former.fence, leader.holder == former.holder) == (True, False)
