"""OAuth calls through the gateway: its own refusals, identity of the caller, secrets kept out of logs."""

import asyncio
import json
import secrets
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
import pytest_asyncio
from fixtures.gateway_environment import request
from fixtures.operator_servers import FORM

pytestmark = pytest.mark.asyncio(loop_scope="module")

PATHS = {"authorize": "GET", "token": "POST", "revoke": "POST"}


@pytest.fixture
def bank(servers):
    return servers.sandbox.institutions["bank"]


@pytest_asyncio.fixture(loop_scope="module")
async def server(servers):
    return servers.server()


@pytest_asyncio.fixture(loop_scope="module")
async def unregistered(servers):
    """Operator one's service, with a certificate that is not registered."""
    return servers.server(identity=servers.sandbox.certificates.unregistered_operator)


def build_refresh_form(server, bank):
    """Builds a complete form with an unknown refresh token."""
    return server.build_form(bank, grant_type="refresh_token", refresh_token=secrets.token_urlsafe(32))


def is_refused(response, error, status=400):
    """Returns whether a response is this error in OAuth's format (규격 3.10)."""
    assert response.headers["Content-Type"] == "application/json; charset=UTF-8"
    assert response.headers["Cache-Control"] == "no-store"
    assert "rsp_code" not in response.body
    return (response.status, response.body["error"]) == (status, error)


async def test_an_unknown_certificate_at_token_is_unauthorized_client(unregistered, bank):
    form = build_refresh_form(unregistered, bank)
    for name in ("token", "revoke"):
        headers = unregistered.build_headers()
        response = await unregistered.send("POST", f"/oauth/2.0/{name}", headers | FORM, data=form)
        assert is_refused(response, "unauthorized_client")
        assert response.headers["x-api-tran-id"] == headers["x-api-tran-id"]


async def test_an_unknown_certificate_at_authorize_redirects_an_error(unregistered, bank):
    tran_id = unregistered.make_tran_id()
    response = await unregistered.authorize(bank, x_api_tran_id=tran_id)
    location, parameters = response.redirect
    assert (response.status, location) == (302, unregistered.operator.callback)
    assert (parameters["error"], parameters["api_tran_id"]) == ("unauthorized_client", tran_id)
    assert parameters["state"] in unregistered.servers.secret_values


@pytest.mark.parametrize("wrong", [{"client_id": "unknown"}, {"redirect_uri": "https://evil.example/callback"}])
async def test_an_unknown_client_or_callback_is_never_redirected(unregistered, server, bank, wrong):
    for caller in (unregistered, server):
        params = caller.authorization_parameters(bank, **wrong)
        response = await caller.send(
            "GET", "/oauth/2.0/authorize", caller.build_headers(x_user_ci="A" * 88), params=params
        )
        assert is_refused(response, "invalid_request")
        assert "Location" not in response.headers


@pytest.mark.parametrize(
    "path", ["/oauth/2.0/introspect", "/oauth/2.0/token/", "/oauth/token", "/oauth", "/oauth/3.0/token"]
)
async def test_an_unknown_oauth_path_is_404_in_oauths_format(server, path):
    for method in ("GET", "POST"):
        response = await server.send(method, path, server.build_headers())
        assert is_refused(response, "invalid_request", 404)
        assert response.body["error_description"] == "요청한 엔드포인트가 존재하지 않습니다"


@pytest.mark.parametrize("name", PATHS)
@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_an_unsupported_method_is_method_not_allowed(server, name, method):
    response = await server.send(method, f"/oauth/2.0/{name}", server.build_headers())
    assert is_refused(response, "method_not_allowed", 405)
    assert PATHS[name] in response.headers["Allow"].split(", ")


@pytest.mark.parametrize("name", PATHS)
async def test_the_wrong_method_is_405_with_allow(server, name):
    other = "GET" if PATHS[name] == "POST" else "POST"
    response = await server.send(other, f"/oauth/2.0/{name}", server.build_headers())
    assert is_refused(response, "method_not_allowed", 405)
    assert response.headers["Allow"] == PATHS[name]


@pytest.mark.parametrize("name", PATHS)
async def test_head_is_method_not_allowed(servers, server, name):
    async with await servers.connect() as connection:
        connection.send(request("HEAD", f"/oauth/2.0/{name}", {"Host": "relay.test"} | server.build_headers()))
        head = await connection.reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 405 ")
    assert b"\r\nAllow: " in head or b"\r\nallow: " in head


async def test_a_body_over_64_kib_is_an_invalid_request(server, bank):
    form = build_refresh_form(server, bank) | {"filler": "x" * 65_536}
    response = await server.post("token", form)
    assert is_refused(response, "invalid_request")


async def test_a_body_of_exactly_64_kib_is_accepted(server, bank):
    form = build_refresh_form(server, bank)
    filler = 65_536 - len(urlencode(form | {"filler": ""}))
    assert is_refused(await server.post("token", form | {"filler": "x" * filler}), "invalid_grant")


@pytest.mark.parametrize("name", ["token", "revoke"])
@pytest.mark.parametrize("tran_id", [None, "ZOPA000001M1", "zopa000001m00000000000001"])
async def test_a_call_without_a_valid_tran_id_is_an_invalid_request(server, bank, name, tran_id):
    headers = server.build_headers(x_api_tran_id=tran_id)
    response = await server.send("POST", f"/oauth/2.0/{name}", headers, data=build_refresh_form(server, bank))
    assert is_refused(response, "invalid_request")


@pytest.mark.parametrize("tran_id", [None, "ZOPA000001M1"])
async def test_authorize_without_a_valid_tran_id_redirects_an_error(server, bank, tran_id):
    parameters = server.authorization_parameters(bank)
    headers = server.build_headers(x_api_tran_id=tran_id, x_user_ci="A" * 88)
    response = await server.send("GET", "/oauth/2.0/authorize", headers, params=parameters)
    redirected = dict(parse_qsl(urlsplit(response.headers["Location"]).query))
    assert (response.status, redirected["error"], redirected["state"]) == (302, "invalid_request", parameters["state"])
    assert redirected.get("api_tran_id") == tran_id


@pytest.mark.parametrize("more", ["&x=%zz", "&x=%00", "&x=%"])
async def test_an_unreadable_target_is_not_redirected(servers, server, bank, more):
    target = f"/oauth/2.0/authorize?{urlencode(server.authorization_parameters(bank))}{more}"
    async with await servers.connect() as connection:
        response = await connection.call(
            request("GET", target, {"Host": "relay.test"} | server.build_headers(x_user_ci="A" * 88))
        )
    assert (response.status, response.json()["error"]) == (400, "invalid_request")
    assert "location" not in {name.lower() for name in response.headers}


async def test_a_form_with_trailing_ampersands_is_accepted(server, bank):
    body = urlencode(build_refresh_form(server, bank)) + "&&"
    response = await server.send("POST", "/oauth/2.0/token", server.build_headers() | FORM, data=body)
    assert is_refused(response, "invalid_grant")


async def test_many_wrong_secrets_do_not_block_other_operators(servers, server, bank):
    other = servers.server(number=1)
    form = build_refresh_form(server, bank)
    guesses = (server.post("token", form | {"client_secret": secrets.token_hex(20)}) for _ in range(40))
    requests = asyncio.gather(*guesses)
    response = await other.post("token", build_refresh_form(other, bank))
    assert is_refused(response, "invalid_grant")
    responses = await requests
    busy = [guess for guess in responses if guess.status == 503]
    assert all(
        is_refused(guess, "temporarily_unavailable", 503) and guess.headers["Retry-After"] == "1" for guess in busy
    )
    assert {guess.body["error"] for guess in responses if guess not in busy} == {"invalid_client"}
    assert busy


@pytest.mark.parametrize("doubled", ["client_id", "client_secret", "refresh_token", "grant_type", "org_code"])
async def test_a_duplicate_field_is_an_invalid_request(server, bank, doubled):
    form = build_refresh_form(server, bank)
    body = urlencode([*form.items(), (doubled, form[doubled])])
    response = await server.send("POST", "/oauth/2.0/token", server.build_headers() | FORM, data=body)
    assert is_refused(response, "invalid_request")


async def test_a_secret_in_the_query_is_refused_and_not_logged(servers, server, bank):
    form = build_refresh_form(server, bank)
    servers.add_secrets(form)
    for name in ("token", "revoke"):
        headers = server.build_headers()
        for how in ({"params": form}, {"params": {"client_secret": form["client_secret"]}, "data": form}):
            response = await server.send("POST", f"/oauth/2.0/{name}", headers | FORM, **how)
            assert is_refused(response, "invalid_request")
        await servers.wait_logged(headers["x-api-tran-id"])
    assert servers.find_leaks() == set()


async def test_secrets_of_an_unreadable_head_are_not_logged(servers, server, bank):
    form = build_refresh_form(server, bank)
    servers.add_secrets(form)
    tran_id = server.make_tran_id()
    head = {"Host": "relay.test", "x-api-tran-id": tran_id, "Content-Length": "+5"}
    async with await servers.connect() as connection:
        response = await connection.call(request("POST", f"/oauth/2.0/token?{urlencode(form)}", head))
    assert (response.status, response.json()["error"]) == (400, "invalid_request")
    await servers.wait_logged(tran_id)
    assert servers.find_leaks() == set()


async def test_find_leaks_finds_a_logged_value(servers, server, bank):
    tran_id = server.make_tran_id()
    await server.post("token", build_refresh_form(server, bank), x_api_tran_id=tran_id)
    await servers.wait_logged(tran_id)
    assert type(servers)(servers.running, {tran_id: "tran_id"}).find_leaks() == {"tran_id"}


@pytest.mark.parametrize("header", ["x-relay-operators", "X-Relay-Operators", "x-relay-client-id", "x-relay-operator"])
async def test_internal_headers_of_callers_are_ignored(servers, bank, header):
    victim, attacker = servers.sandbox.operators
    server = servers.server(identity=attacker.identity)
    forged = {header: victim.org_code, "x-api-tran-id": f"{attacker.org_code}M00000000000001"}
    form = build_refresh_form(server, bank)
    response = await server.send("POST", "/oauth/2.0/token", server.build_headers() | FORM | forged, data=form)
    assert is_refused(response, "unauthorized_client")
    params = server.authorization_parameters(bank)
    response = await server.send(
        "GET", "/oauth/2.0/authorize", server.build_headers(x_user_ci="A" * 88) | forged, params=params
    )
    assert response.redirect[1]["error"] == "unauthorized_client"


async def test_a_tran_id_of_another_operator_is_refused(servers, bank):
    _, attacker = servers.sandbox.operators
    server = servers.server(identity=attacker.identity)
    response = await server.send(
        "POST", "/oauth/2.0/token", server.build_headers() | FORM, data=build_refresh_form(server, bank)
    )
    assert is_refused(response, "invalid_request")
    assert response.body["error_description"].startswith(
        "거래고유번호의 기관코드와 주체구분코드가 호출한 기관의 것이 아닙니다"
    )
    params = server.authorization_parameters(bank)
    response = await server.send("GET", "/oauth/2.0/authorize", server.build_headers(x_user_ci="A" * 88), params=params)
    assert response.redirect[1]["error"] == "invalid_request"


async def test_internal_headers_of_the_authority_are_not_forwarded(server, bank):
    for response in (await server.post("token", build_refresh_form(server, bank)), await server.authorize(bank)):
        assert [name for name in response.headers if name.lower().startswith("x-relay")] == []
        assert "Server" not in response.headers


async def read_record(servers, tran_id):
    """Returns the access log record of a call."""
    await servers.wait_logged(tran_id)
    (line,) = (line for line in servers.logs.splitlines() if f'"tran_id":"{tran_id}"' in line)
    return json.loads(line)


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"state": "with-hyphen"}, "invalid_request"),
        ({"app_scheme": "attacker://"}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"app_scheme": ["moabogi://done", "moabogi://other"]}, "invalid_request"),
    ],
    ids=str,
)
async def test_a_redirected_error_is_recorded(servers, server, bank, wrong, error):
    tran_id = server.make_tran_id()
    params = urlencode(server.authorization_parameters(bank, **wrong), doseq=True)
    headers = server.build_headers(x_api_tran_id=tran_id, x_user_ci="A" * 88)
    response = await server.send("GET", f"/oauth/2.0/authorize?{params}", headers)
    assert (response.status, response.redirect[1]["error"]) == (302, error)
    record = await read_record(servers, tran_id)
    assert (record["api_code"], record["org_code"], record["error"]) == ("AU01", bank.org_code, error)
    assert (record["operator"], record["client_id"]) == (server.operator.org_code, server.client_id)


async def test_a_foreign_certificate_at_authorize_counts_for_its_operator(servers, server, bank):
    other = servers.server(number=1)
    tran_id = other.make_tran_id()
    headers = other.build_headers(x_api_tran_id=tran_id, x_user_ci="A" * 88)
    response = await other.send("GET", "/oauth/2.0/authorize", headers, params=server.authorization_parameters(bank))
    assert (response.status, response.redirect[1]["error"]) == (302, "unauthorized_client")
    record = await read_record(servers, tran_id)
    assert (record["api_code"], record["org_code"], record["error"]) == ("AU01", bank.org_code, "unauthorized_client")
    assert record["operator"] == other.operator.org_code
    assert record["client_id"] != server.client_id
