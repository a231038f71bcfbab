"""Tests of the bytes of calls: they are those that the relay itself sends."""

import json
from dataclasses import replace

from relay.policy.call.institution_request import InstitutionRequest, RequestTemplate
from relay.policy.conformance.call import API_TYPE, CLIENT_ID, ConformanceCall, write_call
from relay.standard.catalogue import load_catalogue

APIS = load_catalogue().apis
URL = "https://bank.example:9443/relay"
TRAN_ID = "ZZRELAY001R00000000000001"
CARD = ConformanceCall(
    APIS["카드-008"], "/v1/card/cards/{card_id}/approval-domestic", {"card_id": "c 1", "limit": "5"}, "Q0k="
)
ACCOUNT = ConformanceCall(APIS["은행-002"], "/v1/bank/accounts/deposit/basic", {"account_num": "1"}, "Q0k=")


def write_as_the_gateway(call, **more):
    request = InstitutionRequest(
        [RequestTemplate.from_url(URL)],
        call.api.method,
        call.build_target().encode(),
        {b"x-api-tran-id": TRAN_ID.encode(), b"x-api-type": API_TYPE.encode()} | more.pop("headers", {}),
        call.build_body(),
        client_id=CLIENT_ID,
        ci=call.ci.encode(),
        **more,
    )
    return request.write(0)


def test_a_call_is_what_the_gateway_sends():
    assert write_call(CARD, URL, TRAN_ID) == write_as_the_gateway(CARD)
    assert write_call(ACCOUNT, URL, TRAN_ID) == write_as_the_gateway(ACCOUNT)


def test_further_headers_are_where_the_gateway_has_them():
    withheld = replace(ACCOUNT, headers={"x-consent-withheld": "trans_memo", "accept-encoding": "gzip"})
    expected = write_as_the_gateway(
        ACCOUNT, withheld=frozenset({"trans_memo"}), headers={b"accept-encoding": b"gzip"}, consent="conform"
    )
    assert write_call(withheld, URL, TRAN_ID, "conform") == expected


def test_parameters_of_the_path_are_not_in_the_query():
    assert CARD.build_target() == "/v1/card/cards/c%201/approval-domestic?limit=5"


def test_a_changed_call_leaves_out_what_is_none():
    assert CARD.change(limit=None, next_page="a").parameters == {"card_id": "c 1", "next_page": "a"}


def test_another_method_moves_the_parameters():
    wrong = replace(CARD, method="POST")
    assert wrong.build_target() == "/v1/card/cards/c%201/approval-domestic"
    assert json.loads(wrong.build_body()) == dict(CARD.parameters)
    assert replace(ACCOUNT, method="GET").build_target() == "/v1/bank/accounts/deposit/basic?account_num=1"


def test_a_call_without_a_customer_has_no_header_of_it():
    assert b"x-user-ci" not in write_call(replace(CARD, ci=""), URL, TRAN_ID)
