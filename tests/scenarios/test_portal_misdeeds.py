"""The portal misbehaves, the jobs meet it over real sockets: the registry stays whole, and comes right by itself."""

import time
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
import pytest_asyncio

from relay.jobs.sync import SyncFailed
from relay.runtime.settings.loading import load_settings
from relay.runtime.wiring.jobs import build_job_set
from relay.runtime.wiring.ledger import build_ledger, prepare_ledger
from relay.sandbox.houses import RELAY_CODE
from relay.sandbox.portal.misdeeds import HOWS
from relay.sandbox.street import build, opened
from relay.standard.catalogue import load_catalogue

pytestmark = pytest.mark.asyncio(loop_scope="module")

QUICK = {"RELAY__PORTAL__TIMEOUTS__TOTAL_S": "1.0", "RELAY__PORTAL__TIMEOUTS__BACKOFF_S": "0.001"}
ASKED = ("지원-001", "지원-002", "지원-003")
BY_ITSELF = ("slow", "error_500", "garbage", "html", "token_expired", "wrong_tran_id", "reset")
"""What asking again helps against."""
PASSING = [(api_id, how) for how in BY_ITSELF for api_id in ASKED if api_id in HOWS[how][1]]
LASTING = [(api_id, how) for how in ("half_list", "doubled") for api_id in ("지원-002", "지원-003")]
LASTING += [("지원-002", "unknown_org_type"), ("지원-002", "missing_serial"), ("지원-002", "huge")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def standing(tmp_path_factory):
    """A street whose portal answers, the jobs of its relay, and the ledger; everything was taken once."""
    street = build(tmp_path_factory.mktemp("misdeeds") / "street", datetime.now(UTC), portal=True)
    async with opened(street, load_catalogue(), {}) as portal:
        portal.slow_s = 1.5
        loaded = load_settings(street.settings, QUICK)
        await prepare_ledger(loaded.settings.ledger)
        ledger = build_ledger(loaded.settings.ledger)
        labour = build_job_set(loaded, ledger)
        fence = (await ledger.jobs.lead("test", 3600, 1)).fence
        await labour.sync.run(full=False, fence=fence, now=int(time.time()))
        yield SimpleNamespace(portal=portal, ledger=ledger, sync=labour.sync, fence=fence)
        await labour.close()
        await ledger.close()


@pytest_asyncio.fixture(loop_scope="module")
async def jobs(standing):
    """The jobs with a portal that behaves, and one change at it that no sync has seen."""
    standing.portal.misdeeds.behave()
    before = (await standing.ledger.registry.registry()).number
    name = f"이름{before}"
    standing.portal.desk.registry.change("ZOPA000002", name=name)

    async def run(*, full=False):
        return await standing.sync.run(full=full, fence=standing.fence, now=int(time.time()))

    async def registry():
        return await standing.ledger.registry.registry()

    yield SimpleNamespace(portal=standing.portal, run=run, registry=registry, name=name, before=before)
    standing.portal.misdeeds.behave()
    await run()


async def taken(jobs):
    """The change was taken, and nothing else: everybody else is there as before."""
    registry = await jobs.registry()
    told = jobs.portal.desk.registry
    assert registry.organisations["ZOPA000002"].name == jobs.name
    assert registry.organisations.keys() == told.organisations.keys()
    assert registry.services.keys() == told.services.keys()


@pytest.mark.parametrize(("api_id", "how"), PASSING)
async def test_what_passes_is_got_over_within_one_sync(jobs, api_id, how):
    if api_id == "지원-001":
        jobs.portal.desk.forget_tokens()  # or nobody would ask for one
    jobs.portal.misbehave(api_id, how)
    assert (await jobs.run()).startswith("taken")
    await jobs.portal.heard(lambda one: (one.api_id, one.how) == (api_id, how))
    await taken(jobs)


@pytest.mark.parametrize("how", ["error_500", "garbage", "html", "wrong_tran_id", "reset"])
@pytest.mark.parametrize("api_id", ASKED)
async def test_what_does_not_pass_leaves_the_registry_as_it_was(jobs, api_id, how):
    if api_id == "지원-001":
        jobs.portal.desk.forget_tokens()
    jobs.portal.misbehave(api_id, how, 50)
    with pytest.raises(SyncFailed):
        await jobs.run()
    assert (await jobs.registry()).number == jobs.before
    jobs.portal.misdeeds.behave()
    assert (await jobs.run()).startswith("taken")
    await taken(jobs)


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize(("api_id", "how"), LASTING)
async def test_a_list_that_cannot_be_is_left_whole_and_told(jobs, api_id, how, full):
    jobs.portal.misbehave(api_id, how, 50)
    with pytest.raises(SyncFailed) as failed:
        await jobs.run(full=full)
    assert len(str(failed.value)) > 20
    assert (await jobs.registry()).number == jobs.before
    jobs.portal.misdeeds.behave()
    assert (await jobs.run(full=full)).startswith("taken")
    await taken(jobs)


@pytest.mark.parametrize("full", [False, True])
async def test_a_mass_deletion_is_held_and_gone_when_the_portal_is_itself_again(jobs, full):
    jobs.portal.misbehave("지원-002", "mass_deletion")
    jobs.portal.misbehave("지원-003", "mass_deletion")
    assert (await jobs.run(full=full)).startswith("held until a person releases it")
    assert (await jobs.registry()).number == jobs.before
    assert (await jobs.run(full=full)).startswith("taken")
    await taken(jobs)


async def test_the_relay_shows_its_own_name_in_every_call(jobs):
    assert {one.caller for one in jobs.portal.received if one.status == 200} == {RELAY_CODE}
    assert len({one.tran_id for one in jobs.portal.received}) == len(jobs.portal.received)
