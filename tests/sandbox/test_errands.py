"""The operator's errands at a pretended authority, and at a gateway whose authority is not there."""

import sys
from types import SimpleNamespace
from urllib.parse import urlencode

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from relay.domain.ids import TRAN_ID
from relay.policy.response.conformance import find_violations
from relay.runtime.processes import sandbox_environment as room
from relay.runtime.processes.sandbox_environment import running_environment
from relay.sandbox.certifier_signature import SignatureCertifier
from relay.sandbox.customers import ci_of
from relay.sandbox.errands import Errands, Tokens
from relay.sandbox.operator import session_of
from relay.sandbox.phone import Stuck
from relay.sandbox.world.model import CUSTOMERS
from relay.standard.catalogue import load_catalogue

CUSTOMER = CUSTOMERS[0]
AUTHORIZE, TOKEN, REVOKE = "/oauth/2.0/authorize", "/oauth/2.0/token", "/oauth/2.0/revoke"
PAGES = "https://pages.example/login/r1"
ACCESS = {"token_type": "Bearer", "access_token": "acc3ss", "expires_in": "60"}
PAIR = ACCESS | {"refresh_token": "r3fresh", "refresh_token_expires_in": "600", "scope": "bank.list"}
OLD = Tokens("old.access", "old.refresh")
REFUSED = {"error": "invalid_grant", "error_description": "expired"}


class Authority:
    """Answers as a relay's authority does, unless a test lays something else over a path."""

    def __init__(self):
        self.asked, self.over, self.echo = [], {}, True

    async def handle(self, request):
        form = dict(await request.post())
        self.asked.append(SimpleNamespace(path=request.path, query=request.query, form=form, headers=request.headers))
        status, told = self.over.get(request.path) or self.right(request.path, form)
        headers = {"x-api-tran-id": request.headers["x-api-tran-id"]} if self.echo else {}
        if isinstance(told, str):
            return web.Response(status=status, headers={"Location": told, **headers})
        return web.json_response(told, status=status, headers=headers)

    def right(self, path, form):
        if path == AUTHORIZE:
            return 302, PAGES
        if path == REVOKE:
            return 200, {"rsp_code": "00000", "rsp_msg": "ok"}
        if form["grant_type"] == "refresh_token":
            return 200, ACCESS
        return 200, PAIR | ({"tx_id": form["tx_id"]} if "tx_id" in form else {})


class Phone:
    """A customer who comes back to the callback with what the authority was asked with, `more` laid over it."""

    def __init__(self, authority, **more):
        self.authority, self.more, self.walked = authority, more, []

    async def walk(self, location):
        self.walked.append(location)
        asked = self.authority.asked[-1]
        told = {"code": "c0de", "state": asked.query["state"], "api_tran_id": asked.headers["x-api-tran-id"]}
        told = {name: value for name, value in (told | self.more).items() if value is not None}
        return f"{asked.query['redirect_uri']}?{urlencode(told)}"


@pytest.fixture
async def authority():
    authority = Authority()
    app = web.Application()
    app.router.add_route("*", "/{anything:.*}", authority.handle)
    async with TestServer(app) as server:
        authority.url = str(server.make_url("")).rstrip("/")
        yield authority


@pytest.fixture
async def errands(authority, built):
    async with aiohttp.ClientSession() as session:
        yield Errands(session, authority.url, built.operators[0], load_catalogue(), find_violations)


@pytest.fixture
def bank(built):
    return built.institutions["bank"]


@pytest.fixture
async def certifiers(built):
    """Both certifiers; the e-signature provider answers without TLS, and `.client` is who it knows the operator as."""
    secret = built.certifiers.client_secret
    double = SignatureCertifier({"operator": secret})
    async with TestServer(double.application()) as server:
        url = str(server.make_url("")).rstrip("/")
        yield SimpleNamespace(
            papers=built.certifiers.papers, signature=url, client_id="operator", client_secret=secret, double=double
        )


async def test_individual_authentication_is_two_calls_and_a_page_flow(errands, authority, bank):
    phone = Phone(authority)
    calls, tokens = await errands.individual(bank, CUSTOMER, phone)
    assert [(call.api_id, call.ok, call.status) for call in calls] == [
        ("개별인증-001", True, 302),
        ("개별인증-002", True, 200),
    ]
    assert (tokens.access, tokens.refresh) == ("acc3ss", "r3fresh")
    assert phone.walked == [PAGES]


async def test_the_customer_is_in_a_header_and_never_in_a_url(errands, authority, bank):
    assert await errands.authorize(bank, CUSTOMER) == PAGES
    (asked,) = authority.asked
    assert asked.headers["x-user-ci"] == ci_of(CUSTOMER)
    assert ci_of(CUSTOMER) not in str(asked.query)
    assert (asked.query["org_code"], asked.query["response_type"]) == (bank.org_code, "code")


async def test_secret_and_code_are_only_in_the_body(errands, authority, bank, built):
    await errands.individual(bank, CUSTOMER, Phone(authority))
    redeemed = authority.asked[-1]
    assert redeemed.form == {
        "org_code": bank.org_code,
        "client_id": built.operators[0].client_ids[0],
        "client_secret": built.operators[0].client_secrets[0],
        "grant_type": "authorization_code",
        "code": "c0de",
        "redirect_uri": built.operators[0].callback,
    }
    assert not redeemed.query


async def test_another_service_uses_its_own_credentials(errands, authority, bank, built):
    await errands.for_service(1).individual(bank, CUSTOMER, Phone(authority))
    asked, redeemed = authority.asked
    told = [(said["client_id"], said.get("client_secret")) for said in (asked.query, redeemed.form)]
    client_id, secret = built.operators[0].client_ids[1], built.operators[0].client_secrets[1]
    assert told == [(client_id, None), (client_id, secret)]


async def test_each_call_has_its_own_tran_id(errands, authority, bank):
    await errands.individual(bank, CUSTOMER, Phone(authority))
    await errands.refresh(bank, OLD)
    await errands.revoke(bank, OLD, CUSTOMER)
    found = [asked.headers["x-api-tran-id"] for asked in authority.asked]
    assert len(set(found)) == 4
    assert all(TRAN_ID.fullmatch(each) and each.startswith("ZOPA000001M") for each in found)


async def test_a_refresh_keeps_its_refresh_token(errands, authority, bank):
    call, renewed = await errands.refresh(bank, OLD)
    assert (call.api_id, call.ok, renewed) == ("개별인증-003", True, Tokens("acc3ss", "old.refresh"))
    assert authority.asked[0].form["refresh_token"] == "old.refresh"


async def test_a_revocation_has_the_access_token(errands, authority, bank):
    call = await errands.revoke(bank, OLD, CUSTOMER)
    assert (call.api_id, call.ok, authority.asked[0].form["token"]) == ("개별인증-004", True, "old.access")


async def test_a_certificate_signs_for_its_customer(errands, authority, bank, certifiers):
    call, tokens = await errands.by_certificate(bank, CUSTOMER, certifiers)
    form = authority.asked[0].form
    assert (call.api_id, call.ok, tokens.access) == ("통합인증-002", True, "acc3ss")
    assert (form["auth_type"], form["username"], form["grant_type"]) == ("0", ci_of(CUSTOMER), "password")


async def test_a_signature_of_the_provider_is_verified(errands, authority, bank, certifiers):
    call, _ = await errands.by_provider(bank, CUSTOMER, certifiers)
    form = authority.asked[0].form
    assert (call.ok, form["auth_type"], form["username"]) == (True, "1", ci_of(CUSTOMER))
    asked = {name: form[name] for name in ("tx_id", "cert_tx_id", "consent")} | {"signed_consent": form["password"]}
    told = certifiers.double._sign_verification(asked)
    assert (told["result"], told["user_ci"]) == ("true", ci_of(CUSTOMER))


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
async def test_a_wrong_callback_gives_no_token(errands, authority, bank, more, words):
    calls, tokens = await errands.individual(bank, CUSTOMER, Phone(authority, **more))
    (call,) = calls
    assert (call.api_id, call.ok, tokens) == ("개별인증-001", False, None)
    assert call.why[0].startswith(words)
    assert [asked.path for asked in authority.asked] == [AUTHORIZE]


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (Stuck("HTTP 200: Expired"), "the pages: HTTP 200: Expired"),
        (aiohttp.ServerDisconnectedError(), "the pages: ServerDisconnectedError"),
        (TimeoutError(), "the pages: TimeoutError"),
    ],
)
async def test_failed_pages_are_reported(errands, bank, broken, words):
    async def walk(_):
        raise broken

    ((call,), tokens) = await errands.individual(bank, CUSTOMER, SimpleNamespace(walk=walk))
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
async def test_a_failed_authorize_is_reported(errands, authority, bank, answer, words):
    authority.over[AUTHORIZE] = answer
    phone = Phone(authority)
    ((call,), tokens) = await errands.individual(bank, CUSTOMER, phone)
    assert (call.ok, tokens, phone.walked) == (False, None, [])
    assert call.why[0].startswith(words)
    with pytest.raises(Stuck, match="HTTP"):
        await errands.authorize(bank, CUSTOMER)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((400, REFUSED), "HTTP 400 invalid_grant: expired"),
        ((403, {"rsp_code": "40303", "rsp_msg": "no"}), "HTTP 403 40303: no"),
        ((502, {}), "HTTP 502 no error code"),
        ((200, PAIR | {"scope": ""}), "$.scope: "),
        ((200, {}), "$.token_type: is missing"),
        ((200, PAIR | {"expires_in": 60}), "$.expires_in: "),
    ],
)
async def test_a_wrong_token_response_gives_no_tokens(errands, authority, bank, answer, words):
    authority.over[TOKEN] = answer
    (_, call), tokens = await errands.individual(bank, CUSTOMER, Phone(authority))
    assert (call.api_id, call.ok, tokens) == ("개별인증-002", False, None)
    assert call.why[0].startswith(words)


async def test_another_tx_id_gives_no_tokens(errands, authority, bank, certifiers):
    authority.over[TOKEN] = (200, PAIR | {"tx_id": "another"})
    call, tokens = await errands.by_certificate(bank, CUSTOMER, certifiers)
    assert (call.ok, tokens, call.why) == (False, None, ["tx_id was not returned unchanged"])


async def test_a_refused_refresh_gives_no_token(errands, authority, bank):
    authority.over[TOKEN] = (400, REFUSED)
    call, renewed = await errands.refresh(bank, OLD)
    assert (call.ok, renewed, call.why) == (False, None, ["HTTP 400 invalid_grant: expired"])


async def test_a_failed_revocation_is_reported(errands, authority, bank):
    authority.over[REVOKE] = (200, {"rsp_code": "99999", "rsp_msg": "no"})
    call = await errands.revoke(bank, OLD, CUSTOMER)
    assert (call.ok, call.why) == (False, ["rsp_code 99999"])


async def test_a_response_with_another_tran_id_is_wrong(errands, authority, bank):
    authority.echo = False
    assert (await errands.revoke(bank, OLD, CUSTOMER)).why == ["x-api-tran-id was not returned unchanged"]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"client_secret": "guess"}, "the certifier: HTTP 400 invalid_client at /oauth/2.0/token"),
        ({"signature": "http://127.0.0.1:1"}, "the certifier: ClientConnectorError"),
    ],
)
async def test_a_missing_signature_is_reported(errands, authority, bank, certifiers, wrong, words):
    call, tokens = await errands.by_provider(bank, CUSTOMER, SimpleNamespace(**vars(certifiers) | wrong))
    assert (call.api_id, call.ok, tokens, authority.asked) == ("통합인증-002", False, None, [])
    assert call.why[0].startswith(words)


def test_tokens_are_not_printed():
    assert "old" not in repr(OLD)


async def all_errands(errands, street, phone):
    """Every call of the authority once; calls alone."""
    bank, certifiers = street.institutions["bank"], street.certifiers
    calls, _ = await errands.individual(bank, CUSTOMER, phone)
    certified, _ = await errands.by_certificate(bank, CUSTOMER, certifiers)
    provided, _ = await errands.by_provider(bank, CUSTOMER, certifiers)
    refreshed, _ = await errands.refresh(bank, OLD)
    return [*calls, certified, provided, refreshed, await errands.revoke(bank, OLD, CUSTOMER)]


async def test_each_call_without_an_authority_is_reported(tmp_path, monkeypatch):
    serve = (sys.executable, "-m", "relay", "serve", "--role", "gateway", "--until-stdin-closes", "-c")
    monkeypatch.setattr(room, "SERVE", serve)
    async with running_environment(tmp_path / "street") as around:
        street, asker = around.street, around.street.operators[0]
        async with session_of(asker.identity, street.certificates.ca) as session:
            errands = Errands(session, street.gateway, asker, around.catalogue, find_violations)
            calls = await all_errands(errands, street, Phone(None))
    assert [call.api_id[:4] for call in calls] == ["개별인증", "통합인증", "통합인증", "개별인증", "개별인증"]
    assert {(call.ok, call.status) for call in calls[1:]} == {(False, 503)}
    assert all("temporarily_unavailable" in call.why[0] for call in calls)


async def test_each_call_without_a_relay_is_reported(built, unused_tcp_port):
    asker = built.operators[0]
    async with session_of(asker.identity, built.certificates.ca) as session:
        errands = Errands(session, f"https://127.0.0.1:{unused_tcp_port}", asker, load_catalogue(), find_violations)
        calls = await all_errands(errands, built, Phone(None))
    assert len(calls) == 5
    assert all(not call.ok and "ClientConnectorError" in call.why[0] for call in calls)
