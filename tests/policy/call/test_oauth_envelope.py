"""Requests to the authority and its responses, by allow-list; only the relay names the operators."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.domain.exchange import Exchange
from relay.domain.fault import FAULTS, FaultOwner, Refusal
from relay.policy.call.oauth_envelope import (
    OAUTH_HEADERS,
    SUPPORT_HEADERS,
    build_refusal,
    build_request,
    build_response_head,
    build_support_head,
    classify_call,
    copy_record_headers,
    find_flaw,
    get_oauth_error,
    is_oauth_path,
    is_oauth_request,
    to_relay_fault,
)

TRAN_ID = b"ZOPA000001M00000000000001"
SENT = {
    b"host": b"relay.example",
    b"authorization": b"Bearer secret",
    b"cookie": b"a=b",
    b"x-api-tran-id": TRAN_ID,
    b"x-user-ci": b"the-ci",
    b"content-type": b"application/x-www-form-urlencoded",
    b"content-length": b"99",
    b"transfer-encoding": b"chunked",
    b"x-relay-operators": b"ZOPA000002",
    b"x-relay-fault": b"serial_unknown",
    b"x-forwarded-for": b"192.0.2.1",
}


def lines(raw):
    head, _, body = raw.partition(b"\r\n\r\n")
    first, *fields = head.split(b"\r\n")
    pairs = [tuple(field.split(b": ", 1)) for field in fields]
    assert len(dict(pairs)) == len(pairs)
    return first, dict(pairs), body


def test_a_form_has_the_operators_and_our_content_length():
    raw = build_request(
        "POST", b"/oauth/2.0/token", SENT, operators=("ZOPA000001", "ZOPB000001"), fault="", body=b"grant_type=x"
    )
    first, fields, body = lines(raw)
    assert (first, body) == (b"POST /oauth/2.0/token HTTP/1.1", b"grant_type=x")
    assert fields == {
        b"Host": b"authority",
        b"x-relay-operators": b"ZOPA000001,ZOPB000001",
        b"x-api-tran-id": TRAN_ID,
        b"x-user-ci": b"the-ci",
        b"content-type": b"application/x-www-form-urlencoded",
        b"Content-Length": b"12",
    }


def test_an_unidentified_caller_is_sent_with_the_fault():
    first, fields, body = lines(
        build_request("GET", b"/oauth/2.0/authorize?a=%20", {}, operators=(), fault="address_unknown", body=b"")
    )
    assert (first, body) == (b"GET /oauth/2.0/authorize?a=%20 HTTP/1.1", b"")
    assert fields == {b"Host": b"authority", b"x-relay-operators": b"", b"x-relay-fault": b"address_unknown"}


@pytest.mark.parametrize(
    ("allowed", "passed", "dropped"),
    [(OAUTH_HEADERS, b"x-user-ci", b"authorization"), (SUPPORT_HEADERS, b"authorization", b"x-user-ci")],
)
def test_each_allow_list_passes_its_own_header(allowed, passed, dropped):
    _, fields, _ = lines(
        build_request(
            "POST", b"/v1/mgmts/consents", SENT, operators=("ZPTL000001",), fault="", body=b"{}", allowed=allowed
        )
    )
    assert (fields[passed], dropped in fields) == (SENT[passed], False)


@pytest.mark.parametrize("status", [200, 400, 401, 403, 404, 405, 429, 500])
def test_support_responses_have_data_statuses_and_no_store(status):
    headers = {b"cache-control": b"no-store", b"x-relay-provider": b"ZBAA000001"}
    first, fields, _ = lines(build_support_head(status, TRAN_ID, headers, 2, close=False))
    assert first.startswith(b"HTTP/1.1 %d " % status)
    assert (fields[b"cache-control"], b"x-relay-provider" in fields) == (b"no-store", False)


@given(st.dictionaries(st.sampled_from([b"x-relay-provider", b"x-relay-fault", b"via", b"expect"]), st.binary()))
def test_unknown_headers_of_operators_are_not_passed(headers):
    without_headers = build_request("POST", b"/oauth/2.0/token", {}, operators=("ZOPA000001",), fault="", body=b"")
    assert (
        build_request("POST", b"/oauth/2.0/token", headers, operators=("ZOPA000001",), fault="", body=b"")
        == without_headers
    )


@pytest.mark.parametrize(
    ("status", "headers", "good"),
    [
        *[(status, {}, True) for status in (200, 302, 400, 405, 500, 503)],
        *[(status, {}, False) for status in (100, 201, 204, 301, 303, 401, 403, 404, 429, 502)],
        (200, {b"x-api-tran-id": TRAN_ID}, True),
        (200, {b"x-api-tran-id": b""}, False),
        (200, {b"x-api-tran-id": TRAN_ID[:-1] + b"2"}, False),
    ],
)
def test_a_response_has_an_oauth_status_and_this_tran_id(status, headers, good):
    assert (find_flaw(status, headers, TRAN_ID) == "") is good


@pytest.mark.parametrize("close", [True, False])
@pytest.mark.parametrize("length", [0, 5, None])
def test_a_response_passes_only_allowed_headers(length, close):
    seen = {b"location": b"https://one.example/", b"cache-control": b"no-store", b"pragma": b"no-cache"}
    kept = {b"x-relay-provider": b"ZBAA000001", b"server": b"x", b"set-cookie": b"a=b", b"content-type": b"text/html"}
    first, fields, _ = lines(build_response_head(302, TRAN_ID, seen | kept, length, close=close))
    framing = {b"Transfer-Encoding": b"chunked"} if length is None else {b"Content-Length": b"%d" % length}
    assert first == b"HTTP/1.1 302 Found"
    assert fields == {
        b"Content-Type": b"application/json; charset=UTF-8",
        b"x-api-tran-id": TRAN_ID,
        **seen,
        **framing,
        **({b"Connection": b"close"} if close else {}),
    }


def test_only_record_headers_are_copied():
    exchange = Exchange(1.0, 2.0)
    headers = {b"x-relay-api-code": b"AU02", b"x-relay-provider": b"P", b"x-relay-client-id": b"C"}
    copy_record_headers(
        exchange, headers | {b"x-relay-operator": b"O", b"x-relay-reason": b"R", b"x-relay-status": b"1"}
    )
    assert (exchange.api_code, exchange.provider, exchange.client_id, exchange.operator, exchange.reason) == (
        "AU02",
        *"PCOR",
    )
    copy_record_headers(exchange, {})
    assert (exchange.provider, exchange.status) == ("P", 0)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("serial_unknown", (400, "unauthorized_client")),
        ("address_unknown", (400, "unauthorized_client")),
        ("method_not_allowed", (405, "method_not_allowed")),
        ("operator_rate", (503, "temporarily_unavailable")),
        ("connections_exceeded", (503, "temporarily_unavailable")),
        ("authority_busy", (503, "temporarily_unavailable")),
        ("authority_unreachable", (503, "temporarily_unavailable")),
        ("authority_silent", (503, "temporarily_unavailable")),
        ("ledger_unreachable", (503, "temporarily_unavailable")),
        ("relay_broken", (500, "server_error")),
        ("header_missing", (400, "invalid_request")),
        ("endpoint_unknown", (404, "invalid_request")),
        ("target_malformed", (400, "invalid_request")),
        ("body_too_large", (400, "invalid_request")),
    ],
)
def test_a_fault_has_its_error(fault, error):
    assert get_oauth_error(FAULTS[fault]) == error


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
@pytest.mark.parametrize("detail", ["", "x-api-tran-id", "한글", '"\\'])
def test_every_refusal_is_json_with_no_store(fault, detail):
    first, fields, body = lines(build_refusal(Refusal(fault, detail, retry_after=1.2), TRAN_ID, close=False))
    content = json.loads(body)
    status, error = get_oauth_error(fault)
    assert (list(content), content["error"]) == (["error", "error_description"], error)
    assert content["error_description"] == (f"{fault.words}: {detail}" if detail else fault.words)
    assert first.startswith(b"HTTP/1.1 %d " % status)
    assert (fields[b"Content-Length"], fields[b"cache-control"]) == (b"%d" % len(body), b"no-store")
    assert fields.get(b"retry-after") == (b"2" if status == 503 else None)
    assert (b"allow" in fields) is (status == 405)


def test_faults_of_the_authority_are_the_relays():
    names = FAULTS.keys() - {"provider_maintenance"}  # the authority has no maintenance calendar
    for fault in map(FAULTS.__getitem__, names):
        assert to_relay_fault(fault).owner is (FaultOwner.RELAY if fault.owner is FaultOwner.PROVIDER else fault.owner)


@pytest.mark.parametrize(
    ("raw", "is_for_authority"),
    [
        (b"POST /oauth/2.0/token HTTP/1.1\r\n", True),
        (b"GET /oauth/", True),
        (b"DELETE /oauth/2.0/token HTTP/1.1\r\n", True),
        (b"POST /mgmts/oauth/2.0/token HTTP/1.1\r\n", True),
        (b"POST /v2/oauth/2.0/token HTTP/1.1\r\n", True),
        (b"GET /v1/mgmts/status HTTP/1.1\r\n", False),
        (b"GET /mgmts/x/oauth/ HTTP/1.1\r\n", False),
        (b"GET /v1/bank/accounts?x=/oauth/ HTTP/1.1", False),
        (b"x\r\nPOST /oauth/2.0/token", False),
        (b"", False),
    ],
)
def test_a_malformed_head_for_the_authority_is_detected(raw, is_for_authority):
    assert is_oauth_request(raw) is is_for_authority


@pytest.mark.parametrize(
    ("path", "oauth"),
    [
        (b"/oauth/2.0/token", True),
        (b"/mgmts/oauth/2.0/token", True),
        (b"/v1/mgmts/status", False),
        (b"/oauth", True),
        (b"/oauth2/token", False),
        (b"/oauth/2.0/nothing", True),
        (b"/v2/mgmts/oauth/2.0/token", True),
        (b"/v1/bank/oauth/", False),
    ],
)
def test_oauth_paths_are_detected(path, oauth):
    assert is_oauth_path(path) is oauth


@pytest.mark.parametrize(
    ("path", "body", "kind"),
    [
        (b"/oauth/2.0/token", b"grant_type=password&x=1", "password"),
        (b"/oauth/2.0/token", b"x=1&grant_type=refresh_token", "refresh_token"),
        (b"/oauth/2.0/token", b"grant%5Ftype=password", "/oauth/2.0/token"),
        (b"/oauth/2.0/token", b"grant_type=passwords", "/oauth/2.0/token"),
        (b"/oauth/2.0/token", b"xgrant_type=password", "/oauth/2.0/token"),
        (b"/oauth/2.0/revoke", b"grant_type=password", "/oauth/2.0/revoke"),
        (b"/v1/mgmts/status", b"", "/v1/mgmts/status"),
    ],
)
def test_authority_calls_are_classified(path, body, kind):
    assert classify_call(path, body) == kind
