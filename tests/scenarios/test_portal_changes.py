"""Changes of the portal reach gateway and authority within a second of their commit."""

import asyncio
import time
from dataclasses import replace
from datetime import datetime

import pytest
import pytest_asyncio
from fixtures.portal_environment import (
    DISCONNECTED,
    ONE,
    TWO,
    RepeatingCaller,
    eventually,
    open_synchronized_environment,
)
from fixtures.waiting import read_run_time
from mydata_sandbox.credentials.authority import CertificateAuthority
from mydata_sandbox.institution.login import LOGINS
from mydata_sandbox.parties import IDENTITY_CERTIFIER
from mydata_sandbox.portal.rows import Service

from relay.domain.korea import KOREA

pytestmark = pytest.mark.asyncio(loop_scope="module")

BOUND_S = 1.0
"""Longest run time from a commit to its effect; about 0.3 s. `read_run_time` leaves out what a busy machine takes."""
NEW, SECRET = "ZOPA000003", "f1d2d2f924e986ac86fdf7b36c94bcdf32beec15"
HELD = "relay_directory_held_seconds"
DROPPED = "the held sync is dropped: the portal lists nothing harmful any more"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def module_env(tmp_path_factory):
    """A running environment whose relay has synchronized once with its portal."""
    folder = tmp_path_factory.mktemp("changes") / "env"
    guard = {"least": 8}  # the changes of all tests together stay below the guard's share
    async with open_synchronized_environment(folder, portal={"guard": guard}) as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="module")
async def env(module_env):
    """The environment. Restores the portal's registry after each test."""
    env, jobs = module_env
    organisations, services = env.registry.organisations, env.registry.services
    yield env
    env.portal.failures.reset()
    for org_code in env.registry.organisations.keys() - organisations.keys():
        env.registry.remove(org_code)
    for organisation in organisations.values():
        env.registry.put(organisation)
    for service in services.values():
        env.registry.put_service(service)
    if (await jobs.run("directory_full")).startswith("held"):
        held = await env.ledger.registry.held()
        await env.ledger.registry.release(held.hold_id, int(time.time()))
    await env.wait_for_registry()


@pytest.fixture
def jobs(module_env):
    return module_env[1]


@pytest.fixture
def pair(env, tmp_path):
    """Issues certificates of the sandbox CA: `pair(serial_num)`."""
    authority = CertificateAuthority.load(env.sandbox.certificates.folder)

    def issue(serial_num):
        return authority.issue(serial_num, serial_number=serial_num, folder=tmp_path)

    return issue


async def sync_changes(jobs):
    assert (await jobs.run()).startswith("taken")


async def assert_within_a_second(jobs, ask, wanted):
    """Calls `ask` until it returns `wanted`, at most a second of run time after the commit. Returns the seconds."""

    async def is_answered():
        return await ask() == wanted

    await eventually(is_answered, wanted)
    took = read_run_time() - jobs.committed_at
    assert took < BOUND_S
    return took


async def refresh_unknown_token(server, bank):
    """Returns the error of a refresh with an unknown token: `invalid_grant` once service and secret are known."""
    return (await server.refresh(bank, "no-such-token")).body["error"]


async def test_a_removed_operator_is_cut_off_within_a_second(env, jobs):
    server = env.servers.server()
    tokens = await server.get_tokens(env.bank, LOGINS[-1])
    data = await env.build_call()
    busy = RepeatingCaller(await env.connect(), data)
    async with await env.connect() as idle, env.run_caller(TWO) as other:
        assert (await idle.call(data)).rsp_code == "00000"
        calling = asyncio.create_task(busy.run())
        env.registry.remove(ONE)
        await sync_changes(jobs)
        with pytest.raises(DISCONNECTED):
            await calling
        cut_off = read_run_time() - jobs.committed_at
        assert await idle.is_closed()
        assert await env.call() == "40103"
        assert cut_off < BOUND_S
        response = await server.refresh(env.bank, tokens["refresh_token"])
        assert (response.status, response.body["error"]) == (400, "unauthorized_client")
        assert await env.call(pair=env.get_pair(TWO), caller=TWO) == "40101"
        assert (await env.servers.server(1).get_tokens(env.bank, LOGINS[-1]))["access_token"]
    assert set(busy.answers) == set(other.answers) == {"00000"}


async def test_a_new_operator_is_served_within_a_second(env, jobs, pair):
    new_pair = pair("999-81-00777")
    known = env.registry.organisations[ONE]
    assert await env.call(NEW, pair=new_pair) == "40103"
    async with env.run_caller() as other:
        env.registry.put(replace(known, org_code=NEW, name="새 사업자", serial_num="999-81-00777"))
        env.registry.put_service(Service(f"{NEW}SVC01", NEW, "새 서비스", SECRET))
        await sync_changes(jobs)
        await assert_within_a_second(jobs, lambda: env.call(NEW, pair=new_pair), "00000")
    assert set(other.answers) == {"00000"}


async def test_a_changed_address_replaces_the_old_one(env, jobs):
    assert await env.call(address="127.0.0.2") == "40102"
    env.registry.change(ONE, addresses=("127.0.0.2",))
    await sync_changes(jobs)
    await assert_within_a_second(jobs, env.call, "40102")
    assert await env.call(address="127.0.0.2") == "00000"
    assert await env.call(TWO) == "00000"


async def test_a_new_certificate_replaces_the_old_one(env, jobs, pair):
    fresh = pair("999-81-00778")
    assert await env.call(pair=fresh) == "40103"
    env.registry.change(ONE, serial_num="999-81-00778")
    await sync_changes(jobs)
    await assert_within_a_second(jobs, env.call, "40103")
    assert await env.call(pair=fresh) == "00000"
    assert await env.call(TWO) == "00000"


async def test_a_new_client_secret_replaces_the_old_one(env, jobs):
    bank, old = env.bank, env.servers.server()
    new = replace(old, client_secret=SECRET)
    assert await refresh_unknown_token(old, bank) == "invalid_grant"
    assert await refresh_unknown_token(new, bank) == "invalid_client"
    service = env.registry.services[old.client_id]
    env.registry.put_service(replace(service, client_secret=SECRET))
    await sync_changes(jobs)
    await assert_within_a_second(jobs, lambda: refresh_unknown_token(old, bank), "invalid_client")
    assert await refresh_unknown_token(new, bank) == "invalid_grant"
    assert await env.call() == "00000"


async def test_a_removed_service_has_no_tokens_and_gets_none(env, jobs):
    second = env.servers.server(service=1)
    assert await env.call(service="SVC02") == "00000"
    env.registry.remove_service(second.client_id)
    await sync_changes(jobs)
    await assert_within_a_second(jobs, lambda: env.call(service="SVC02"), "40101")
    await assert_within_a_second(jobs, lambda: refresh_unknown_token(second, env.bank), "invalid_client")
    assert await env.call() == "00000"


async def test_a_removed_certifier_is_no_longer_accepted(env, jobs):
    server = env.servers.server()
    assert (await server.get_tokens(env.bank, LOGINS[-1]))["access_token"]
    env.registry.remove(IDENTITY_CERTIFIER)
    await sync_changes(jobs)

    async def get_error_description():
        response = await server.post("token", server.build_signed_form(env.bank, LOGINS[-1]))
        return response.body.get("error_description", "")

    await assert_within_a_second(
        jobs,
        get_error_description,
        "요청 파라미터의 형식이 올바르지 않습니다: ca_code (중계기관에 등록된 통합인증기관)",
    )
    assert await env.call() == "00000"


async def test_transfer_slots_of_the_portal_refuse_scheduled_calls(env, jobs):
    now = datetime.now(KOREA)
    other_half = "0100:0700" if now.hour >= 12 else "1300:1900"

    async def call_scheduled():
        return await env.call(api_type="scheduled")

    assert await call_scheduled() == "00000"
    env.registry.change(env.bank.org_code, slots=("0900:0900",))
    await sync_changes(jobs)
    await env.wait_for_registry()
    assert await call_scheduled() == "00000"  # 규격 3.3.3: six hours a day at least, or none
    env.registry.change(env.bank.org_code, slots=(other_half,))
    await sync_changes(jobs)
    await assert_within_a_second(jobs, call_scheduled, "50009")
    assert await env.call() == "00000"


async def test_a_mass_deletion_is_held_and_dropped_after_recovery(env, jobs):
    before = await env.ledger.registry.registry()
    for api_id in ("지원-002", "지원-003"):
        env.portal.plan_failure(api_id, "mass_deletion")
    async with env.run_caller() as caller:
        assert (await jobs.run()).startswith("held until a person releases it: ")
        await wait_until_held(env)
        assert (await env.run_command("directory", "diff"))[0] == 1
        assert await env.ledger.registry.registry() == before
        assert await jobs.run() == f"nothing changed; {DROPPED}"
        await eventually(lambda: is_nothing_held(env), "nothing held")
    assert set(caller.answers) == {"00000"}


async def wait_until_held(env):
    async def is_held():
        return (await env.read_fresh_metrics())[HELD] > 0

    await eventually(is_held, "the metric")


async def is_nothing_held(env):
    return (await env.read_fresh_metrics())[HELD] == 0


async def test_changing_certificate_and_addresses_needs_a_release(env, jobs, pair):
    fresh = pair("999-81-00779")
    env.registry.change(ONE, serial_num="999-81-00779", addresses=("127.0.0.2",))
    async with env.run_caller(TWO) as other:
        result = f"held until a person releases it: serial_num and addresses would change within 7 days: {ONE}"
        assert await jobs.run() == result
        assert await jobs.run() == result
        await wait_until_held(env)
        assert [await env.call(), await env.call(pair=fresh, address="127.0.0.2")] == ["00000", "40103"]
        code, words = await env.run_command("directory", "release", "--yes")
        assert (code, words.startswith("1 change applied")) == (0, True)
        released = read_run_time()
        await eventually(lambda: is_refused(env), "a refusal")
        assert read_run_time() - released < BOUND_S
        assert await env.call(pair=fresh, address="127.0.0.2") == "00000"
        assert await is_nothing_held(env)
    assert set(other.answers) == {"00000"}
    assert await jobs.run() == "nothing changed"


async def is_refused(env):
    return await env.call() == "40103"


async def test_a_reload_keeps_the_operators_of_the_portal(env, jobs):
    env.registry.change(TWO, addresses=("127.0.0.2",))
    await sync_changes(jobs)
    await assert_within_a_second(jobs, lambda: env.call(TWO), "40102")
    reloads = env.gateway.reloader.applied
    await env.gateway.reload()
    assert env.gateway.reloader.applied == reloads + 1
    assert [await env.call(), await env.call(TWO), await env.find_missing()] == ["00000", "40102", []]
