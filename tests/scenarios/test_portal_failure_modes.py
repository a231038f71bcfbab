"""Failures of the portal during a sync: the registry stays consistent and recovers by itself."""

import time
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
import pytest_asyncio
from mydata_sandbox.environment.build import build
from mydata_sandbox.environment.serving import serve_environment
from mydata_sandbox.parties import RELAY_CODE
from mydata_sandbox.portal.failure_modes import FAILURE_MODES

from relay.jobs.sync import SyncFailed
from relay.runtime.commands.migrate import prepare_ledger
from relay.runtime.settings.loading import load_settings
from relay.runtime.wiring.jobs import build_job_set
from relay.runtime.wiring.ledger import build_ledger
from relay.standard.catalogue import load_catalogue

pytestmark = pytest.mark.asyncio(loop_scope="module")

SHORT_TIMEOUTS = {"RELAY__PORTAL__TIMEOUTS__TOTAL_S": "1.0", "RELAY__PORTAL__TIMEOUTS__BACKOFF_S": "0.001"}
API_IDS = ("지원-001", "지원-002", "지원-003")
TRANSIENT = ("slow", "error_500", "garbage", "html", "token_expired", "wrong_tran_id", "reset")
"""Failures that a retry recovers from."""
TRANSIENT_CASES = [(api_id, how) for how in TRANSIENT for api_id in API_IDS if api_id in FAILURE_MODES[how][1]]
INVALID_LISTS = [(api_id, how) for how in ("half_list", "doubled") for api_id in ("지원-002", "지원-003")]
INVALID_LISTS += [("지원-002", "unknown_org_type"), ("지원-002", "missing_serial"), ("지원-002", "huge")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def module_env(tmp_path_factory):
    """A sandbox with a portal, the jobs and the ledger of its relay, synchronized once."""
    sandbox = build(tmp_path_factory.mktemp("failures") / "env", datetime.now(UTC), portal=True)
    async with serve_environment(sandbox, load_catalogue(), {}) as portal:
        portal.slow_s = 1.5
        loaded = load_settings(sandbox.settings, SHORT_TIMEOUTS)
        await prepare_ledger(loaded.settings.ledger)
        ledger = build_ledger(loaded.settings.ledger)
        job_set = build_job_set(loaded, ledger)
        fence = (await ledger.jobs.lead("test", 3600, 1)).fence
        await job_set.sync.run(full=False, fence=fence, now=int(time.time()))
        yield SimpleNamespace(portal=portal, ledger=ledger, sync=job_set.sync, fence=fence)
        await job_set.close()
        await ledger.close()


@pytest_asyncio.fixture(loop_scope="module")
async def jobs(module_env):
    """The jobs, a portal without failures, and one change that is not synchronized yet."""
    module_env.portal.failures.reset()
    before = (await module_env.ledger.registry.registry()).number
    name = f"이름{before}"
    module_env.portal.service.registry.change("ZOPA000002", name=name)

    async def run(*, full=False):
        return await module_env.sync.run(full=full, fence=module_env.fence, now=int(time.time()))

    async def registry():
        return await module_env.ledger.registry.registry()

    yield SimpleNamespace(portal=module_env.portal, run=run, registry=registry, name=name, before=before)
    module_env.portal.failures.reset()
    await run()


async def assert_applied(jobs):
    """Asserts that the change was applied and nothing else."""
    registry = await jobs.registry()
    expected = jobs.portal.service.registry
    assert registry.organisations["ZOPA000002"].name == jobs.name
    assert registry.organisations.keys() == expected.organisations.keys()
    assert registry.services.keys() == expected.services.keys()


@pytest.mark.parametrize(("api_id", "how"), TRANSIENT_CASES)
async def test_a_sync_recovers_from_a_transient_failure(jobs, api_id, how):
    if api_id == "지원-001":
        jobs.portal.service.forget_tokens()  # otherwise no token is requested
    jobs.portal.plan_failure(api_id, how)
    assert (await jobs.run()).startswith("taken")
    await jobs.portal.wait_for_call(lambda request: (request.api_id, request.how) == (api_id, how))
    await assert_applied(jobs)


@pytest.mark.parametrize("how", ["error_500", "garbage", "html", "wrong_tran_id", "reset"])
@pytest.mark.parametrize("api_id", API_IDS)
async def test_a_lasting_failure_leaves_the_registry_unchanged(jobs, api_id, how):
    if api_id == "지원-001":
        jobs.portal.service.forget_tokens()
    jobs.portal.plan_failure(api_id, how, 50)
    with pytest.raises(SyncFailed):
        await jobs.run()
    assert (await jobs.registry()).number == jobs.before
    jobs.portal.failures.reset()
    assert (await jobs.run()).startswith("taken")
    await assert_applied(jobs)


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize(("api_id", "how"), INVALID_LISTS)
async def test_an_invalid_list_is_rejected_with_its_reason(jobs, api_id, how, full):
    jobs.portal.plan_failure(api_id, how, 50)
    with pytest.raises(SyncFailed) as failed:
        await jobs.run(full=full)
    assert len(str(failed.value)) > 20
    assert (await jobs.registry()).number == jobs.before
    jobs.portal.failures.reset()
    assert (await jobs.run(full=full)).startswith("taken")
    await assert_applied(jobs)


@pytest.mark.parametrize("full", [False, True])
async def test_a_mass_deletion_is_held_and_dropped_after_recovery(jobs, full):
    jobs.portal.plan_failure("지원-002", "mass_deletion")
    jobs.portal.plan_failure("지원-003", "mass_deletion")
    assert (await jobs.run(full=full)).startswith("held until a person releases it")
    assert (await jobs.registry()).number == jobs.before
    assert (await jobs.run(full=full)).startswith("taken")
    await assert_applied(jobs)


async def test_every_call_has_the_relays_org_code_and_a_new_tran_id(jobs):
    assert {request.caller for request in jobs.portal.received if request.status == 200} == {RELAY_CODE}
    assert len({request.tran_id for request in jobs.portal.received}) == len(jobs.portal.received)
