"""What the portal changes reaches gateway and authority within a second of its commit, and only those it is about."""

import asyncio
import time
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import datetime

import pytest
import pytest_asyncio
from stage.quarter import GONE, ONE, TWO, Caller, eventually, quarter_in

from relay.domain.authorization.consent import KOREA
from relay.sandbox.certificates import Authority
from relay.sandbox.login import LOGINS
from relay.sandbox.portal.rows import Service
from relay.sandbox.signing import IDENTITY_CERTIFIER

pytestmark = pytest.mark.asyncio(loop_scope="module")

NEW, SECRET = "ZOPA000003", "f1d2d2f924e986ac86fdf7b36c94bcdf32beec15"
HELD = "relay_directory_held_seconds"
LET_GO = "the held sync is dropped: the portal lists nothing harmful any more"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def standing(tmp_path_factory):
    """A quarter where all stands, and whose relay knows what its portal told once."""
    folder = tmp_path_factory.mktemp("changes") / "street"
    async with AsyncExitStack() as stack:  # what all stories change together stays below the guard's share
        quarter = await stack.enter_async_context(quarter_in(folder, portal={"guard": {"least": 8}}))
        await stack.enter_async_context(quarter.portal_up())
        jobs = await stack.enter_async_context(quarter.instance())
        assert (await jobs.run()).startswith("taken")
        await stack.enter_async_context(quarter.authority_up())
        await stack.enter_async_context(quarter.gateway_up())
        yield quarter, jobs


@pytest_asyncio.fixture(loop_scope="module")
async def quarter(standing):
    """The quarter with everybody as they were, whatever a story changed before."""
    quarter, jobs = standing
    organisations, services = quarter.registry.organisations, quarter.registry.services
    yield quarter
    quarter.portal.misdeeds.behave()
    for one in quarter.registry.organisations.keys() - organisations.keys():
        quarter.registry.remove(one)
    for one in organisations.values():
        quarter.registry.put(one)
    for service in services.values():
        quarter.registry.put_service(service)
    if (await jobs.run("directory_full")).startswith("held"):
        held = await quarter.ledger.registry.held()
        await quarter.ledger.registry.release(held.hold_id, int(time.time()))
    await quarter.follows()


@pytest.fixture
def jobs(standing):
    return standing[1]


@pytest.fixture
def pair(quarter, tmp_path):
    """Certificates of the street's CA: `pair(serial_num)`."""
    authority = Authority.load(quarter.street.certificates.folder)

    def issued(serial_num):
        return authority.issue(serial_num, serial_number=serial_num, folder=tmp_path)

    return issued


async def taken(jobs):
    assert (await jobs.run()).startswith("taken")


async def comes_true(jobs, ask, wanted):
    """Ask until it is answered as `wanted`: how many seconds after the commit, a second at most."""

    async def answered():
        return await ask() == wanted

    await eventually(answered, wanted, 3.0)
    took = time.monotonic() - jobs.taken_at
    assert took < 1.0
    return took


async def known_at_the_authority(server, bank):
    """The error of a refresh with a token nobody gave: `invalid_grant` once service and secret are known."""
    return (await server.refresh(bank, "no-such-token")).body["error"]


async def test_a_removed_operator_is_cut_off_within_a_second_and_nobody_else_notices(quarter, jobs):
    server = quarter.neighbours.server()
    tokens = await server.integrated(quarter.bank, LOGINS[-1])
    data = await quarter.call()
    busy = Caller(await quarter.line(), data)
    async with await quarter.line() as idle, quarter.calling(TWO) as other:
        assert (await idle.ask(data)).rsp_code == "00000"
        calling = asyncio.create_task(busy.run())
        quarter.registry.remove(ONE)
        await taken(jobs)
        with pytest.raises(GONE):
            await calling
        cut_off = time.monotonic() - jobs.taken_at
        assert await idle.hung_up()
        assert await quarter.ask() == "40103"
        assert cut_off < 1.0
        said = await server.refresh(quarter.bank, tokens["refresh_token"])
        assert (said.status, said.body["error"]) == (400, "unauthorized_client")
        assert await quarter.ask(pair=quarter.pair(TWO), caller=TWO) == "40101"
        assert (await quarter.neighbours.server(1).integrated(quarter.bank, LOGINS[-1]))["access_token"]
    assert set(busy.answers) == set(other.answers) == {"00000"}


async def test_a_new_operator_is_served_within_a_second(quarter, jobs, pair):
    theirs = pair("999-81-00777")
    known = quarter.registry.organisations[ONE]
    assert await quarter.ask(NEW, pair=theirs) == "40103"
    async with quarter.calling() as other:
        quarter.registry.put(replace(known, org_code=NEW, name="새 사업자", serial_num="999-81-00777"))
        quarter.registry.put_service(Service(f"{NEW}SVC01", NEW, "새 서비스", SECRET))
        await taken(jobs)
        await comes_true(jobs, lambda: quarter.ask(NEW, pair=theirs), "00000")
    assert set(other.answers) == {"00000"}


async def test_a_changed_address_is_the_only_one_from_then_on(quarter, jobs):
    assert await quarter.ask(address="127.0.0.2") == "40102"
    quarter.registry.change(ONE, addresses=("127.0.0.2",))
    await taken(jobs)
    await comes_true(jobs, quarter.ask, "40102")
    assert await quarter.ask(address="127.0.0.2") == "00000"
    assert await quarter.ask(TWO) == "00000"


async def test_a_new_certificate_takes_the_place_of_the_old_one(quarter, jobs, pair):
    fresh = pair("999-81-00778")
    assert await quarter.ask(pair=fresh) == "40103"
    quarter.registry.change(ONE, serial_num="999-81-00778")
    await taken(jobs)
    await comes_true(jobs, quarter.ask, "40103")
    assert await quarter.ask(pair=fresh) == "00000"
    assert await quarter.ask(TWO) == "00000"


async def test_a_new_client_secret_takes_the_place_of_the_old_one(quarter, jobs):
    bank, old = quarter.bank, quarter.neighbours.server()
    new = replace(old, client_secret=SECRET)
    assert await known_at_the_authority(old, bank) == "invalid_grant"
    assert await known_at_the_authority(new, bank) == "invalid_client"
    service = quarter.registry.services[old.client_id]
    quarter.registry.put_service(replace(service, client_secret=SECRET))
    await taken(jobs)
    await comes_true(jobs, lambda: known_at_the_authority(old, bank), "invalid_client")
    assert await known_at_the_authority(new, bank) == "invalid_grant"
    assert await quarter.ask() == "00000"


async def test_a_removed_service_has_no_tokens_and_gets_none(quarter, jobs):
    second = quarter.neighbours.server(service=1)
    assert await quarter.ask(service="SVC02") == "00000"
    quarter.registry.remove_service(second.client_id)
    await taken(jobs)
    await comes_true(jobs, lambda: quarter.ask(service="SVC02"), "40101")
    await comes_true(jobs, lambda: known_at_the_authority(second, quarter.bank), "invalid_client")
    assert await quarter.ask() == "00000"


async def test_a_removed_certifier_proves_nothing_any_more(quarter, jobs):
    server = quarter.neighbours.server()
    assert (await server.integrated(quarter.bank, LOGINS[-1]))["access_token"]
    quarter.registry.remove(IDENTITY_CERTIFIER)
    await taken(jobs)

    async def proved():
        said = await server.post("token", server.signed(quarter.bank, LOGINS[-1]))
        return said.body.get("error_description", "")

    await comes_true(jobs, proved, "요청 파라미터의 형식이 올바르지 않습니다: ca_code (중계기관에 등록된 통합인증기관)")
    assert await quarter.ask() == "00000"


async def test_transfer_slots_told_by_the_portal_refuse_scheduled_calls(quarter, jobs):
    now = datetime.now(KOREA)
    other_half = "0100:0700" if now.hour >= 12 else "1300:1900"

    async def scheduled():
        return await quarter.ask(api_type="scheduled")

    assert await scheduled() == "00000"
    quarter.registry.change(quarter.bank.org_code, slots=("0900:0900",))
    await taken(jobs)
    await quarter.follows()
    assert await scheduled() == "00000"  # 규격 3.3.3: six hours a day at least, or none
    quarter.registry.change(quarter.bank.org_code, slots=(other_half,))
    await taken(jobs)
    await comes_true(jobs, scheduled, "50009")
    assert await quarter.ask() == "00000"


async def test_a_mass_deletion_is_held_told_and_forgotten_when_the_portal_is_itself_again(quarter, jobs):
    before = await quarter.ledger.registry.registry()
    for api_id in ("지원-002", "지원-003"):
        quarter.portal.misbehave(api_id, "mass_deletion")
    async with quarter.calling() as caller:
        assert (await jobs.run()).startswith("held until a person releases it: ")
        await told_as_held(quarter)
        assert (await quarter.command("directory", "diff"))[0] == 1
        assert await quarter.ledger.registry.registry() == before
        assert await jobs.run() == f"nothing changed; {LET_GO}"
        await eventually(lambda: held_no_more(quarter), "nothing held")
    assert set(caller.answers) == {"00000"}


async def told_as_held(quarter):
    async def held():
        return (await quarter.metrics())[HELD] > 0

    await eventually(held, "the metric")


async def held_no_more(quarter):
    return (await quarter.metrics())[HELD] == 0


async def test_a_certificate_and_addresses_that_change_at_once_wait_for_a_person(quarter, jobs, pair):
    fresh = pair("999-81-00779")
    quarter.registry.change(ONE, serial_num="999-81-00779", addresses=("127.0.0.2",))
    async with quarter.calling(TWO) as other:
        said = f"held until a person releases it: serial_num and addresses would change within 7 days: {ONE}"
        assert await jobs.run() == said
        assert await jobs.run() == said
        await told_as_held(quarter)
        assert [await quarter.ask(), await quarter.ask(pair=fresh, address="127.0.0.2")] == ["00000", "40103"]
        code, words = await quarter.command("directory", "release", "--yes")
        assert (code, words.startswith("1 change applied")) == (0, True)
        released = time.monotonic()
        await eventually(lambda: refused(quarter), "a refusal")
        assert time.monotonic() - released < 1.0
        assert await quarter.ask(pair=fresh, address="127.0.0.2") == "00000"
        assert await held_no_more(quarter)
    assert set(other.answers) == {"00000"}
    assert await jobs.run() == "nothing changed"


async def refused(quarter):
    return await quarter.ask() == "40103"


async def test_settings_taken_anew_leave_who_may_call_to_the_portal(quarter, jobs):
    quarter.registry.change(TWO, addresses=("127.0.0.2",))
    await taken(jobs)
    await comes_true(jobs, lambda: quarter.ask(TWO), "40102")
    reloads = quarter.relay.reloads
    await quarter.gateway.reload()
    assert quarter.relay.reloads == reloads + 1
    assert [await quarter.ask(), await quarter.ask(TWO), await quarter.ready()] == ["00000", "40102", []]
