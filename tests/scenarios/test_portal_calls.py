"""Support APIs over real sockets: refusals of the gateway and responses of the authority."""

import asyncio
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from urllib.parse import urlencode

import pytest
import pytest_asyncio
from fixtures.case import load_cases
from fixtures.gateway_environment import (
    BANK,
    ONE,
    PORTAL,
    PORTAL_SECRET,
    build_portal_settings,
    make_socket_path,
    request,
)
from fixtures.institution import Institution
from fixtures.verdict import run_case
from fixtures.waiting import START_S, until

from relay.domain.korea import KOREA
from relay.infra.authority.unix_listener import get_listening_pid
from relay.runtime.processes.authority import AuthorityProcess

pytestmark = pytest.mark.asyncio(loop_scope="module")

DOWN = "ZBAA000002"
FORM = {"grant_type": "client_credentials", "client_id": "portalatrelay", "client_secret": PORTAL_SECRET}
TRAN_ID = f"{PORTAL}P00000000000001"


def ENVIRONMENT(certificates):  # noqa: N802 - a constant that needs a fixture
    sections = {"portal": build_portal_settings(certificates), "authority": {"socket": make_socket_path()}}
    halves = [{"day": "daily", "start": "0000", "end": "1200"}, {"day": "daily", "start": "1200", "end": "0000"}]
    return [Institution(BANK, "bank"), Institution(DOWN, "bank", maintenance=halves)], sections


@pytest.mark.parametrize("case", [case for case in load_cases() if case.portal], ids=lambda case: case.name)
async def test_case(env, case):
    await run_case(env, case)


class Portal:
    """The portal as a caller of the relay."""

    def __init__(self, env):
        self.env, self.token = env, ""

    async def call(self, method, target, body=b"", **fields):
        headers = {"Host": "relay.test", "x-api-tran-id": TRAN_ID, "Authorization": self.token or None}
        headers |= {name.replace("_", "-"): value for name, value in fields.items()}
        answer = await self.env.call(request(method, target, headers, body), self.env.certificates.portal)
        assert answer.headers["x-api-tran-id"] == TRAN_ID
        assert not [name for name in answer.headers if name.startswith("x-relay")]
        return answer

    async def redeem(self, **changes):
        form = urlencode(FORM | {"scope": "manage"} | changes).encode()
        return await self.call("POST", "/mgmts/oauth/2.0/token", form, Content_Type="application/x-www-form-urlencoded")

    async def read_record(self):
        exchange = await self.env.get_exchange()
        return exchange.api_code, exchange.operator, exchange.client_id, exchange.provider, exchange.rsp_code


@asynccontextmanager
async def authority(env):
    """Runs the authority on this event loop."""
    process = AuthorityProcess(env.folder / "relay.yaml")
    running = asyncio.get_running_loop().create_task(process.run())
    path = env.relay.loaded.settings.authority.socket
    await until(lambda: get_listening_pid(path) or running.done(), "the authority listening", START_S)
    try:
        yield
    finally:
        process.stop()
        await running
        env.relay.authority.retire()


@pytest_asyncio.fixture(loop_scope="module")
async def portal(env):
    """The portal with its token, and a running authority."""
    caller = Portal(env)
    async with authority(env):
        answer = await caller.redeem()
        assert answer.status == 200, answer
        caller.token = f"Bearer {answer.json()['access_token']}"
        await env.wait_idle()
        env.exchanges.clear()
        yield caller


async def test_without_an_authority_a_good_call_is_50001(env):
    answer = await Portal(env).call("GET", f"/v1/mgmts/status?org_code={BANK}", Authorization="Bearer x")
    assert (answer.status, answer.rsp_code) == (500, "50001")
    exchange = await env.get_exchange()
    assert (exchange.reason, exchange.operator, exchange.api_code) == ("authority_unreachable", PORTAL, "S102")


@pytest.mark.parametrize(("org_code", "availability"), [(BANK, "01"), (DOWN, "03")])
async def test_status_returns_the_availability_of_an_institution(portal, org_code, availability):
    answer = await portal.call("GET", f"/v1/mgmts/status?org_code={org_code}")
    assert (answer.status, answer.json()) == (
        200,
        {"rsp_code": "00000", "rsp_msg": "성공", "availability": availability},
    )
    assert answer.headers["cache-control"] == "no-store"
    assert await portal.read_record() == ("S102", PORTAL, "portalatrelay", org_code, "00000")


async def test_consents_returns_the_consents_of_a_customer(env, portal):
    ci = env.tokens.customer(ONE, BANK, "bank")
    answer = await portal.call(
        "POST",
        "/v1/mgmts/consents",
        f'{{"org_code":"{BANK}","user_ci":"{ci}"}}'.encode(),
        Content_Type="application/json; charset=UTF-8",
    )
    body = answer.json()
    assert (answer.status, body["is_member"], body["service_cnt"]) == (200, "true", "1")
    assert body["service_list"][0]["client_id"] == f"{ONE}SVC01"
    assert await portal.read_record() == ("S103", PORTAL, "portalatrelay", BANK, "00000")


async def test_req_statistics_requests_a_week_again(env, portal):
    sunday = datetime.now(KOREA) - timedelta(days=datetime.now(KOREA).isoweekday() % 7)
    week = f"org_code={BANK}&org_type=03&inquiry_date={sunday:%Y%m%d}&type=1"
    answer = await portal.call("GET", f"/v1/mgmts/req-statistics?{week}")
    assert (answer.status, answer.rsp_code) == (200, "00000")
    (wanted,) = await env.relay.ledger.statistics.requested_sendings()
    assert (wanted.week, wanted.provider, wanted.type) == (f"{sunday:%Y%m%d}", BANK, "1")


async def test_a_wrong_secret_is_an_invalid_client(env, portal):
    answer = await portal.redeem(client_secret="wrong")
    assert (answer.status, answer.json()["error"]) == (400, "invalid_client")
    exchange = await env.get_exchange()
    assert (exchange.api_code, exchange.error, exchange.operator) == ("S101", "invalid_client", PORTAL)
    assert env.bank.received == []


async def test_the_portals_token_is_refused_for_data(env, portal):
    answer = await portal.call(
        "GET", f"/v1/bank/accounts?org_code={BANK}&limit=1&search_timestamp=0", x_api_type="user-refresh"
    )
    assert (answer.status, answer.rsp_code) == (401, "40101")
    assert env.exchanges[0].reason == "token_malformed"


async def test_a_customers_token_is_refused_for_support_apis(env, portal):
    token = env.tokens.get_valid(ONE, BANK, "bank")
    answer = await portal.call("GET", f"/v1/mgmts/status?org_code={BANK}", Authorization=f"Bearer {token}")
    assert (answer.status, answer.rsp_code) == (401, "40101")
