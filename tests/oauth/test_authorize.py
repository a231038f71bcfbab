"""개별인증-001: authorization requests and their redirects."""

from dataclasses import replace
from urllib.parse import parse_qsl, quote, urlsplit

import pytest

from relay.domain.ledger import LedgerDown
from relay.oauth.dependencies import Client

NOW = 1_800_000_000
TRAN_ID = "ZOPA000001M00000000000001"
CALLBACK = "https://operator.example/callback"
OTHER = "ZOPB000001SVC01"


@pytest.mark.parametrize("more", ["", "&", "&&"])
async def test_the_request_is_stored_and_the_customer_redirected(operator, more):
    reply = await operator.authorize(operator.authorize_query() + more)
    assert (reply.status, reply.body) == (302, None)
    assert reply.headers["Location"] == "https://pages.example/authentication/id1"
    stored = await operator.ledger.load_request("id1", None, NOW)
    assert (stored.provider, stored.operator, stored.client_id) == ("ZBAA000001", "ZOPA000001", "ZOPA000001SVC01")
    assert (stored.redirect_uri, stored.app_scheme, stored.oauth_state) == (CALLBACK, "moabogi://done", "State1")
    assert (stored.api_tran_id, stored.requested_at, stored.expires_at) == (TRAN_ID, NOW, NOW + 600)
    assert stored.ci.endswith("==")


async def test_the_response_has_the_record_headers(operator):
    reply = await operator.authorize(operator.authorize_query())
    headers = {name.lower(): value for name, value in reply.headers.items() if name.lower().startswith("x-")}
    assert headers == {
        "x-api-tran-id": TRAN_ID,
        "x-relay-api-code": "AU01",
        "x-relay-provider": "ZBAA000001",
        "x-relay-client-id": "ZOPA000001SVC01",
        "x-relay-operator": "ZOPA000001",
    }


@pytest.mark.parametrize(
    ("changes", "more", "reason"),
    [
        ({"client_id": None}, "", "client_unknown"),
        ({"client_id": ""}, "", "client_unknown"),
        ({"client_id": "unknown"}, "", "client_unknown"),
        ({}, "&client_id=ZOPA000001SVC01", "client_unknown"),
        ({}, "&client%5Fid=ZOPB000001SVC01", "client_unknown"),
        ({"redirect_uri": None}, "", "redirect_uri_unknown"),
        ({"redirect_uri": "https://thief.example/callback"}, "", "redirect_uri_unknown"),
        ({"redirect_uri": CALLBACK + "/"}, "", "redirect_uri_unknown"),
        ({"redirect_uri": CALLBACK + "?next=1"}, "", "redirect_uri_unknown"),
        ({"redirect_uri": CALLBACK.upper()}, "", "redirect_uri_unknown"),
        ({}, "&redirect_uri=https://thief.example/", "redirect_uri_unknown"),
        ({"redirect_uri": None}, "&redirect_uri=%ff", "redirect_uri_unknown"),
    ],
    ids=str,
)
async def test_without_a_registered_callback_there_is_no_redirect(operator, changes, more, reason):
    reply = await operator.authorize(operator.authorize_query(**changes) + more)
    assert (reply.status, reply.body["error"], reply.reason) == (400, "invalid_request", reason)
    assert "Location" not in reply.headers


@pytest.mark.parametrize("field", ["org_code", "response_type", "client_id", "redirect_uri", "app_scheme", "state"])
async def test_an_ambiguous_parameter_is_reported_to_the_callback(operator, look_alikes, field):
    for name in look_alikes(field):
        reply = await operator.authorize(
            f"{operator.authorize_query()}&{quote(name, safe='')}=https%3A%2F%2Fthief.example%2F"
        )
        assert (reply.status, reply.reason) == (302, "parameter_ambiguous"), name
        assert reply.headers["Location"].startswith(f"{CALLBACK}?")
        assert (reply.callback_parameters["error"], reply.callback_parameters["state"]) == ("invalid_request", "State1")


async def test_without_a_query_there_is_no_redirect(operator):
    reply = await operator.send("GET", "/oauth/2.0/authorize", x_user_ci="Q0k=")
    assert (reply.status, reply.body["error"], reply.reason) == (400, "invalid_request", "client_unknown")


@pytest.mark.parametrize(
    ("changes", "more", "headers", "error", "reason"),
    [
        ({"org_code": None}, "", {}, "invalid_request", "parameter_missing"),
        ({"org_code": "ZZZZ000009"}, "", {}, "invalid_request", "provider_unknown"),
        ({"org_code": "x" * 11}, "", {}, "invalid_request", "parameter_malformed"),
        ({}, "&org_code=ZBAA000001", {}, "invalid_request", "parameter_twice"),
        ({"response_type": None}, "", {}, "invalid_request", "parameter_missing"),
        ({"response_type": "token"}, "", {}, "unsupported_response_type", "unsupported_response_type"),
        ({"response_type": "code token"}, "", {}, "unsupported_response_type", "unsupported_response_type"),
        ({"app_scheme": None}, "", {}, "invalid_request", "parameter_missing"),
        ({"app_scheme": "thief://"}, "", {}, "invalid_request", "app_scheme_unknown"),
        ({"app_scheme": "x" * 101}, "", {}, "invalid_request", "parameter_malformed"),
        ({}, "&extra=%zz", {}, "invalid_request", "parameter_malformed"),
        ({}, "&extra=%ff", {}, "invalid_request", "parameter_malformed"),
        ({}, "&=", {}, "invalid_request", "parameter_malformed"),
        ({}, "", {"x_user_ci": None}, "invalid_request", "header_missing"),
        ({}, "", {"x_user_ci": "x" * 101}, "invalid_request", "header_malformed"),
        ({}, "", {"x_user_ci": "no base64!"}, "invalid_request", "header_malformed"),
        ({}, "", {"x_relay_operators": "", "x_relay_fault": "serial_unknown"}, "unauthorized_client", "serial_unknown"),
        (
            {},
            "",
            {"x_relay_operators": "", "x_relay_fault": "address_unknown"},
            "unauthorized_client",
            "address_unknown",
        ),
        ({}, "", {"x_relay_operators": "ZOPB000001"}, "unauthorized_client", "unauthorized_client"),
        ({}, "", {"x_relay_operators": None}, "unauthorized_client", "unauthorized_client"),
    ],
    ids=str,
)
async def test_every_other_error_is_sent_to_the_callback(operator, changes, more, headers, error, reason):
    reply = await operator.authorize(operator.authorize_query(**changes) + more, **headers)
    assert (reply.status, reply.body) == (302, None)
    assert reply.headers["Location"].startswith(CALLBACK + "?")
    parameters = reply.callback_parameters
    assert parameters.pop("error_description")
    assert parameters == {"error": error, "state": "State1", "api_tran_id": TRAN_ID}
    assert (reply.reason, reply.headers["x-relay-error"]) == (reason, error)


@pytest.mark.parametrize("state", [None, "", "x" * 41, "with-hyphen", "<script>", "상태"])
async def test_a_malformed_state_is_refused_and_not_repeated(operator, state):
    reply = await operator.authorize(operator.authorize_query(state=state))
    assert reply.status == 302
    assert set(reply.callback_parameters) == {"error", "error_description", "api_tran_id"}
    assert reply.callback_parameters["error"] == "invalid_request"


async def test_a_repeated_state_is_not_sent_back(operator):
    reply = await operator.authorize(operator.authorize_query() + "&state=State2")
    assert (reply.callback_parameters["error"], reply.reason) == ("invalid_request", "parameter_twice")
    assert "state" not in reply.callback_parameters


@pytest.mark.parametrize("tran_id", [None, "ZOPA000001M1", "zopa000001m00000000000001"])
@pytest.mark.parametrize("fault", [None, "header_missing"])
async def test_a_malformed_tran_id_is_repeated_to_the_callback(operator, tran_id, fault):
    reply = await operator.authorize(operator.authorize_query(), x_api_tran_id=tran_id, x_relay_fault=fault)
    parameters = dict(parse_qsl(urlsplit(reply.headers["Location"]).query))
    assert (reply.status, parameters["error"], parameters["state"]) == (302, "invalid_request", "State1")
    assert parameters.get("api_tran_id") == tran_id


async def test_an_institution_without_a_flow_is_405(operator):
    reply = await operator.authorize(operator.authorize_query(org_code="ZBAB000001"))
    assert (reply.status, reply.body["error"], reply.reason) == (405, "method_not_allowed", "method_not_allowed")
    assert "Location" not in reply.headers


async def test_another_operator_does_not_learn_the_flow(operator):
    reply = await operator.authorize(operator.authorize_query(org_code="ZBAB000001"), x_relay_operators="ZOPB000001")
    assert (reply.status, reply.callback_parameters["error"]) == (302, "unauthorized_client")


async def test_the_query_of_a_callback_is_kept(operator):
    settings = operator.authority.settings
    known = settings.clients["ZOPA000001SVC01"]
    service = replace(known.service, callbacks=("https://operator.example/cb?kind=1",))
    clients = {"ZOPA000001SVC01": Client(service, known.secret_hash)}
    operator.authority.settings = replace(settings, clients=clients)
    query = operator.authorize_query(redirect_uri="https://operator.example/cb?kind=1", org_code=None)
    reply = await operator.authorize(query)
    assert reply.callback_parameters["kind"] == "1"
    assert reply.callback_parameters["error"] == "invalid_request"


@pytest.mark.parametrize(
    ("raised", "error", "reason"),
    [
        (LedgerDown("OperationalError"), "temporarily_unavailable", "ledger_unreachable"),
        (RuntimeError("Q0k= is not to be seen"), "server_error", "relay_broken"),
    ],
)
async def test_an_internal_error_is_sent_to_the_callback(operator, monkeypatch, caplog, raised, error, reason):
    async def fail(_):
        raise raised

    monkeypatch.setattr(operator.ledger, "open_request", fail)
    reply = await operator.authorize(operator.authorize_query())
    assert (reply.status, reply.callback_parameters["error"], reply.reason) == (302, error, reason)
    assert reply.callback_parameters["state"] == "State1"
    assert "Q0k=" not in caplog.text + reply.headers["Location"]


async def test_an_unconfigured_flow_is_sent_to_the_callback(operator):
    operator.authority.settings = replace(operator.authority.settings, pages_url="")
    reply = await operator.authorize(operator.authorize_query())
    assert (reply.status, reply.callback_parameters["error"], reply.reason) == (302, "server_error", "way_unfit")
