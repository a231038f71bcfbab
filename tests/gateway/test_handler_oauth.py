import json

import pytest

from relay.domain.fault import FAULTS
from relay.domain.party import Peer
from relay.gateway.caller_connection import ConnectionInfo
from relay.policy.call.plan import AUTHORITY_RATE_KEY
from relay.wire.head import ProtocolError, Violation

TRAN_ID = "ZOPA000001M00000000000001"
TOKEN, AUTHORIZE = "/oauth/2.0/token", "/oauth/2.0/authorize"
FULL = {"full": "operator_rate", "all full": "provider_rate"}
FORM = {"x_api_type": None, "Authorization": None, "Content_Type": "application/x-www-form-urlencoded"}


def test_an_oauth_call_is_forwarded_with_the_operators_org_code(scene, authority_quotas):
    smuggled = {"x_relay_operators": "ZOPA000002", "x_relay_fault": "serial_unknown"}
    scene.ask(TOKEN, "POST", body=b"grant_type=x", **FORM, **smuggled)
    request = scene.authority.asked[0](0)
    assert request.startswith(b"POST /oauth/2.0/token HTTP/1.1\r\nHost: authority\r\n")
    assert request.count(b"x-relay-") == 1
    assert b"\r\nx-relay-operators: ZOPA000001\r\n" in request
    assert request.endswith(b"\r\n\r\ngrant_type=x")
    assert (scene.upstream.asked, scene.counters.taken) == ([], [])
    assert authority_quotas.taken == [("ZOPA000001", AUTHORITY_RATE_KEY, "", False, 1.0)]


def test_notes_of_the_authority_are_recorded_and_not_forwarded(scene):
    scene.ask(TOKEN, "POST", **FORM)
    notes = {b"content-length": b"1", b"x-relay-api-code": b"AU02", b"x-relay-provider": b"ZBAA000001"}
    scene.authority.receiver.response_received(200, notes, b'{"access_token":"x"}')
    assert "x-relay" not in scene.connection.head
    (exchange,) = scene.records
    assert (exchange.api_code, exchange.provider) == ("AU02", "ZBAA000001")
    assert (exchange.operator, exchange.status) == ("ZOPA000001", 200)


def test_a_token_is_refused_before_the_response_that_revoked_it(scene):
    scene.ask("/oauth/2.0/revoke", "POST", **FORM)
    send_response = scene.connection.send_response
    seen = []

    def note_revocation(raw):
        seen.append(scene.grants.grant.is_revoked)
        send_response(raw)

    scene.connection.send_response = note_revocation
    revoked = {b"content-length": b"1", b"x-relay-revoked": b"other,one"}
    scene.authority.receiver.response_received(200, revoked, b'{"rsp_code":"00000"}')
    assert seen == [True]
    assert "x-relay" not in scene.connection.head
    scene.connection.send_response = send_response
    scene.ask()
    assert scene.recorded[-1] == "token_revoked"


@pytest.mark.parametrize(
    ("case", "call", "error", "reason"),
    [
        ("unknown", (TOKEN, "POST"), (400, "unauthorized_client"), "serial_unknown"),
        ("beyond limit", (TOKEN, "POST"), (503, "temporarily_unavailable"), "connections_exceeded"),
        ("beyond limit", (AUTHORIZE, "GET"), (503, "temporarily_unavailable"), "connections_exceeded"),
        ("full", (TOKEN, "POST"), (503, "temporarily_unavailable"), "operator_rate"),
        ("all full", (TOKEN, "POST"), (503, "temporarily_unavailable"), "authority_busy"),
        ("busy", (TOKEN, "POST"), (503, "temporarily_unavailable"), "authority_busy"),
        ("valid", (TOKEN, "GET"), (405, "method_not_allowed"), "method_not_allowed"),
        ("valid", (AUTHORIZE, "POST"), (405, "method_not_allowed"), "method_not_allowed"),
        ("no tran_id", (TOKEN, "POST"), (400, "invalid_request"), "header_malformed"),
    ],
)
def test_a_refusal_of_the_gateway_uses_the_dialect_of_the_path(scene, case, call, error, reason):
    scene.connection.info = ConnectionInfo(
        Peer("1" if case == "unknown" else "9998101001", "192.0.2.1"), is_excess=case == "beyond limit"
    )
    scene.authority.busy, scene.dependencies.authority_quotas.full = case == "busy", FULL.get(case, "")
    scene.ask(*call, **FORM | ({"x_api_tran_id": "short"} if case == "no tran_id" else {}))
    assert (int(scene.connection.head.split()[1]), json.loads(scene.connection.body)["error"]) == error
    assert [(exchange.reason, exchange.status) for exchange in scene.records] == [(reason, error[0])]
    assert ("retry-after: 2\r\n" in scene.connection.head + "\r\n") is (case in FULL)
    assert (scene.authority.asked, scene.gateway.in_flight) == ([], 0)


@pytest.mark.parametrize(
    ("serial", "tran_id", "fault", "operators"),
    [("1", TRAN_ID, b"serial_unknown", b""), ("9998101001", "short", b"header_malformed", b"ZOPA000001")],
)
def test_only_authorize_is_forwarded_with_the_fault_of_its_caller(scene, serial, tran_id, fault, operators):
    scene.connection.info = ConnectionInfo(Peer(serial, "192.0.2.1"), is_excess=False)
    scene.ask(f"{AUTHORIZE}?a=b", **FORM | {"x_api_tran_id": tran_id})
    request = scene.authority.asked[0](0)
    assert b"\r\nx-relay-fault: " + fault + b"\r\n" in request
    assert b"\r\nx-relay-operators: " + operators + b"\r\n" in request


@pytest.mark.parametrize(
    ("fault", "ours"),
    [
        ("connect_refused", "authority_unreachable"),
        ("provider_reset", "authority_unreachable"),
        ("provider_broken", "authority_unreachable"),
        ("provider_silent", "authority_silent"),
    ],
)
def test_a_failure_of_the_authority_is_the_relays_fault(scene, fault, ours):
    scene.ask(TOKEN, "POST", **FORM)
    scene.authority.receiver.request_failed(FAULTS[fault])
    assert json.loads(scene.connection.body)["error"] == "temporarily_unavailable"
    assert [(exchange.reason, exchange.status, exchange.error) for exchange in scene.records] == [
        (ours, 503, "temporarily_unavailable")
    ]


def test_a_malformed_oauth_request_is_refused_with_an_oauth_error(scene):
    scene.connection.will_close = True
    raw = b"POST /oauth/2.0/token HTTP/1.1\r\na b\r\n"
    scene.gateway.protocol_error_received(scene.connection, ProtocolError(Violation.HEAD_MALFORMED, raw))
    assert json.loads(scene.connection.body)["error"] == "invalid_request"


@pytest.mark.parametrize("grant", ["authorization_code", "refresh_token", "password"])
def test_a_token_call_shares_permits_by_operator_and_grant_type(scene, grant):
    scene.ask("/oauth/2.0/token", "POST", body=f"org_code=a&grant_type={grant}".encode())
    assert scene.authority.shares == [("ZOPA000001", grant)]
