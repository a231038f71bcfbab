import pytest

from relay.domain.authorization.token import TokenExpired
from relay.domain.fault import FAULTS, Refusal
from relay.domain.party import Peer
from relay.gateway.caller_connection import ConnectionInfo
from relay.wire.head import ProtocolError, Violation

ACCOUNTS = "/v1/bank/accounts?org_code=ZBAA000001&limit=1"
FORM = {"x_api_type": None, "Authorization": None, "Content_Type": "application/x-www-form-urlencoded"}
SERVICE = ("ZOPA000001", "ZOPA000001SVC01")
BANK = "ZBAA000001"


def get_attribution(scene):
    (exchange,) = scene.records
    return exchange.api_code, exchange.provider, exchange.operator, exchange.client_id


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
def test_a_refused_call_is_attributed_by_a_genuine_token(scene, fault, target, method, lines):
    scene.ask(target, method, **lines)
    assert scene.recorded == [fault]
    assert get_attribution(scene) == ("CD01" if "card" in target else "BA01", BANK, *SERVICE)


def test_an_invalid_body_still_names_the_institution(scene):
    target = "/v1/bank/accounts/deposit/basic"
    scene.ask(target, "POST", body=b'{"org_code": "ZBAA000001", "account_num": "1",}', Content_Type="application/json")
    assert scene.recorded == ["body_not_json"]
    assert get_attribution(scene) == ("BA02", BANK, *SERVICE)


def test_two_different_org_codes_name_no_institution(scene):
    scene.ask(f"{ACCOUNTS}&org_code=ZCDA000001")
    assert get_attribution(scene)[:2] == ("BA01", "")


def test_a_malformed_head_is_attributed_by_its_request_line(scene):
    raw = b"HEAD /v1/bank/accounts?org_code=ZBAA000001&limit=1 HTTP/1.1\r\nHost: relay.test\r\n\r\n"
    scene.gateway.protocol_error_received(scene.connection, ProtocolError(Violation.METHOD_NOT_ALLOWED, raw))
    assert get_attribution(scene)[:3] == ("BA01", BANK, SERVICE[0])


def test_a_token_of_another_operator_attributes_no_service(scene, token_verifier, monkeypatch):
    object.__setattr__(token_verifier.known, "aud", "ZOPA000002")
    scene.ask(ACCOUNTS, x_api_tran_id=None)
    assert get_attribution(scene) == ("BA01", BANK, SERVICE[0], "")


@pytest.mark.parametrize(("owner", "attribution"), [("ZOPA000001", SERVICE), ("ZOPA000002", (SERVICE[0], ""))])
def test_an_expired_token_attributes_the_service_of_its_owner_only(
    scene, token_verifier, monkeypatch, owner, attribution
):
    def raise_expired(*_):
        raise TokenExpired(token_verifier.known)

    object.__setattr__(token_verifier.known, "aud", owner)
    monkeypatch.setattr(token_verifier, "verify", raise_expired)
    scene.ask(ACCOUNTS)
    assert scene.recorded == ["token_expired"]
    assert get_attribution(scene) == ("BA01", BANK, *attribution)


def test_a_caller_without_a_registered_certificate_is_not_attributed(scene):
    scene.connection.info = ConnectionInfo(Peer("0000000000", "192.0.2.1"), is_excess=False)
    scene.ask(ACCOUNTS)
    assert scene.recorded == ["serial_unknown"]
    assert get_attribution(scene) == ("", "", "", "")


@pytest.mark.parametrize(
    ("target", "method", "body", "api_code"),
    [
        ("/oauth/2.0/token", "POST", b"org_code=ZBAA000001&client_id=ZOPA000001SVC01&grant_type=foo", "AU02"),
        ("/oauth/2.0/token", "POST", b"org_code=ZBAA000001&client_id=ZOPA000001SVC01&grant_type=refresh_token", "AU03"),
        ("/oauth/2.0/revoke", "POST", b"org_code=ZBAA000001&client_id=ZOPA000001SVC01", "AU04"),
        ("/oauth/2.0/token?org_code=ZBAA000001&client_id=ZOPA000001SVC01", "GET", b"", "AU02"),
    ],
)
def test_a_refused_oauth_call_is_attributed_by_its_parameters(scene, target, method, body, api_code):
    scene.ask(target, method, body=body, **FORM | {"x_api_tran_id": None})
    assert get_attribution(scene) == (api_code, BANK, *SERVICE)


def test_a_refusal_of_the_authority_is_attributed_by_parameters(scene):
    scene.ask("/oauth/2.0/authorize?org_code=ZBAA000001&client_id=ZOPA000001SVC01", **FORM)
    headers = {b"content-length": b"2", b"x-relay-error": b"invalid_request", b"x-relay-reason": b"parameter_missing"}
    scene.authority.receiver.response_received(400, headers, b"{}")
    assert get_attribution(scene) == ("AU01", BANK, *SERVICE)


def test_a_service_of_another_operator_is_not_attributed(scene):
    scene.ask("/oauth/2.0/authorize?org_code=ZBAA000001&client_id=ZOPA000002SVC01", x_api_tran_id="x", **FORM)
    headers = {b"content-length": b"2", b"x-relay-error": b"invalid_request"}
    scene.authority.receiver.response_received(400, headers, b"{}")
    assert get_attribution(scene) == ("AU01", BANK, SERVICE[0], "")


def test_attribution_raises_no_other_refusal(scene, token_verifier, monkeypatch):
    def raise_refusal(*_):
        raise Refusal(FAULTS["token_untrusted"])

    monkeypatch.setattr(token_verifier, "verify", raise_refusal)
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
def test_a_refused_scheduled_call_is_recorded_as_scheduled(scene, fault, target, lines):
    serial = "1" if fault == "serial_unknown" else "9998101001"
    scene.connection.info = ConnectionInfo(Peer(serial, "192.0.2.1"), is_excess=fault == "connections_exceeded")
    scene.ask(target, x_api_type="scheduled", **lines)
    assert (scene.recorded, scene.records[0].api_type) == ([fault], "scheduled")


def test_a_malformed_scheduled_call_is_recorded_as_scheduled(scene):
    raw = f"GET {ACCOUNTS} HTTP/1.1\r\nx-api-type: scheduled\r\na b\r\n\r\n".encode()
    scene.gateway.protocol_error_received(scene.connection, ProtocolError(Violation.HEAD_MALFORMED, raw))
    assert (get_attribution(scene)[:3], scene.records[0].api_type) == (("BA01", BANK, SERVICE[0]), "scheduled")


def test_a_token_call_is_recorded_without_api_type(scene):
    scene.ask("/oauth/2.0/token", "POST", **FORM | {"x_api_type": "scheduled", "x_api_tran_id": None})
    assert (scene.recorded, scene.records[0].api_type) == (["header_missing"], "")


@pytest.mark.parametrize(
    ("target", "lines", "attribution"),
    [
        (ACCOUNTS, {}, ("BA01", BANK, *SERVICE)),
        (ACCOUNTS, {"Authorization": None}, ("BA01", BANK, SERVICE[0], "")),
        ("/oauth/2.0/authorize?org_code=ZBAA000001&client_id=ZOPA000001SVC01", FORM, ("AU01", BANK, *SERVICE)),
    ],
)
def test_a_call_beyond_the_connection_limit_is_attributed(scene, target, lines, attribution):
    scene.connection.info = ConnectionInfo(Peer("9998101001", "192.0.2.1"), is_excess=True)
    for _ in range(2):
        scene.ask(target, **lines)
        assert (scene.recorded, get_attribution(scene)) == (["connections_exceeded"], attribution)
        scene.records.clear()


def test_a_disconnected_caller_of_the_authority_is_attributed(scene):
    body = b"org_code=ZBAA000001&client_id=ZOPA000001SVC01&grant_type=refresh_token"
    scene.ask("/oauth/2.0/token", "POST", body=body, **FORM)
    scene.authority.receiver.peer_disconnected()
    assert (scene.recorded, get_attribution(scene)) == (["operator_gone"], ("AU03", BANK, *SERVICE))


def test_an_authorize_call_with_invalid_tran_id_is_attributed(scene):
    scene.ask("/oauth/2.0/authorize?org_code=ZBAA000001&client_id=ZOPA000001SVC01", **FORM | {"x_api_tran_id": "x"})
    headers = {b"x-relay-error": b"invalid_request", b"x-relay-reason": b"header_malformed", b"content-length": b"0"}
    scene.authority.receiver.response_received(302, headers, b"")
    assert (get_attribution(scene), scene.records[0].error) == (("AU01", BANK, *SERVICE), "invalid_request")
