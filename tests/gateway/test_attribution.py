"""Refused calls count for whom they name: before an institution was reached, and before a token was looked at."""

import pytest

from relay.domain.authorization.token import Expired
from relay.domain.fault import FAULTS, Refusal
from relay.domain.party import Peer
from relay.gateway.connection_registry import Card
from relay.wire.head import Malformed, Wrong

ACCOUNTS = "/v1/bank/accounts?org_code=ZBAA000001&limit=1"
FORM = {"x_api_type": None, "Authorization": None, "Content_Type": "application/x-www-form-urlencoded"}
OURS = ("ZOPA000001", "ZOPA000001SVC01")
BANK = "ZBAA000001"


def counted(scene):
    (one,) = scene.records
    return one.api_code, one.provider, one.operator, one.client_id


@pytest.mark.parametrize(
    ("fault", "target", "method", "lines"),
    [
        ("header_missing", ACCOUNTS, "GET", {"x_api_tran_id": None}),
        ("header_malformed", ACCOUNTS, "GET", {"x_api_tran_id": "short"}),
        ("header_missing", ACCOUNTS, "GET", {"x_api_type": None}),
        ("header_malformed", ACCOUNTS, "GET", {"x_api_type": "whenever"}),
        ("version_not_served", "/v2/bank/accounts?org_code=ZBAA000001&limit=1", "GET", {}),
        ("method_not_allowed", ACCOUNTS, "POST", {"Content_Type": "application/json"}),
        ("parameter_twice", f"{ACCOUNTS}&org_code=ZBAA000001", "GET", {}),
        ("provider_unknown", "/v1/card/cards?org_code=ZBAA000001&limit=1", "GET", {}),
    ],
)
def test_whatever_is_wrong_a_genuine_token_tells_the_service(scene, fault, target, method, lines):
    scene.ask(target, method, **lines)
    assert scene.recorded == [fault]
    assert counted(scene) == ("CD01" if "card" in target else "BA01", BANK, *OURS)


def test_a_body_that_cannot_be_read_still_names_the_institution(scene):
    target = "/v1/bank/accounts/deposit/basic"
    scene.ask(target, "POST", body=b'{"org_code": "ZBAA000001", "account_num": "1",}', Content_Type="application/json")
    assert scene.recorded == ["body_not_json"]
    assert counted(scene) == ("BA02", BANK, *OURS)


def test_an_institution_named_twice_and_differently_is_none(scene):
    scene.ask(f"{ACCOUNTS}&org_code=ZCDA000001")
    assert counted(scene)[:2] == ("BA01", "")


def test_a_head_that_is_no_request_counts_for_what_its_first_line_names(scene):
    raw = b"HEAD /v1/bank/accounts?org_code=ZBAA000001&limit=1 HTTP/1.1\r\nHost: relay.test\r\n\r\n"
    scene.gateway.protocol_error_received(scene.connection, Malformed(Wrong.METHOD_NOT_ALLOWED, raw))
    assert counted(scene)[:3] == ("BA01", BANK, OURS[0])


def test_nobody_is_made_out_by_a_token_of_somebody_else(scene, keyring, monkeypatch):
    object.__setattr__(keyring.known, "aud", "ZOPA000002")
    scene.ask(ACCOUNTS, x_api_tran_id=None)
    assert counted(scene) == ("BA01", BANK, OURS[0], "")


@pytest.mark.parametrize(("owner", "told"), [("ZOPA000001", OURS), ("ZOPA000002", (OURS[0], ""))])
def test_an_expired_token_tells_the_service_of_its_owner_alone(scene, keyring, monkeypatch, owner, told):
    def expired(*_):
        raise Expired(keyring.known)

    object.__setattr__(keyring.known, "aud", owner)
    monkeypatch.setattr(keyring, "claims", expired)
    scene.ask(ACCOUNTS)
    assert scene.recorded == ["token_expired"]
    assert counted(scene) == ("BA01", BANK, *told)


def test_whoever_has_no_certificate_of_ours_counts_for_nobody(scene):
    scene.connection.card = Card(Peer("0000000000", "192.0.2.1"), excess=False)
    scene.ask(ACCOUNTS)
    assert scene.recorded == ["serial_unknown"]
    assert counted(scene) == ("", "", "", "")


@pytest.mark.parametrize(
    ("target", "method", "body", "api_code"),
    [
        ("/oauth/2.0/token", "POST", b"org_code=ZBAA000001&client_id=ZOPA000001SVC01&grant_type=foo", "AU02"),
        ("/oauth/2.0/token", "POST", b"org_code=ZBAA000001&client_id=ZOPA000001SVC01&grant_type=refresh_token", "AU03"),
        ("/oauth/2.0/revoke", "POST", b"org_code=ZBAA000001&client_id=ZOPA000001SVC01", "AU04"),
        ("/oauth/2.0/token?org_code=ZBAA000001&client_id=ZOPA000001SVC01", "GET", b"", "AU02"),
    ],
)
def test_a_call_of_oauth_without_a_tran_id_or_by_another_method_counts(scene, target, method, body, api_code):
    scene.ask(target, method, body=body, **FORM | {"x_api_tran_id": None})
    assert counted(scene) == (api_code, BANK, *OURS)


def test_what_the_authority_refused_without_telling_whom_counts_for_whom_it_names(scene):
    scene.ask("/oauth/2.0/authorize?org_code=ZBAA000001&client_id=ZOPA000001SVC01", **FORM)
    noted = {b"content-length": b"2", b"x-relay-error": b"invalid_request", b"x-relay-reason": b"parameter_missing"}
    scene.authority.receiver.response_received(400, noted, b"{}")
    assert counted(scene) == ("AU01", BANK, *OURS)


def test_a_service_of_another_operator_is_not_believed(scene):
    scene.ask("/oauth/2.0/authorize?org_code=ZBAA000001&client_id=ZOPA000002SVC01", x_api_tran_id="x", **FORM)
    noted = {b"content-length": b"2", b"x-relay-error": b"invalid_request"}
    scene.authority.receiver.response_received(400, noted, b"{}")
    assert counted(scene) == ("AU01", BANK, OURS[0], "")


def test_what_is_looked_up_for_the_record_refuses_nothing_anew(scene, keyring, monkeypatch):
    def broken(*_):
        raise Refusal(FAULTS["token_untrusted"])

    monkeypatch.setattr(keyring, "claims", broken)
    scene.ask(ACCOUNTS, x_api_tran_id=None)
    assert scene.recorded == ["header_missing"]


@pytest.mark.parametrize(
    ("fault", "target", "lines"),
    [
        ("endpoint_unknown", "/v1/bank/nothing", {}),
        ("method_not_allowed", "/v1/bank/accounts/deposit/basic", {}),
        ("version_not_served", "/v2/bank/accounts?org_code=ZBAA000001&limit=1", {}),
        ("header_missing", ACCOUNTS, {"x_api_tran_id": None}),
        ("serial_unknown", ACCOUNTS, {}),
        ("connections_exceeded", ACCOUNTS, {}),
    ],
)
def test_a_scheduled_call_is_one_whatever_refuses_it(scene, fault, target, lines):
    serial = "1" if fault == "serial_unknown" else "9998101001"
    scene.connection.card = Card(Peer(serial, "192.0.2.1"), excess=fault == "connections_exceeded")
    scene.ask(target, x_api_type="scheduled", **lines)
    assert (scene.recorded, scene.records[0].api_type) == ([fault], "scheduled")


def test_a_scheduled_call_whose_head_cannot_be_read_is_one(scene):
    raw = f"GET {ACCOUNTS} HTTP/1.1\r\nx-api-type: scheduled\r\na b\r\n\r\n".encode()
    scene.gateway.protocol_error_received(scene.connection, Malformed(Wrong.HEAD_MALFORMED, raw))
    assert (counted(scene)[:3], scene.records[0].api_type) == (("BA01", BANK, OURS[0]), "scheduled")


def test_a_call_for_tokens_has_no_type(scene):
    scene.ask("/oauth/2.0/token", "POST", **FORM | {"x_api_type": "scheduled", "x_api_tran_id": None})
    assert (scene.recorded, scene.records[0].api_type) == (["header_missing"], "")


@pytest.mark.parametrize(
    ("target", "lines", "told"),
    [
        (ACCOUNTS, {}, ("BA01", BANK, *OURS)),
        (ACCOUNTS, {"Authorization": None}, ("BA01", BANK, OURS[0], "")),
        ("/oauth/2.0/authorize?org_code=ZBAA000001&client_id=ZOPA000001SVC01", FORM, ("AU01", BANK, *OURS)),
    ],
)
def test_one_connection_too_many_counts_for_whom_its_call_names(scene, target, lines, told):
    scene.connection.card = Card(Peer("9998101001", "192.0.2.1"), excess=True)
    for _ in range(2):
        scene.ask(target, **lines)
        assert (scene.recorded, counted(scene)) == (["connections_exceeded"], told)
        scene.records.clear()


def test_a_caller_who_left_while_the_authority_worked_is_counted(scene):
    body = b"org_code=ZBAA000001&client_id=ZOPA000001SVC01&grant_type=refresh_token"
    scene.ask("/oauth/2.0/token", "POST", body=body, **FORM)
    scene.authority.receiver.peer_disconnected()
    assert (scene.recorded, counted(scene)) == (["operator_gone"], ("AU03", BANK, *OURS))


def test_a_tran_id_that_is_none_at_authorize_counts_for_its_caller(scene):
    scene.ask("/oauth/2.0/authorize?org_code=ZBAA000001&client_id=ZOPA000001SVC01", **FORM | {"x_api_tran_id": "x"})
    noted = {b"x-relay-error": b"invalid_request", b"x-relay-reason": b"header_malformed", b"content-length": b"0"}
    scene.authority.receiver.response_received(302, noted, b"")
    assert (counted(scene), scene.records[0].error) == (("AU01", BANK, *OURS), "invalid_request")
