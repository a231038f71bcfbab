import json

import pytest

from relay.adapter.application import build_adapter_application, build_error_response
from relay.domain.fault import FAULTS, Refusal
from relay.policy.call.route import compile_routes
from relay.policy.upstream.adapter_headers import LINES_PATH
from relay.standard.catalogue import load_catalogue

TRAN_ID = "ZOPA000001M00000000000001"
HEADERS = {"x-api-tran-id": TRAN_ID, "x-relay-consent": "c1", "x-user-ci": "ci", "x-client-id": "one"}
PATH = "/ZBAC000001/v1/bank/accounts/invest/detail"
BODY = {"org_code": "ZBAC000001", "account_num": "110200300400", "seqno": "001"}


@pytest.fixture
async def client(plan, aiohttp_client):
    return await aiohttp_client(build_adapter_application(compile_routes(load_catalogue()), lambda: plan))


async def test_a_call_is_answered_with_its_tran_id(client, listed_core, cases):
    listed_core.responses = [cases["BA12"][1]]
    response = await client.post(PATH, json=BODY, headers=HEADERS)
    assert (response.status, response.headers["x-api-tran-id"]) == (200, TRAN_ID)
    assert response.headers["Content-Type"] == "application/json; charset=UTF-8"
    assert json.loads(await response.read())["rsp_code"] == "00000"
    assert not [name for name in response.headers if name.lower().startswith("x-relay")]


async def test_a_fault_is_reported_in_private_headers(client, listed_core):
    listed_core.responses = [Refusal(FAULTS["provider_silent"], "response")]
    response = await client.post(PATH, json=BODY, headers=HEADERS)
    assert (response.status, (await response.json())["rsp_code"]) == (500, "50003")
    assert (response.headers["x-relay-fault"], response.headers["x-relay-detail"]) == ("provider_silent", "response")


async def test_a_bug_is_logged_without_values_and_50001(client, listed_core, caplog):
    listed_core.responses = [KeyError("secret")]
    response = await client.post(PATH, json=BODY, headers=HEADERS)
    assert response.headers["x-relay-fault"] == "relay_broken"
    assert "adapted call failed: error=KeyError" in caplog.text
    assert "secret" not in caplog.text


async def test_a_request_without_consent_is_refused(client):
    response = await client.post(PATH, json=BODY)
    assert (response.status, response.headers["x-relay-fault"]) == (400, "header_missing")
    assert "x-api-tran-id" not in response.headers


@pytest.mark.parametrize(("lines", "status"), [(2, 200), (0, 503)])
async def test_open_lines_are_reported(client, listed_core, lines, status):
    listed_core.open_lines = lines
    assert (await client.get(f"/ZBAC000001{LINES_PATH}")).status == status
    assert (await client.get(f"/ZBAC000002{LINES_PATH}")).status == 503


async def test_health_is_answered(client):
    assert (await client.get("/health")).status == 200


@pytest.mark.parametrize(("status", "fault"), [(400, "head_malformed"), (500, "relay_broken")])
def test_malformed_http_has_an_answer_of_ours(status, fault):
    assert build_error_response(status).headers["x-relay-fault"] == fault
