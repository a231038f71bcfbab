import json
from datetime import date, datetime, timedelta

import pytest
from aiohttp.test_utils import TestClient, TestServer
from mydata_sandbox.checks.conformance import find_strict_violations
from mydata_sandbox.institution.provider import Provider, ProviderRequest, last_day_in_korea, today_in_korea
from mydata_sandbox.operator.request_values import build_next_page, build_request
from mydata_sandbox.world.ci import get_ci
from mydata_sandbox.world.handlers import DATA_HANDLERS
from mydata_sandbox.world.model import CUSTOMERS

from relay.domain.ids import INDUSTRIES
from relay.domain.korea import KOREA
from relay.standard.catalogue import load_catalogue

TODAY = date(2026, 11, 22)
CATALOGUE = load_catalogue()
CODE = "ZBAA000001"
TRAN_ID = "ZOPA000001M00000000000001"
LIST = {"org_code": CODE, "search_timestamp": "0", "limit": "20"}


def provider_of(industry):
    return Provider(CODE, industry, CATALOGUE, DATA_HANDLERS, today=lambda: TODAY)


def ask(provider, path, params, method="GET", **more):
    return provider.respond(ProviderRequest(method, path, params, **more))


def pages_of(provider, api, industry, params, ci):
    path = api.path_for(industry).replace("{card_id}", params.get("card_id", ""))
    params = {name: value for name, value in params.items() if name != "card_id"}
    while True:
        reply = ask(provider, path, params, api.method, user_ci=ci)
        yield reply
        cursor = reply.body.get("next_page")
        if cursor is None:
            return
        params = build_next_page(params, cursor)


@pytest.mark.parametrize("customer", CUSTOMERS, ids=lambda customer: f"customer{customer.number}")
@pytest.mark.parametrize("industry", INDUSTRIES)
def test_responses_of_all_apis_follow_the_catalogue(industry, customer):
    provider, answers, faults = provider_of(industry), {}, {}
    fixed = {"org_code": CODE, "client_id": "ZOPA000001SVC01"}
    for api in CATALOGUE.iter_apis(industry):
        params = build_request(api, fixed, answers, TODAY)
        replies = list(pages_of(provider, api, industry, params, get_ci(customer)))
        answers[api.api_id] = [reply.body for reply in replies]
        problems = [fault for reply in replies for fault in find_strict_violations(api, reply.body)]
        problems += [reply.body for reply in replies if reply.status != 200]
        if problems:
            faults[api.api_id] = problems
    assert faults == {}


def test_customers_differ_and_the_default_is_the_first():
    provider = provider_of("bank")
    first, second = (ask(provider, "/v1/bank/accounts", LIST, user_ci=get_ci(customer)) for customer in CUSTOMERS[:2])
    assert first.body != second.body
    assert ask(provider, "/v1/bank/accounts", LIST) == first


def test_the_api_list_has_all_apis_of_the_industry():
    body = ask(provider_of("telecom"), "/telecom/apis", {"org_code": CODE, "client_id": "c"}).body
    assert body["api_cnt"] == "6"
    assert {"api_code": "CM01", "api_uri": "/apis"} in body["api_list"]


@pytest.mark.parametrize(
    ("path", "params", "more", "refusal"),
    [
        ("/v1/bank/nothing", LIST, {}, (404, "40401")),
        ("/v1/card/cards", LIST, {}, (404, "40401")),
        ("/", {}, {}, (404, "40401")),
        ("/v1/bank/accounts", LIST, {"method": "POST"}, (405, "40501")),
        ("/v1/bank/accounts", LIST | {"org_code": "ZBAA000002"}, {}, (403, "40303")),
        ("/v1/bank/accounts", {"limit": "20"}, {}, (403, "40303")),
        ("/v1/bank/accounts", {"org_code": CODE}, {}, (400, "40001")),
        ("/v1/bank/accounts", LIST | {"limit": "501"}, {}, (400, "40001")),
        ("/v1/bank/accounts", LIST | {"limit": "many"}, {}, (400, "40001")),
        ("/v1/bank/accounts", LIST | {"next_page": "not ours"}, {}, (400, "40001")),
        ("/v1/bank/accounts", LIST, {"user_ci": "unknown"}, (404, "40403")),
        (
            "/v1/bank/accounts/deposit/transactions",
            {"org_code": CODE, "account_num": "1", "from_date": "20261301", "to_date": "20261101", "limit": "1"},
            {"method": "POST"},
            (400, "40001"),
        ),
        (
            "/v1/bank/accounts/deposit/basic",
            {"org_code": CODE, "account_num": "1", "search_timestamp": "0"},
            {"method": "POST"},
            (404, "40402"),
        ),
    ],
)
def test_a_wrong_request_gets_a_code_of_the_standard(path, params, more, refusal):
    reply = ask(provider_of("bank"), path, params, **more)
    assert (reply.status, reply.body["rsp_code"]) == refusal
    assert set(reply.body) == {"rsp_code", "rsp_msg"}


CUSTOMER = {"x-user-ci": get_ci(CUSTOMERS[0])}


@pytest.fixture
async def client():
    async with TestClient(TestServer(provider_of("bank").application())) as client:
        yield client


async def test_a_response_echoes_the_tran_id_and_is_json(client):
    answer = await client.get("/v1/bank/accounts", params=LIST, headers={"x-api-tran-id": TRAN_ID} | CUSTOMER)
    assert answer.headers["x-api-tran-id"] == TRAN_ID
    assert answer.headers["Content-Type"] == "application/json; charset=UTF-8"
    assert (await answer.json())["rsp_code"] == "00000"


async def test_a_refusal_echoes_the_tran_id_too(client):
    answer = await client.delete("/nowhere", headers={"x-api-tran-id": TRAN_ID})
    assert answer.status == 404
    assert answer.headers["x-api-tran-id"] == TRAN_ID


async def test_a_call_without_a_customer_gets_no_data(client):
    answer = await client.get("/v1/bank/accounts", params=LIST)
    assert (answer.status, (await answer.json())["rsp_code"]) == (404, "40403")
    answer = await client.get("/bank/apis", params={"org_code": CODE, "client_id": "service1"})
    assert (await answer.json())["rsp_code"] == "00000"


async def test_the_customer_is_identified_by_header(client):
    answer = await client.get("/v1/bank/accounts", params=LIST, headers={"x-user-ci": get_ci(CUSTOMERS[2])})
    expected = ask(provider_of("bank"), "/v1/bank/accounts", LIST, user_ci=get_ci(CUSTOMERS[2]))
    assert await answer.json() == expected.body


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff"])
async def test_a_body_without_an_object_is_refused(client, body):
    answer = await client.post("/v1/bank/accounts/deposit/basic", data=body)
    assert (answer.status, (await answer.json())["rsp_code"]) == (400, "40001")


async def test_numbers_and_booleans_of_2021_are_read_as_text(client):
    answer = await client.get("/v1/bank/accounts", params=LIST, headers=CUSTOMER)
    accounts = (await answer.json())["account_list"]
    params = {"org_code": CODE, "account_num": accounts[0]["account_num"], "search_timestamp": 0}
    answer = await client.post("/v1/bank/accounts/deposit/basic", data=json.dumps(params).encode(), headers=CUSTOMER)
    assert (await answer.json())["rsp_code"] == "00000"


def test_responses_have_no_future_dates():
    """Stories end with the last complete day, so no date is in the future at any hour."""
    bank, now = Provider(CODE, "bank", CATALOGUE, DATA_HANDLERS), datetime.now(KOREA)
    listed = ask(bank, "/v1/bank/accounts", LIST | {"limit": "500"}).body["account_list"]
    days = {"from_date": f"{now - timedelta(days=60):%Y%m%d}", "to_date": f"{now:%Y%m%d}", "limit": "500"}
    dates = []
    for row in listed:
        params = {"org_code": CODE, "account_num": row["account_num"], "currency_code": "KRW", **days}
        reply = ask(bank, "/v1/bank/accounts/deposit/transactions", params, "POST")
        dates += [row["trans_dtime"] for row in reply.body.get("trans_list", ())]
    assert dates
    assert max(dates) <= f"{now:%Y%m%d%H%M%S}"
    assert last_day_in_korea() == today_in_korea() - timedelta(days=1)
