"""The portal is down or sends invalid responses: calls go on with the last valid directory, metrics show it."""

import time

import pytest
import pytest_asyncio
from fixtures.portal_environment import ONE, TWO, eventually, open_portal_environment, open_synchronized_environment
from fixtures.waiting import until
from mydata_sandbox.parties import INSTITUTIONS, MEDIATED, OPERATORS

pytestmark = pytest.mark.asyncio(loop_scope="module")

FAILURES = 'relay_job_failures{job="directory"}'
SUCCESS_AGE = 'relay_job_success_age_seconds{job="directory"}'
AGE = "relay_directory_age_seconds"
DAY_S = 86_400
ENTRIES = len(INSTITUTIONS) + len(MEDIATED)
ORGANISATIONS = ENTRIES + len(OPERATORS) + 4
"""With the relay, the portal and two certifiers."""


async def test_a_relay_without_a_registry_serves_after_the_first_sync(tmp_path):
    async with open_portal_environment(tmp_path / "env") as env, env.run_gateway(), env.run_jobs():
        assert await env.find_missing() == ["directory"]
        assert await env.call() == "40103"

        async def get_failed_job():
            job = await env.get_job()
            return job.failures and job

        job = await eventually(get_failed_job, "a sync that fails")
        assert job.result == "the portal gave no registry: 지원-001: no connection (2 of 2 attempts)"
        metrics = await env.read_fresh_metrics()
        assert metrics[FAILURES] >= 1
        assert metrics[AGE] > 0
        assert metrics["relay_directory_operators"] == 0
        assert await env.find_missing() == ["directory"]
        async with env.run_portal():
            await until(lambda: env.relay.registry.applied.number, "the registry")
            assert await env.find_missing() == []
            assert [await env.call(operator) for operator in (ONE, TWO)] == ["00000"] * 2
            assert (await env.read_fresh_metrics())["relay_directory_operators"] == 2

            async def is_recovered():
                return (await env.read_fresh_metrics())[FAILURES] == 0

            await eventually(is_recovered, "a sync that succeeds")  # the daily one may have been the first


async def test_a_relay_serves_the_stored_registry_while_the_portal_is_down(tmp_path):
    async with open_portal_environment(tmp_path / "env") as env:
        async with env.run_portal(), env.open_instance() as jobs:
            assert (await jobs.run()).startswith("taken")
        async with env.run_gateway():
            assert await env.find_missing() == []
            assert [await env.call(operator) for operator in (ONE, TWO)] == ["00000"] * 2
            async with env.open_instance() as jobs:
                assert "no connection" in await jobs.run_failing()
            assert await env.call() == "00000"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def module_env(tmp_path_factory):
    """A running environment whose relay has synchronized once with its portal."""
    async with open_synchronized_environment(tmp_path_factory.mktemp("outages") / "env") as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="module")
async def env(module_env):
    env, _ = module_env
    env.portal.failures.reset()
    yield env
    env.portal.failures.reset()


@pytest.fixture
def jobs(module_env):
    return module_env[1]


FAILURE_CASES = [
    ("지원-001", "error_500", "지원-001: HTTP 500"),
    ("지원-002", "error_500", "지원-002: HTTP 500"),
    ("지원-002", "garbage", "지원-002: the answer is not a JSON object"),
    ("지원-003", "garbage", "지원-003: the answer is not a JSON object"),
    ("지원-002", "token_expired", "지원-002: HTTP 401, rsp_code 40101"),
    ("지원-002", "html", "지원-002: the answer is not a JSON object"),
    ("지원-002", "wrong_tran_id", "지원-002: the answer names another call"),
    ("지원-002", "reset", "지원-002: the connection was lost within the answer"),
    ("지원-002", "huge", "지원-002: the answer is longer than 1048576 bytes"),
    ("지원-002", "half_list", f"org_list holds {ORGANISATIONS // 2}"),
    ("지원-003", "half_list", "org_list holds 1"),
    ("지원-002", "doubled", "org_list[1] (ZRLA000001).org_code: stands twice, first at org_list[0] (ZRLA"),
    ("지원-002", "unknown_org_type", "org_list[0] (ZRLA000001).org_type: is none of 01, 02"),
    ("지원-002", "missing_serial", f"org_list[{ENTRIES + 1}] (ZOPA000001).serial_num: is missing (org_type 03)"),
]


@pytest.mark.parametrize(
    ("api_id", "how", "words"), FAILURE_CASES, ids=[f"{how}_{api_id[-3:]}" for api_id, how, _ in FAILURE_CASES]
)
async def test_invalid_responses_of_the_portal_change_nothing(env, jobs, api_id, how, words):
    before = await env.ledger.registry.registry()
    failures = (await env.get_job()).failures
    name = f"이름{before.number}"
    env.registry.change(TWO, name=name)
    if api_id == "지원-001":
        env.portal.service.forget_tokens()
    async with env.run_caller() as caller:
        env.portal.plan_failure(api_id, how, 20)
        message = await jobs.run_failing()
        assert words in message
        assert await env.ledger.registry.registry() == before
        assert (await env.read_fresh_metrics())[FAILURES] == failures + 1
        env.portal.failures.reset()
        assert (await jobs.run()).startswith("taken: organisations 0 new, 1 changed")
    assert set(caller.answers) == {"00000"}
    assert (await env.ledger.registry.registry()).organisations[TWO].name == name
    assert (await env.read_fresh_metrics())[FAILURES] == 0


async def test_a_portal_down_for_a_day_shows_in_metrics_and_recovers(env, jobs, monkeypatch):
    before = await env.ledger.registry.registry()
    async with env.pause_portal(), env.run_caller() as caller:
        for _ in range(3):
            assert "no connection" in await jobs.run_failing()
        for watch in (env.relay.registry, env.relay.jobs):
            monkeypatch.setattr(watch, "clock", lambda: time.time() + DAY_S)
        metrics = await env.read_fresh_metrics()
        assert (metrics[FAILURES], await env.find_missing()) == (3, [])
        assert min(metrics[AGE], metrics[SUCCESS_AGE]) > DAY_S - 60
        assert await env.ledger.registry.registry() == before
        env.registry.change(TWO, name="하루 뒤의 이름")
        env.registry.remove_service(f"{ONE}SVC02")
    assert set(caller.answers) == {"00000"}
    monkeypatch.undo()
    assert await jobs.run() == "taken: organisations 0 new, 1 changed, 0 gone; services 0 new, 0 changed, 1 gone"
    await env.wait_for_registry()
    metrics = await env.read_fresh_metrics()
    assert (metrics[FAILURES], metrics[AGE] < 60) == (0, True)
