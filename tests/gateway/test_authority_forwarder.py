import json

import pytest

from relay.domain.fault import FAULTS
from relay.domain.party import Peer
from relay.gateway.authority_forwarder import get_dialect
from relay.gateway.caller_connection import ConnectionInfo
from relay.gateway.dialect import DATA, OAUTH, SUPPORT
from relay.policy.call.plan import AUTHORITY_RATE_KEY
from relay.wire.head import ProtocolError, Violation

TOKEN, STATUS, CONSENTS, RESEND = (
    "/mgmts/oauth/2.0/token",
    "/v1/mgmts/status",
    "/v1/mgmts/consents",
    "/v1/mgmts/req-statistics",
)
METHODS = {TOKEN: "POST", STATUS: "GET", CONSENTS: "POST", RESEND: "GET"}
CODES = {TOKEN: "S101", STATUS: "S102", CONSENTS: "S103", RESEND: "S104"}
PORTAL, OPERATOR = Peer("9998100002", "192.0.2.9"), Peer("9998101001", "192.0.2.1")
GOOD = {"x_api_type": None, "x_api_tran_id": "ZPTL000001P00000000000001", "Authorization": "Bearer the-token"}


@pytest.fixture
def portal(scene, plan_with_portal):
    """A scene with a portal in the plan, which is the caller."""
    scene.gateway.swap(plan_with_portal, {}, scene.dependencies)
    scene.connection.info = ConnectionInfo(PORTAL, is_excess=False)
    return scene


def get_status(scene):
    return int(scene.connection.head.split()[1])


def get_code(scene):
    """Return the code of a refusal, in either dialect."""
    body = json.loads(scene.connection.body)
    return body.get("rsp_code") or body["error"]


@pytest.mark.parametrize("path", METHODS)
def test_a_support_call_is_forwarded_with_the_portals_org_code(portal, authority_quotas, path):
    smuggled = {"x_relay_operators": "ZOPA000001", "x_relay_fault": "serial_unknown", "Cookie": "a=b"}
    body = b"body" if METHODS[path] == "POST" else b""
    portal.ask(f"{path}?a=%20", METHODS[path], body=body, **GOOD | smuggled)
    request = portal.authority.asked[0](0)
    assert request.startswith(f"{METHODS[path]} {path}?a=%20 HTTP/1.1\r\nHost: authority\r\n".encode())
    assert b"\r\nx-relay-operators: ZPTL000001\r\n" in request
    assert (request.count(b"x-relay-"), request.count(b"ookie")) == (1, 0)
    assert request.endswith(b"\r\n\r\n" + body)
    assert authority_quotas.taken == [("ZPTL000001", AUTHORITY_RATE_KEY, "", False, 1.0)]
    assert (portal.upstream.asked, portal.counters.taken, portal.token_verifier.asked) == ([], [], [])


@pytest.mark.parametrize(("path", "is_forwarded"), [(TOKEN, False), (STATUS, True), (CONSENTS, True), (RESEND, True)])
def test_the_token_is_forwarded_to_apis_that_need_it(portal, path, is_forwarded):
    portal.ask(path, METHODS[path], **GOOD)
    assert (b"\r\nauthorization: Bearer the-token\r\n" in portal.authority.asked[0](0)) is is_forwarded


def test_a_token_of_an_operator_is_not_forwarded_to_the_authority(scene):
    scene.ask("/oauth/2.0/token", "POST")
    assert b"authorization" not in scene.authority.asked[0](0).lower()


def test_notes_of_the_authority_are_recorded_and_not_forwarded(portal):
    portal.ask(STATUS, **GOOD)
    notes = {b"content-length": b"1", b"x-relay-api-code": b"S102", b"x-relay-provider": b"ZBAA000001"}
    body = b'{"rsp_code": "00000", "rsp_msg": "x", "availability": "01"}'
    portal.authority.receiver.response_received(200, notes | {b"cache-control": b"no-store"}, body)
    assert portal.connection.body == body
    assert "x-relay" not in portal.connection.head
    assert "\r\ncache-control: no-store" in portal.connection.head
    (exchange,) = portal.records
    assert (exchange.api_code, exchange.provider, exchange.operator) == ("S102", "ZBAA000001", "ZPTL000001")
    assert (exchange.status, exchange.rsp_code, exchange.reason, exchange.error) == (200, "00000", "", "")


WRONG = [
    ({"peer": Peer("", "192.0.2.9")}, "serial_missing", (401, "40103"), "unauthorized_client"),
    ({"peer": OPERATOR}, "serial_unknown", (401, "40103"), "unauthorized_client"),
    ({"peer": Peer(PORTAL.serial, "192.0.2.1")}, "address_unknown", (401, "40102"), "unauthorized_client"),
    ({"method": True}, "method_not_allowed", (405, "40501"), "method_not_allowed"),
    ({"x_api_tran_id": None}, "header_missing", (400, "40002"), "invalid_request"),
    ({"x_api_tran_id": "short"}, "header_malformed", (400, "40002"), "invalid_request"),
]
"""Changes of a valid call, the fault, the codes of 지원-102 to -104 and of 지원-101; in the order of the checks."""


def call(portal, path, wrong):
    wrong = dict(wrong)
    portal.connection.info = ConnectionInfo(wrong.pop("peer", PORTAL), is_excess=False)
    other = {"GET": "POST", "POST": "GET"}[METHODS[path]]
    portal.ask(path, other if wrong.pop("method", False) else METHODS[path], **GOOD | wrong)


@pytest.mark.parametrize("path", METHODS)
@pytest.mark.parametrize(("wrong", "fault", "support", "oauth"), WRONG)
def test_a_refusal_of_the_gateway_uses_the_dialect_of_the_path(portal, path, wrong, fault, support, oauth):
    call(portal, path, wrong)
    assert [(exchange.reason, exchange.api_code) for exchange in portal.records] == [(fault, CODES[path])]
    assert get_code(portal) == (oauth if path == TOKEN else support[1])
    assert path == TOKEN or get_status(portal) == support[0]
    assert (portal.authority.asked, portal.gateway.in_flight) == ([], 0)


@pytest.mark.parametrize("later", range(len(WRONG)))
@pytest.mark.parametrize("earlier", range(len(WRONG)))
def test_of_two_faults_the_earlier_is_reported(portal, earlier, later):
    first, second = sorted((earlier, later))
    call(portal, STATUS, WRONG[second][0] | WRONG[first][0])
    assert [exchange.reason for exchange in portal.records] == [WRONG[first][1]]


@pytest.mark.parametrize("path", METHODS)
def test_without_a_portal_support_paths_are_unknown(scene, path):
    scene.ask(path, METHODS[path], **GOOD)
    code = "invalid_request" if path == TOKEN else "40401"
    assert (get_status(scene), get_code(scene), scene.recorded) == (404, code, ["endpoint_unknown"])


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/v1/mgmts/orgs", "40401"),
        ("/mgmts/status", "40401"),
        ("/v2/mgmts/status", "40401"),
        ("/mgmts/oauth/2.0/revoke", "invalid_request"),
        ("/v2/mgmts/oauth/2.0/token", "invalid_request"),
    ],
)
def test_an_unknown_support_path_is_refused(portal, path, code):
    portal.ask(path, "GET", **GOOD)
    assert (get_status(portal), get_code(portal)) == (404, code)


@pytest.mark.parametrize(
    ("limit", "reason", "support", "oauth"),
    [
        ("beyond limit", "connections_exceeded", (429, "42901"), "temporarily_unavailable"),
        ("operator_rate", "operator_rate", (429, "42901"), "temporarily_unavailable"),
        ("busy", "authority_busy", (500, "50001"), "temporarily_unavailable"),
    ],
)
@pytest.mark.parametrize("path", METHODS)
def test_limits_apply_to_the_portal(portal, path, limit, reason, support, oauth):
    portal.connection.info = ConnectionInfo(PORTAL, is_excess=limit == "beyond limit")
    portal.authority.busy = limit == "busy"
    portal.dependencies.authority_quotas.full = "operator_rate" if limit == "operator_rate" else ""
    portal.ask(path, METHODS[path], **GOOD)
    assert portal.recorded == [reason]
    assert get_code(portal) == (oauth if path == TOKEN else support[1])
    assert path == TOKEN or get_status(portal) == support[0]


@pytest.mark.parametrize(
    ("fault", "ours", "code"),
    [("connect_refused", "authority_unreachable", "50001"), ("provider_silent", "authority_silent", "50003")],
)
def test_a_failure_of_the_authority_is_the_relays_fault(portal, fault, ours, code):
    portal.ask(STATUS, **GOOD)
    portal.authority.receiver.request_failed(FAULTS[fault])
    (exchange,) = portal.records
    assert (get_code(portal), exchange.reason, exchange.status, exchange.error) == (code, ours, 500, "")


def test_a_failed_token_call_is_recorded_with_its_oauth_error(scene):
    scene.ask("/oauth/2.0/token", "POST")
    scene.authority.receiver.request_failed(FAULTS["connect_refused"])
    assert [(exchange.status, exchange.error) for exchange in scene.records] == [(503, "temporarily_unavailable")]


def test_a_response_of_another_call_is_not_forwarded(portal):
    portal.ask(STATUS, **GOOD)
    portal.authority.receiver.response_received(200, {b"x-api-tran-id": b"ZPTL000001P00000000000002"}, b"{}")
    assert (get_code(portal), portal.recorded) == ("50001", ["authority_unreachable"])


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"POST /mgmts/oauth/2.0/token HTTP/1.1", "invalid_request"),
        (b"GET /v1/mgmts/status HTTP/1.1", "40002"),
    ],
)
def test_a_malformed_request_is_refused_in_the_dialect_of_its_path(portal, line, code):
    portal.connection.will_close = True
    portal.gateway.protocol_error_received(
        portal.connection, ProtocolError(Violation.HEAD_MALFORMED, line + b"\r\na b\r\n")
    )
    assert get_code(portal) == code


def test_token_paths_use_oauth_and_the_others_rsp_codes(plan_with_portal):
    assert [get_dialect(plan_with_portal, path.encode()) for path in METHODS] == [OAUTH, SUPPORT, SUPPORT, SUPPORT]
    assert get_dialect(plan_with_portal, b"/oauth/2.0/introspect") is OAUTH
    assert get_dialect(plan_with_portal, b"/v1/bank/accounts") is DATA


def test_a_call_with_invalid_tran_id_is_recorded_with_its_operator(scene):
    scene.ask("/oauth/2.0/token", "POST", x_api_tran_id="short")
    assert [(exchange.operator, exchange.reason) for exchange in scene.records] == [("ZOPA000001", "header_malformed")]
