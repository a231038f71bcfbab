import json
from datetime import UTC, date, datetime

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from mydata_sandbox.checks.conformance import find_violations
from mydata_sandbox.operator.client import IssuedToken, SimulatedOperator
from mydata_sandbox.operator.figures import Figures

from relay.domain.api import Catalogue
from relay.domain.ids import is_tran_id
from relay.standard.catalogue import load_catalogue

WHOLE = load_catalogue()
PAGES = {
    None: {"rsp_code": "00000", "rsp_msg": "ok", "next_page": "second", "card_cnt": "0", "card_list": []},
    "second": {
        "rsp_code": "00000",
        "rsp_msg": "ok",
        "card_cnt": "1",
        "card_list": [{"card_id": "C/1", "is_consent": "true"}],
    },
}


def only(*api_ids):
    return Catalogue({api_id: WHOLE.apis[api_id] for api_id in api_ids})


class Gateway:
    """A gateway with fixed responses that records requests."""

    def __init__(self):
        self.requests = []
        self.pages = dict(PAGES)
        self.echo = True
        self.status = 200

    async def handle(self, request):
        self.requests.append(request)
        body = self.pages[request.query.get("next_page")]
        headers = {"x-api-tran-id": request.headers["x-api-tran-id"]} if self.echo else {}
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return web.Response(status=self.status, body=content, headers=headers)


@pytest.fixture
def gateway():
    return Gateway()


@pytest.fixture
def figures():
    return Figures(lambda: datetime(2026, 11, 16, 3, 0, tzinfo=UTC))


@pytest.fixture
async def call_all(gateway, figures):
    app = web.Application()
    app.router.add_route("*", "/{anything:.*}", gateway.handle)

    async def call_apis(*api_ids, check=lambda _api, _body: [], token="the.token"):
        operator = SimulatedOperator(
            session,
            str(server.make_url("")).rstrip("/"),
            org_code="ZOPA000001",
            client_id="ZOPA000001SVC01",
            check=check,
            today=date(2026, 11, 22),
            figures=figures,
        )
        issued = IssuedToken("ZCDA000001", "card", token)
        return [call async for call in operator.call_all(only(*api_ids), [issued])]

    async with TestServer(app) as server, aiohttp.ClientSession() as session:
        yield call_apis


async def test_pages_of_a_list_are_one_call(call_all, gateway):
    (call,) = await call_all("카드-001")
    assert (call.ok, call.status, call.rsp_code, call.path) == (True, 200, "00000", "/v1/card/cards")
    first, second = (dict(request.query) for request in gateway.requests)
    assert first == {"org_code": "ZCDA000001", "search_timestamp": "0", "limit": "20"}
    assert second == {"org_code": "ZCDA000001", "next_page": "second", "limit": "20"}


async def test_each_request_has_its_own_tran_id_and_the_token(call_all, gateway):
    await call_all("카드-001")
    tran_ids = {request.headers["x-api-tran-id"] for request in gateway.requests}
    assert len(tran_ids) == 2
    assert all(is_tran_id(tran_id) and tran_id.startswith("ZOPA000001M") for tran_id in tran_ids)
    assert {request.headers["Authorization"] for request in gateway.requests} == {"Bearer the.token"}


async def test_an_api_without_scope_is_called_without_token(call_all, gateway):
    await call_all("정보제공-공통-001")
    assert "Authorization" not in gateway.requests[0].headers
    assert gateway.requests[0].query["client_id"] == "ZOPA000001SVC01"


async def test_values_of_a_list_are_used_and_not_reported(call_all, gateway):
    _, card = await call_all("카드-001", "카드-002")
    assert gateway.requests[2].raw_path.startswith("/v1/card/cards/C%2F1?")
    assert card.path == "/v1/card/cards/{card_id}"


async def test_a_detail_without_a_list_is_a_failed_call(call_all, gateway):
    (call,) = await call_all("카드-002")
    assert not call.ok
    assert call.status == 0
    assert gateway.requests == []


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"echo": False}, "x-api-tran-id"),
        ({"status": 500}, "HTTP 500"),
        ({"pages": {None: b"<html>"}}, "without a JSON object"),
        ({"pages": {None: b"[]"}}, "without a JSON object"),
        ({"pages": {None: {"rsp_code": "40402", "rsp_msg": "none"}}}, "40402 none"),
        ({"pages": {None: PAGES[None], "second": PAGES[None]}}, "next_page"),
    ],
)
async def test_a_failed_call_has_a_reason(call_all, gateway, wrong, words):
    for name, value in wrong.items():
        setattr(gateway, name, value)
    (call,) = await call_all("카드-001")
    assert not call.ok
    assert words in call.why[0]


async def test_a_response_is_validated_against_the_catalogue(call_all):
    (call,) = await call_all("카드-001", check=lambda api, body: [f"{api.api_id} has {len(body)} fields"])
    assert call.why == ["카드-001 has 5 fields"]


async def test_a_refused_connection_is_a_failed_call(unused_tcp_port):
    async with aiohttp.ClientSession() as session:
        operator = SimulatedOperator(
            session,
            f"http://127.0.0.1:{unused_tcp_port}",
            org_code="ZOPA000001",
            client_id="c",
            check=lambda _api, _body: [],
            today=date(2026, 11, 22),
            figures=figures,
        )
        (call,) = [call async for call in operator.call_all(only("카드-001"), [IssuedToken("ZCDA000001", "card", "t")])]
    assert "ClientConnectorError" in call.why[0]


async def test_each_page_is_counted_as_in_the_relay(call_all, gateway, figures):
    gateway.pages["second"] = {"rsp_code": "00001", "rsp_msg": "nothing new"}
    await call_all("카드-001")
    gateway.pages[None] = {"rsp_code": "50005", "rsp_msg": "away"}
    await call_all("카드-001")
    day = figures.body("ZOPA000001SVC01", "2", "20261122")["stat_date_list"][1]
    (api,) = day["org_list"][0]["api_type_list"]
    slot = api["tm_slot_list"][0]
    assert (api["api_type"], slot["success_api_cnt"], slot["fail_api_cnt"]) == ("CD01", "2", "1")


async def test_an_api_with_a_scope_is_not_called_without_a_token(call_all, gateway, figures):
    (call,) = await call_all("카드-001", token="")
    assert (call.ok, call.status, call.why) == (False, 0, ["not called: no token"])
    assert gateway.requests == []


async def test_numbers_without_quotes_are_a_remark_and_no_failure(call_all, gateway):
    gateway.pages[None] = gateway.pages[None] | {"card_cnt": 0}
    gateway.pages["second"] = gateway.pages["second"] | {"card_cnt": 1}
    (call,) = await call_all("카드-001", check=find_violations_of_counts)
    assert (call.ok, call.why) == (True, [])
    assert call.row()["remarks"] == ["$.card_cnt: should be a JSON string, like all values"]


def find_violations_of_counts(api, body):
    return [line for line in find_violations(api, body) if "card_cnt" in line]
