"""Calls of the support APIs: only the portal's, handed over to the authority, refused in their words."""

import json

import pytest

from relay.domain.fault import FAULTS
from relay.domain.party import Peer
from relay.gateway.authority_forwarder import dialect_of
from relay.gateway.connection_registry import Card
from relay.gateway.dialect import DATA, OAUTH, SUPPORT
from relay.policy.call.plan import AUTHORITY
from relay.wire.head import Malformed, Wrong

TOKEN, STATUS, CONSENTS, RESEND = (
    "/mgmts/oauth/2.0/token",
    "/v1/mgmts/status",
    "/v1/mgmts/consents",
    "/v1/mgmts/req-statistics",
)
METHODS = {TOKEN: "POST", STATUS: "GET", CONSENTS: "POST", RESEND: "GET"}
CODES = {TOKEN: "S101", STATUS: "S102", CONSENTS: "S103", RESEND: "S104"}
THE_PORTAL, SOMEBODY = Peer("9998100002", "192.0.2.9"), Peer("9998101001", "192.0.2.1")
GOOD = {"x_api_type": None, "x_api_tran_id": "ZPTL000001P00000000000001", "Authorization": "Bearer the-token"}


@pytest.fixture
def portal(scene, portals_plan):
    """The scene with a portal in the plan, and it at the door."""
    scene.gateway.swap(portals_plan, scene.gateway._upstreams, scene.judges)
    scene.connection.card = Card(THE_PORTAL, excess=False)
    return scene


def status_of(scene):
    return int(scene.connection.head.split()[1])


def said(scene):
    """The code of an answer that refuses, in whichever dialect."""
    body = json.loads(scene.connection.body)
    return body.get("rsp_code") or body["error"]


@pytest.mark.parametrize("path", METHODS)
def test_a_call_goes_to_the_authority_in_the_portals_name(portal, authority_quotas, path):
    smuggled = {"x_relay_operators": "ZOPA000001", "x_relay_fault": "serial_unknown", "Cookie": "a=b"}
    body = b"body" if METHODS[path] == "POST" else b""
    portal.ask(f"{path}?a=%20", METHODS[path], body=body, **GOOD | smuggled)
    asked = portal.authority.asked[0](0)
    assert asked.startswith(f"{METHODS[path]} {path}?a=%20 HTTP/1.1\r\nHost: authority\r\n".encode())
    assert b"\r\nx-relay-operators: ZPTL000001\r\n" in asked
    assert (asked.count(b"x-relay-"), asked.count(b"ookie")) == (1, 0)
    assert asked.endswith(b"\r\n\r\n" + body)
    assert authority_quotas.taken == [("ZPTL000001", AUTHORITY, 1.0)]
    assert (portal.upstream.asked, portal.counters.taken, portal.keyring.asked) == ([], [], [])


@pytest.mark.parametrize(("path", "goes"), [(TOKEN, False), (STATUS, True), (CONSENTS, True), (RESEND, True)])
def test_the_token_goes_along_where_one_is_asked_for(portal, path, goes):
    portal.ask(path, METHODS[path], **GOOD)
    assert (b"\r\nauthorization: Bearer the-token\r\n" in portal.authority.asked[0](0)) is goes


def test_no_token_of_an_operator_goes_to_the_authority(scene):
    scene.ask("/oauth/2.0/token", "POST")
    assert b"authorization" not in scene.authority.asked[0](0).lower()


def test_what_the_authority_notes_is_recorded_and_told_to_nobody(portal):
    portal.ask(STATUS, **GOOD)
    noted = {b"content-length": b"1", b"x-relay-api-code": b"S102", b"x-relay-provider": b"ZBAA000001"}
    body = b'{"rsp_code": "00000", "rsp_msg": "x", "availability": "01"}'
    portal.authority.receiver.response_received(200, noted | {b"cache-control": b"no-store"}, body)
    assert portal.connection.body == body
    assert "x-relay" not in portal.connection.head
    assert "\r\ncache-control: no-store" in portal.connection.head
    (one,) = portal.records
    assert (one.api_code, one.provider, one.operator) == ("S102", "ZBAA000001", "ZPTL000001")
    assert (one.status, one.rsp_code, one.reason, one.error) == (200, "00000", "", "")


WRONG = [
    ({"peer": Peer("", "192.0.2.9")}, "serial_missing", (401, "40103"), "unauthorized_client"),
    ({"peer": SOMEBODY}, "serial_unknown", (401, "40103"), "unauthorized_client"),
    ({"peer": Peer(THE_PORTAL.serial, "192.0.2.1")}, "address_unknown", (401, "40102"), "unauthorized_client"),
    ({"method": True}, "method_not_allowed", (405, "40501"), "method_not_allowed"),
    ({"x_api_tran_id": None}, "header_missing", (400, "40002"), "invalid_request"),
    ({"x_api_tran_id": "short"}, "header_malformed", (400, "40002"), "invalid_request"),
]
"""What is wrong with a call, the fault, what 지원-102 to -104 say, what 지원-101 says; in the order of being said."""


def do(portal, path, wrong):
    wrong = dict(wrong)
    portal.connection.card = Card(wrong.pop("peer", THE_PORTAL), excess=False)
    other = {"GET": "POST", "POST": "GET"}[METHODS[path]]
    portal.ask(path, other if wrong.pop("method", False) else METHODS[path], **GOOD | wrong)


@pytest.mark.parametrize("path", METHODS)
@pytest.mark.parametrize(("wrong", "fault", "support", "oauth"), WRONG)
def test_a_call_that_ends_here_ends_in_its_words(portal, path, wrong, fault, support, oauth):
    do(portal, path, wrong)
    assert [(one.reason, one.api_code) for one in portal.records] == [(fault, CODES[path])]
    assert said(portal) == (oauth if path == TOKEN else support[1])
    assert path == TOKEN or status_of(portal) == support[0]
    assert (portal.authority.asked, portal.gateway.in_flight) == ([], 0)


@pytest.mark.parametrize("later", range(len(WRONG)))
@pytest.mark.parametrize("earlier", range(len(WRONG)))
def test_of_two_wrongs_the_earlier_is_said(portal, earlier, later):
    first, second = sorted((earlier, later))
    do(portal, STATUS, WRONG[second][0] | WRONG[first][0])
    assert [one.reason for one in portal.records] == [WRONG[first][1]]


@pytest.mark.parametrize("path", METHODS)
def test_without_a_portal_there_are_no_such_paths(scene, path):
    scene.ask(path, METHODS[path], **GOOD)
    code = "invalid_request" if path == TOKEN else "40401"
    assert (status_of(scene), said(scene), scene.recorded) == (404, code, ["endpoint_unknown"])


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
def test_what_the_relay_does_not_offer_is_nobodys(portal, path, code):
    portal.ask(path, "GET", **GOOD)
    assert (status_of(portal), said(portal)) == (404, code)


@pytest.mark.parametrize(
    ("done", "reason", "support", "oauth"),
    [
        ("excess", "connections_exceeded", (429, "42901"), "temporarily_unavailable"),
        ("operator_rate", "operator_rate", (429, "42901"), "temporarily_unavailable"),
        ("busy", "authority_busy", (500, "50001"), "temporarily_unavailable"),
    ],
)
@pytest.mark.parametrize("path", METHODS)
def test_too_much_is_told_to_the_portal_too(portal, path, done, reason, support, oauth):
    portal.connection.card = Card(THE_PORTAL, excess=done == "excess")
    portal.authority.busy = done == "busy"
    portal.judges.authority_quotas.full = "operator_rate" if done == "operator_rate" else ""
    portal.ask(path, METHODS[path], **GOOD)
    assert portal.recorded == [reason]
    assert said(portal) == (oauth if path == TOKEN else support[1])
    assert path == TOKEN or status_of(portal) == support[0]


@pytest.mark.parametrize(
    ("fault", "ours", "code"),
    [("provider_refused", "authority_unreachable", "50001"), ("provider_silent", "authority_silent", "50003")],
)
def test_an_authority_that_fails_is_the_relays_fault(portal, fault, ours, code):
    portal.ask(STATUS, **GOOD)
    portal.authority.receiver.request_failed(FAULTS[fault])
    (one,) = portal.records
    assert (said(portal), one.reason, one.status, one.error) == (code, ours, 500, "")


def test_an_authority_that_fails_a_token_is_recorded_with_its_error(scene):
    scene.ask("/oauth/2.0/token", "POST")
    scene.authority.receiver.request_failed(FAULTS["provider_refused"])
    assert [(one.status, one.error) for one in scene.records] == [(503, "temporarily_unavailable")]


def test_an_answer_of_another_call_never_goes_out(portal):
    portal.ask(STATUS, **GOOD)
    portal.authority.receiver.response_received(200, {b"x-api-tran-id": b"ZPTL000001P00000000000002"}, b"{}")
    assert (said(portal), portal.recorded) == ("50001", ["authority_unreachable"])


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"POST /mgmts/oauth/2.0/token HTTP/1.1", "invalid_request"),
        (b"GET /v1/mgmts/status HTTP/1.1", "40002"),
    ],
)
def test_what_is_no_request_is_told_in_the_words_of_its_path(portal, line, code):
    portal.connection.will_close = True
    portal.gateway.protocol_error_received(portal.connection, Malformed(Wrong.HEAD_MALFORMED, line + b"\r\na b\r\n"))
    assert said(portal) == code


def test_tokens_speak_oauth_and_the_rest_rsp_codes(portals_plan):
    assert [dialect_of(portals_plan, path.encode()) for path in METHODS] == [OAUTH, SUPPORT, SUPPORT, SUPPORT]
    assert dialect_of(portals_plan, b"/oauth/2.0/introspect") is OAUTH
    assert dialect_of(portals_plan, b"/v1/bank/accounts") is DATA


def test_an_operator_without_a_tran_id_is_recorded_by_its_name(scene):
    scene.ask("/oauth/2.0/token", "POST", x_api_tran_id="short")
    assert [(one.operator, one.reason) for one in scene.records] == [("ZOPA000001", "header_malformed")]
