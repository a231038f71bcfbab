"""The authority client with a fake authority, and with a gateway without an authority."""

import sys
from types import SimpleNamespace
from urllib.parse import urlencode

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from mydata_sandbox.certifiers.signature import SignatureCertifier
from mydata_sandbox.checks.conformance import find_strict_violations
from mydata_sandbox.customer.browser_client import PageFlowError
from mydata_sandbox.environment import running as module
from mydata_sandbox.environment.running import running_environment
from mydata_sandbox.operator.authority_client import AuthorityClient, Tokens
from mydata_sandbox.operator.client import open_session
from mydata_sandbox.world.ci import get_ci
from mydata_sandbox.world.model import CUSTOMERS

from relay.domain.ids import is_tran_id
from relay.standard.catalogue import load_catalogue

CUSTOMER = CUSTOMERS[0]
AUTHORIZE, TOKEN, REVOKE = "/oauth/2.0/authorize", "/oauth/2.0/token", "/oauth/2.0/revoke"
PAGES = "https://pages.example/login/r1"
ACCESS = {"token_type": "Bearer", "access_token": "acc3ss", "expires_in": "60"}
PAIR = ACCESS | {"refresh_token": "r3fresh", "refresh_token_expires_in": "600", "scope": "bank.list"}
OLD = Tokens("old.access", "old.refresh")
REFUSED = {"error": "invalid_grant", "error_description": "expired"}


class Authority:
    """Responds as a relay's authority. `responses` overrides paths."""

    def __init__(self):
        self.requests, self.responses, self.echo = [], {}, True

    async def handle(self, request):
        form = dict(await request.post())
        self.requests.append(
            SimpleNamespace(path=request.path, query=request.query, form=form, headers=request.headers)
        )
        status, response = self.responses.get(request.path) or self.respond(request.path, form)
        headers = {"x-api-tran-id": request.headers["x-api-tran-id"]} if self.echo else {}
        if isinstance(response, str):
            return web.Response(status=status, headers={"Location": response, **headers})
        return web.json_response(response, status=status, headers=headers)

    def respond(self, path, form):
        if path == AUTHORIZE:
            return 302, PAGES
        if path == REVOKE:
            return 200, {"rsp_code": "00000", "rsp_msg": "ok"}
        if form["grant_type"] == "refresh_token":
            return 200, ACCESS
        return 200, PAIR | ({"tx_id": form["tx_id"]} if "tx_id" in form else {})


class Browser:
    """A browser that reaches the callback with the values of the last request, overridden by `more`."""

    def __init__(self, authority, **more):
        self.authority, self.more, self.locations = authority, more, []

    async def consent(self, location):
        self.locations.append(location)
        request = self.authority.requests[-1]
        params = {"code": "c0de", "state": request.query["state"], "api_tran_id": request.headers["x-api-tran-id"]}
        params = {name: value for name, value in (params | self.more).items() if value is not None}
        return f"{request.query['redirect_uri']}?{urlencode(params)}"


@pytest.fixture
async def authority():
    authority = Authority()
    app = web.Application()
    app.router.add_route("*", "/{anything:.*}", authority.handle)
    async with TestServer(app) as server:
        authority.url = str(server.make_url("")).rstrip("/")
        yield authority


@pytest.fixture
async def client(authority, built):
    async with aiohttp.ClientSession() as session:
        yield AuthorityClient(session, authority.url, built.operators[0], load_catalogue(), find_strict_violations)


@pytest.fixture
def bank(built):
    return built.institutions["bank"]


@pytest.fixture
async def certifiers(built):
    """Both certifiers. The e-signature provider is served without TLS."""
    secret = built.certifiers.client_secret
    double = SignatureCertifier({"operator": secret})
    async with TestServer(double.application()) as server:
        url = str(server.make_url("")).rstrip("/")
        yield SimpleNamespace(
            pki=built.certifiers.pki, signature=url, client_id="operator", client_secret=secret, double=double
        )


async def test_individual_authentication_is_two_calls_and_a_page_flow(client, authority, bank):
    browser = Browser(authority)
    calls, tokens = await client.obtain_individually(bank, CUSTOMER, browser)
    assert [(call.api_id, call.ok, call.status) for call in calls] == [
        ("개별인증-001", True, 302),
        ("개별인증-002", True, 200),
    ]
    assert (tokens.access, tokens.refresh) == ("acc3ss", "r3fresh")
    assert browser.locations == [PAGES]


async def test_the_customer_is_in_a_header_and_never_in_a_url(client, authority, bank):
    assert await client.authorize(bank, CUSTOMER) == PAGES
    (request,) = authority.requests
    assert request.headers["x-user-ci"] == get_ci(CUSTOMER)
    assert get_ci(CUSTOMER) not in str(request.query)
    assert (request.query["org_code"], request.query["response_type"]) == (bank.org_code, "code")


async def test_secret_and_code_are_only_in_the_body(client, authority, bank, built):
    await client.obtain_individually(bank, CUSTOMER, Browser(authority))
    token_request = authority.requests[-1]
    assert token_request.form == {
        "org_code": bank.org_code,
        "client_id": built.operators[0].client_ids[0],
        "client_secret": built.operators[0].client_secrets[0],
        "grant_type": "authorization_code",
        "code": "c0de",
        "redirect_uri": built.operators[0].callback,
    }
    assert not token_request.query


async def test_another_service_uses_its_own_credentials(client, authority, bank, built):
    await client.select_service(1).obtain_individually(bank, CUSTOMER, Browser(authority))
    authorize_request, token_request = authority.requests
    credentials = [
        (fields["client_id"], fields.get("client_secret")) for fields in (authorize_request.query, token_request.form)
    ]
    client_id, secret = built.operators[0].client_ids[1], built.operators[0].client_secrets[1]
    assert credentials == [(client_id, None), (client_id, secret)]


async def test_each_call_has_its_own_tran_id(client, authority, bank):
    await client.obtain_individually(bank, CUSTOMER, Browser(authority))
    await client.refresh(bank, OLD)
    await client.revoke(bank, OLD, CUSTOMER)
    tran_ids = [request.headers["x-api-tran-id"] for request in authority.requests]
    assert len(set(tran_ids)) == 4
    assert all(is_tran_id(each) and each.startswith("ZOPA000001M") for each in tran_ids)


async def test_a_refresh_keeps_its_refresh_token(client, authority, bank):
    call, renewed = await client.refresh(bank, OLD)
    assert (call.api_id, call.ok, renewed) == ("개별인증-003", True, Tokens("acc3ss", "old.refresh"))
    assert authority.requests[0].form["refresh_token"] == "old.refresh"


async def test_a_revocation_has_the_access_token(client, authority, bank):
    call = await client.revoke(bank, OLD, CUSTOMER)
    assert (call.api_id, call.ok, authority.requests[0].form["token"]) == ("개별인증-004", True, "old.access")


async def test_a_certificate_signs_for_its_customer(client, authority, bank, certifiers):
    call, tokens = await client.obtain_by_certificate(bank, CUSTOMER, certifiers)
    form = authority.requests[0].form
    assert (call.api_id, call.ok, tokens.access) == ("통합인증-002", True, "acc3ss")
    assert (form["auth_type"], form["username"], form["grant_type"]) == ("0", get_ci(CUSTOMER), "password")


async def test_a_signature_of_the_provider_is_verified(client, authority, bank, certifiers):
    call, _ = await client.obtain_by_provider(bank, CUSTOMER, certifiers)
    form = authority.requests[0].form
    assert (call.ok, form["auth_type"], form["username"]) == (True, "1", get_ci(CUSTOMER))
    fields = {name: form[name] for name in ("tx_id", "cert_tx_id", "consent")} | {"signed_consent": form["password"]}
    result = certifiers.double.verify_signature(fields)
    assert (result["result"], result["user_ci"]) == ("true", get_ci(CUSTOMER))


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"state": "another"}, "state was not returned unchanged"),
        ({"state": None}, "state was not returned unchanged"),
        ({"api_tran_id": "ZOPA000001M00000000000001"}, "api_tran_id was not returned unchanged"),
        ({"code": None, "error": "access_denied"}, "the callback received access_denied"),
        ({"code": None}, "the callback received no code"),
        ({"more": "1"}, "$.more: is not a field of this response"),
        ({"code": "c" * 129}, "$.code: "),
    ],
)
async def test_a_wrong_callback_gives_no_token(client, authority, bank, more, words):
    calls, tokens = await client.obtain_individually(bank, CUSTOMER, Browser(authority, **more))
    (call,) = calls
    assert (call.api_id, call.ok, tokens) == ("개별인증-001", False, None)
    assert call.why[0].startswith(words)
    assert [request.path for request in authority.requests] == [AUTHORIZE]


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (PageFlowError("HTTP 200: Expired"), "the pages: HTTP 200: Expired"),
        (aiohttp.ServerDisconnectedError(), "the pages: ServerDisconnectedError"),
        (TimeoutError(), "the pages: TimeoutError"),
    ],
)
async def test_failed_pages_are_reported(client, bank, broken, words):
    async def consent(_):
        raise broken

    ((call,), tokens) = await client.obtain_individually(bank, CUSTOMER, SimpleNamespace(consent=consent))
    assert (call.ok, tokens) == (False, None)
    assert call.why[0].startswith(words)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (
            (302, "https://operator.example/cb?error=invalid_scope&state=1"),
            "HTTP 302 https://operator.example/cb?error",
        ),
        ((400, {"error": "invalid_request"}), 'HTTP 400 {"error": "invalid_request"}'),
        ((200, {}), "HTTP 200 {}"),
    ],
)
async def test_a_failed_authorize_is_reported(client, authority, bank, answer, words):
    authority.responses[AUTHORIZE] = answer
    browser = Browser(authority)
    ((call,), tokens) = await client.obtain_individually(bank, CUSTOMER, browser)
    assert (call.ok, tokens, browser.locations) == (False, None, [])
    assert call.why[0].startswith(words)
    with pytest.raises(PageFlowError, match="HTTP"):
        await client.authorize(bank, CUSTOMER)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((400, REFUSED), "HTTP 400 invalid_grant: expired"),
        ((403, {"rsp_code": "40303", "rsp_msg": "no"}), "HTTP 403 40303: no"),
        ((502, {}), "HTTP 502 no error code"),
        ((200, PAIR | {"scope": ""}), "$.scope: "),
        ((200, {}), "$.token_type: is missing"),
        ((200, PAIR | {"expires_in": "soon"}), "$.expires_in: "),
    ],
)
async def test_a_wrong_token_response_gives_no_tokens(client, authority, bank, answer, words):
    authority.responses[TOKEN] = answer
    (_, call), tokens = await client.obtain_individually(bank, CUSTOMER, Browser(authority))
    assert (call.api_id, call.ok, tokens) == ("개별인증-002", False, None)
    assert call.why[0].startswith(words)


async def test_another_tx_id_gives_no_tokens(client, authority, bank, certifiers):
    authority.responses[TOKEN] = (200, PAIR | {"tx_id": "another"})
    call, tokens = await client.obtain_by_certificate(bank, CUSTOMER, certifiers)
    assert (call.ok, tokens, call.why) == (False, None, ["tx_id was not returned unchanged"])


async def test_a_refused_refresh_gives_no_token(client, authority, bank):
    authority.responses[TOKEN] = (400, REFUSED)
    call, renewed = await client.refresh(bank, OLD)
    assert (call.ok, renewed, call.why) == (False, None, ["HTTP 400 invalid_grant: expired"])


async def test_a_failed_revocation_is_reported(client, authority, bank):
    authority.responses[REVOKE] = (200, {"rsp_code": "99999", "rsp_msg": "no"})
    call = await client.revoke(bank, OLD, CUSTOMER)
    assert (call.ok, call.why) == (False, ["rsp_code 99999"])


async def test_a_response_with_another_tran_id_is_wrong(client, authority, bank):
    authority.echo = False
    assert (await client.revoke(bank, OLD, CUSTOMER)).why == ["x-api-tran-id was not returned unchanged"]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"client_secret": "guess"}, "the certifier: HTTP 400 invalid_client at /oauth/2.0/token"),
        ({"signature": "http://127.0.0.1:1"}, "the certifier: ClientConnectorError"),
    ],
)
async def test_a_missing_signature_is_reported(client, authority, bank, certifiers, wrong, words):
    call, tokens = await client.obtain_by_provider(bank, CUSTOMER, SimpleNamespace(**vars(certifiers) | wrong))
    assert (call.api_id, call.ok, tokens, authority.requests) == ("통합인증-002", False, None, [])
    assert call.why[0].startswith(words)


def test_tokens_are_not_printed():
    assert "old" not in repr(OLD)


async def make_all_calls(client, environment, browser):
    """Makes each call of the authority once. Returns the calls."""
    bank, certifiers = environment.institutions["bank"], environment.certifiers
    calls, _ = await client.obtain_individually(bank, CUSTOMER, browser)
    certified, _ = await client.obtain_by_certificate(bank, CUSTOMER, certifiers)
    provided, _ = await client.obtain_by_provider(bank, CUSTOMER, certifiers)
    refreshed, _ = await client.refresh(bank, OLD)
    return [*calls, certified, provided, refreshed, await client.revoke(bank, OLD, CUSTOMER)]


async def test_each_call_without_an_authority_is_reported(tmp_path, monkeypatch):
    serve = (sys.executable, "-m", "relay", "serve", "--role", "gateway", "--until-stdin-closes", "-c")
    monkeypatch.setattr(module, "SERVE", serve)
    async with running_environment(tmp_path / "environment") as around:
        environment, asker = around.environment, around.environment.operators[0]
        async with open_session(asker.identity, environment.certificates.ca) as session:
            client = AuthorityClient(session, environment.gateway, asker, around.catalogue, find_strict_violations)
            calls = await make_all_calls(client, environment, Browser(None))
    assert [call.api_id[:4] for call in calls] == ["개별인증", "통합인증", "통합인증", "개별인증", "개별인증"]
    assert {(call.ok, call.status) for call in calls[1:]} == {(False, 503)}
    assert all("temporarily_unavailable" in call.why[0] for call in calls)


async def test_each_call_without_a_relay_is_reported(built, unused_tcp_port):
    asker = built.operators[0]
    async with open_session(asker.identity, built.certificates.ca) as session:
        client = AuthorityClient(
            session, f"https://127.0.0.1:{unused_tcp_port}", asker, load_catalogue(), find_strict_violations
        )
        calls = await make_all_calls(client, built, Browser(None))
    assert len(calls) == 5
    assert all(not call.ok and "ClientConnectorError" in call.why[0] for call in calls)
