import json

import pytest

from relay.adapter.calls import ForwardedRequest, read_call
from relay.domain.fault import Refusal
from relay.policy.call.route import compile_routes
from relay.standard.catalogue import load_catalogue

ROUTES = compile_routes(load_catalogue())
HEADERS = {
    "x-api-tran-id": "ZOPA000001M00000000000001",
    "x-relay-consent": "c1",
    "x-client-id": "one",
    "x-user-ci": "ci",
    "x-api-type": "scheduled",
}


def read(method, target, body=b"", **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    fields = {name: value for name, value in (HEADERS | named).items() if value is not None}
    return read_call(ROUTES, ForwardedRequest(method, target, fields, body))


def test_a_get_is_read_with_its_query():
    api_code, call = read("GET", "/ZBAC000001/v1/bank/accounts?org_code=ZBAC000001&limit=10&next_page=a%2Bb")
    assert api_code == "BA01"
    assert call.parameters == {"org_code": "ZBAC000001", "limit": "10", "next_page": "a+b"}
    assert (call.org_code, call.tran_id) == ("ZBAC000001", HEADERS["x-api-tran-id"])
    assert (call.consent, call.client_id, call.user_ci, call.api_type) == ("c1", "one", "ci", "scheduled")


def test_a_post_is_read_with_its_body():
    body = json.dumps({"org_code": "ZBAC000001", "account_num": "1", "limit": 10}).encode()
    api_code, call = read("POST", "/ZBAC000001/v1/bank/accounts/deposit/transactions", body)
    assert (api_code, call.parameters) == ("BA04", {"org_code": "ZBAC000001", "account_num": "1", "limit": "10"})


def test_values_are_the_texts_that_the_gateway_has_checked():
    body = b'{"org_code":"ZBAC000001","account_num":true,"seqno":1.5,"later_field":[1],"another":null}'
    _, call = read("POST", "/ZBAC000001/v1/bank/accounts/deposit/detail", body)
    expected = {"account_num": "true", "seqno": "1.5", "later_field": "", "another": ""}
    assert call.parameters == {"org_code": "ZBAC000001", **expected}


def test_an_asset_in_the_path_is_a_parameter():
    api_code, call = read("GET", "/ZCDA000001/v1/card/cards/abc123?org_code=ZCDA000001")
    assert (api_code, call.parameters["card_id"]) == ("CD02", "abc123")


@pytest.mark.parametrize(
    ("target", "body", "headers", "fault"),
    [
        ("/ZBAC000001/v1/bank/nowhere", b"", {}, "endpoint_unknown"),
        ("/ZBAC000001/v1/bank/accounts/deposit/detail", b"{", {}, "body_not_json"),
        ("/ZBAC000001/v1/bank/accounts/deposit/detail", b"{}", {"x_relay_consent": None}, "header_missing"),
        ("/ZBAC000001/v1/bank/accounts/deposit/detail", b"{}", {"x_api_tran_id": "1"}, "header_missing"),
        ("/v1", b"{}", {}, "endpoint_unknown"),
    ],
)
def test_what_no_gateway_forwards_is_refused(target, body, headers, fault):
    with pytest.raises(Refusal) as caught:
        read("POST", target, body, **headers)
    assert caught.value.fault.name == fault
