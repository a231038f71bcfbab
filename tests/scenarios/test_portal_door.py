"""The portal's door over real sockets: who is turned away there, and what a good call gets from the authority."""

import asyncio
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode

import pytest
import pytest_asyncio
from stage.case import cases
from stage.institution import Institution
from stage.town import BANK, ONE, PORTAL, PORTALS_SECRET, portal_of, request, short_socket
from stage.verdict import happens
from stage.waiting import until

from relay.domain.authorization.consent import KOREA
from relay.runtime.processes.authority import AuthorityProcess

pytestmark = pytest.mark.asyncio(loop_scope="module")

DOWN = "ZBAA000002"
FORM = {"grant_type": "client_credentials", "client_id": "portalatrelay", "client_secret": PORTALS_SECRET}
TRAN_ID = f"{PORTAL}P00000000000001"


def TOWN(certificates):  # noqa: N802 - a constant of the module, made late
    sections = {"portal": portal_of(certificates), "authority": {"socket": short_socket()}}
    halves = [{"day": "daily", "start": "0000", "end": "1200"}, {"day": "daily", "start": "1200", "end": "0000"}]
    return [Institution(BANK, "bank"), Institution(DOWN, "bank", maintenance=halves)], sections


@pytest.mark.parametrize("case", [case for case in cases() if case.portal], ids=lambda case: case.name)
async def test_case(town, case):
    await happens(town, case)


class Portal:
    """The portal at the town's door."""

    def __init__(self, town):
        self.town, self.token = town, ""

    async def ask(self, method, target, body=b"", **fields):
        told = {"Host": "relay.test", "x-api-tran-id": TRAN_ID, "Authorization": self.token or None}
        told |= {name.replace("_", "-"): value for name, value in fields.items()}
        answer = await self.town.ask(request(method, target, told, body), self.town.certificates.portal)
        assert answer.headers["x-api-tran-id"] == TRAN_ID
        assert not [name for name in answer.headers if name.startswith("x-relay")]
        return answer

    async def redeem(self, **changes):
        form = urlencode(FORM | {"scope": "manage"} | changes).encode()
        return await self.ask("POST", "/mgmts/oauth/2.0/token", form, Content_Type="application/x-www-form-urlencoded")

    async def record(self):
        exchange = await self.town.record()
        return exchange.api_code, exchange.operator, exchange.client_id, exchange.provider, exchange.rsp_code


@asynccontextmanager
async def authority(town):
    """The authority as it is, on this loop."""
    standing = AuthorityProcess(town.folder / "relay.yaml")
    running = asyncio.get_running_loop().create_task(standing.run())
    await until(lambda: Path(town.relay.loaded.settings.authority.socket).exists() or running.done(), "its socket")
    try:
        yield
    finally:
        standing.stop()
        await running
        town.relay.authority.retire()


@pytest_asyncio.fixture(loop_scope="module")
async def portal(town):
    """The portal with its token, and the authority standing."""
    asking = Portal(town)
    async with authority(town):
        answer = await asking.redeem()
        assert answer.status == 200, answer
        asking.token = f"Bearer {answer.json()['access_token']}"
        await town.quiet()
        town.exchanges.clear()
        yield asking


async def test_without_an_authority_a_good_call_is_50001(town):
    answer = await Portal(town).ask("GET", f"/v1/mgmts/status?org_code={BANK}", Authorization="Bearer x")
    assert (answer.status, answer.rsp_code) == (500, "50001")
    exchange = await town.record()
    assert (exchange.reason, exchange.operator, exchange.api_code) == ("authority_unreachable", PORTAL, "S102")


@pytest.mark.parametrize(("org_code", "told"), [(BANK, "01"), (DOWN, "03")])
async def test_the_portal_hears_how_an_institution_is(portal, org_code, told):
    answer = await portal.ask("GET", f"/v1/mgmts/status?org_code={org_code}")
    assert (answer.status, answer.json()) == (200, {"rsp_code": "00000", "rsp_msg": "성공", "availability": told})
    assert answer.headers["cache-control"] == "no-store"
    assert await portal.record() == ("S102", PORTAL, "portalatrelay", org_code, "00000")


async def test_the_portal_hears_what_a_customer_consented_to(town, portal):
    ci = town.mint.customer(ONE, BANK, "bank")
    answer = await portal.ask(
        "POST",
        "/v1/mgmts/consents",
        f'{{"org_code":"{BANK}","user_ci":"{ci}"}}'.encode(),
        Content_Type="application/json; charset=UTF-8",
    )
    body = answer.json()
    assert (answer.status, body["is_member"], body["service_cnt"]) == (200, "true", "1")
    assert body["service_list"][0]["client_id"] == f"{ONE}SVC01"
    assert await portal.record() == ("S103", PORTAL, "portalatrelay", BANK, "00000")


async def test_the_portal_has_a_week_sent_again(town, portal):
    sunday = datetime.now(KOREA) - timedelta(days=datetime.now(KOREA).isoweekday() % 7)
    week = f"org_code={BANK}&org_type=03&inquiry_date={sunday:%Y%m%d}&type=1"
    answer = await portal.ask("GET", f"/v1/mgmts/req-statistics?{week}")
    assert (answer.status, answer.rsp_code) == (200, "00000")
    (wanted,) = await town.relay.ledger.statistics.requested_sendings()
    assert (wanted.week, wanted.provider, wanted.type) == (f"{sunday:%Y%m%d}", BANK, "1")


async def test_a_wrong_secret_is_an_invalid_client_and_no_institution_was_asked_for_anything(town, portal):
    answer = await portal.redeem(client_secret="wrong")
    assert (answer.status, answer.json()["error"]) == (400, "invalid_client")
    exchange = await town.record()
    assert (exchange.api_code, exchange.error, exchange.operator) == ("S101", "invalid_client", PORTAL)
    assert town.bank.seen == []


async def test_the_portals_token_opens_no_data(town, portal):
    answer = await portal.ask(
        "GET", f"/v1/bank/accounts?org_code={BANK}&limit=1&search_timestamp=0", x_api_type="user-refresh"
    )
    assert (answer.status, answer.rsp_code) == (401, "40101")
    assert town.exchanges[0].reason == "token_malformed"


async def test_a_customers_token_opens_no_support_api(town, portal):
    token = town.mint.good(ONE, BANK, "bank")
    answer = await portal.ask("GET", f"/v1/mgmts/status?org_code={BANK}", Authorization=f"Bearer {token}")
    assert (answer.status, answer.rsp_code) == (401, "40101")
