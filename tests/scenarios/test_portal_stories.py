"""The portal is away or talks nonsense: calls go on with the last good directory, alarms rise, all comes right."""

import time
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio
from stage.quarter import ONE, TWO, eventually, quarter_in
from stage.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="module")

FAILURES = 'relay_job_failures{job="directory"}'
SUCCESS_AGE = 'relay_job_success_age_seconds{job="directory"}'
AGE = "relay_directory_age_seconds"
DAY_S = 86_400


async def test_a_relay_that_never_heard_its_portal_waits_for_it_and_then_serves_by_itself(tmp_path):
    async with quarter_in(tmp_path / "street") as quarter, quarter.gateway_up(), quarter.jobs_up():
        assert await quarter.ready() == ["directory"]
        assert await quarter.ask() == "40103"

        async def failed():
            job = await quarter.job()
            return job.failures and job

        job = await eventually(failed, "a sync that fails")
        assert job.told == "the portal gave no registry: 지원-001: no connection (2 of 2 attempts)"
        metrics = await quarter.metrics()
        assert metrics[FAILURES] >= 1
        assert metrics[AGE] > 0
        assert metrics["relay_directory_operators"] == 0
        assert await quarter.ready() == ["directory"]
        async with quarter.portal_up():
            await until(lambda: quarter.relay.registry._applied.number, "the registry")
            assert await quarter.ready() == []
            assert [await quarter.ask(operator) for operator in (ONE, TWO)] == ["00000"] * 2
            assert (await quarter.metrics())["relay_directory_operators"] == 2

            async def well():
                return (await quarter.metrics())[FAILURES] == 0

            await eventually(well, "a sync that succeeds")  # the daily one may have been the first


async def test_a_relay_that_starts_while_its_portal_is_down_serves_the_registry_it_had(tmp_path):
    async with quarter_in(tmp_path / "street") as quarter:
        async with quarter.portal_up(), quarter.instance() as jobs:
            assert (await jobs.run()).startswith("taken")
        async with quarter.gateway_up():
            assert await quarter.ready() == []
            assert [await quarter.ask(operator) for operator in (ONE, TWO)] == ["00000"] * 2
            async with quarter.instance() as jobs:
                assert "no connection" in await jobs.fails()
            assert await quarter.ask() == "00000"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def standing(tmp_path_factory):
    """A quarter where all stands, and whose relay knows what its portal told once."""
    async with AsyncExitStack() as stack:
        quarter = await stack.enter_async_context(quarter_in(tmp_path_factory.mktemp("stories") / "street"))
        await stack.enter_async_context(quarter.portal_up())
        jobs = await stack.enter_async_context(quarter.instance())
        assert (await jobs.run()).startswith("taken")
        await stack.enter_async_context(quarter.authority_up())
        await stack.enter_async_context(quarter.gateway_up())
        yield quarter, jobs


@pytest_asyncio.fixture(loop_scope="module")
async def quarter(standing):
    quarter, _ = standing
    quarter.portal.misdeeds.behave()
    yield quarter
    quarter.portal.misdeeds.behave()


@pytest.fixture
def jobs(standing):
    return standing[1]


MISDEEDS = [
    ("지원-001", "error_500", "지원-001: HTTP 500"),
    ("지원-002", "error_500", "지원-002: HTTP 500"),
    ("지원-002", "garbage", "지원-002: the answer is not a JSON object"),
    ("지원-003", "garbage", "지원-003: the answer is not a JSON object"),
    ("지원-002", "token_expired", "지원-002: HTTP 401, rsp_code 40101"),
    ("지원-002", "html", "지원-002: the answer is not a JSON object"),
    ("지원-002", "wrong_tran_id", "지원-002: the answer names another call"),
    ("지원-002", "reset", "지원-002: the connection was lost within the answer"),
    ("지원-002", "huge", "지원-002: the answer is longer than 16777216 bytes"),
    ("지원-002", "half_list", "org_list holds 8"),
    ("지원-003", "half_list", "org_list holds 1"),
    ("지원-002", "doubled", "org_list[1] (ZRLA000001).org_code: stands twice, first at org_list[0] (ZRLA"),
    ("지원-002", "unknown_org_type", "org_list[0] (ZRLA000001).org_type: is none of 01, 02"),
    ("지원-002", "missing_serial", "org_list[12] (ZOPA000001).serial_num: is missing (org_type 03)"),
]


@pytest.mark.parametrize(
    ("api_id", "how", "words"), MISDEEDS, ids=[f"{how}_{api_id[-3:]}" for api_id, how, _ in MISDEEDS]
)
async def test_a_portal_that_talks_nonsense_changes_nothing_for_anybody(quarter, jobs, api_id, how, words):
    before = await quarter.ledger.registry.registry()
    failures = (await quarter.job()).failures
    name = f"이름{before.number}"
    quarter.registry.change(TWO, name=name)
    if api_id == "지원-001":
        quarter.portal.desk.forget_tokens()
    async with quarter.calling() as caller:
        quarter.portal.misbehave(api_id, how, 20)
        told = await jobs.fails()
        assert words in told
        assert await quarter.ledger.registry.registry() == before
        assert (await quarter.metrics())[FAILURES] == failures + 1
        quarter.portal.misdeeds.behave()
        assert (await jobs.run()).startswith("taken: organisations 0 new, 1 changed")
    assert set(caller.answers) == {"00000"}
    assert (await quarter.ledger.registry.registry()).organisations[TWO].name == name
    assert (await quarter.metrics())[FAILURES] == 0


async def test_a_portal_that_is_down_for_a_day_is_told_by_its_age_and_caught_up_with(quarter, jobs, monkeypatch):
    before = await quarter.ledger.registry.registry()
    async with quarter.portal_away(), quarter.calling() as caller:
        for _ in range(3):
            assert "no connection" in await jobs.fails()
        for watch in (quarter.relay.registry, quarter.relay.jobs):
            monkeypatch.setattr(watch, "_clock", lambda: time.time() + DAY_S)
        metrics = await quarter.metrics()
        assert (metrics[FAILURES], await quarter.ready()) == (3, [])
        assert min(metrics[AGE], metrics[SUCCESS_AGE]) > DAY_S - 60
        assert await quarter.ledger.registry.registry() == before
        quarter.registry.change(TWO, name="하루 뒤의 이름")
        quarter.registry.remove_service(f"{ONE}SVC02")
    assert set(caller.answers) == {"00000"}
    monkeypatch.undo()
    assert await jobs.run() == "taken: organisations 0 new, 1 changed, 0 gone; services 0 new, 0 changed, 1 gone"
    await quarter.follows()
    metrics = await quarter.metrics()
    assert (metrics[FAILURES], metrics[AGE] < 60) == (0, True)
