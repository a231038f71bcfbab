"""Responses of 개별인증-001 by flow of the institution."""

import hashlib
import json
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

import pytest

from relay.domain.authorization.request import AuthorizationRequest
from relay.domain.party import Service
from relay.endpoint.errors import OAuthRefusal
from relay.oauth.flows import start_flow
from relay.oauth.services import AuthorityServices, Client, OAuthSettings
from relay.policy.settings.authority import TokenSettings
from relay.policy.settings.directory import AppLogin, AuthenticationMethod, LinkKind, Provider, RedirectLogin

NOW = 1_800_000_000
CI = "Q0ktb2YtYS1jdXN0b21lcg=="
REQUEST = AuthorizationRequest(
    request_id="one/request",
    provider="ZBAA000001",
    operator="ZOPA000001",
    client_id="ZOPA000001SVC01",
    redirect_uri="https://operator.example/callback",
    app_scheme="moabogi://done",
    oauth_state="state1",
    api_tran_id="ZOPA000001M00000000000001",
    asked_at=NOW,
    expires_at=NOW + 600,
    ci=CI,
)
BANK = Provider(
    org_code="ZBAA000001",
    name="가온상호저축은행",
    industry="bank",
    base_urls=("http://127.0.0.1:1",),
    link=LinkKind.LEASED_LINE,
    authentication=AuthenticationMethod.HOSTED,
    redirect=RedirectLogin(url="https://bank.example/login", public_key="bank.pem"),
    app=AppLogin(
        app_scheme_ios="gaon://", install_url_ios="ios", app_scheme_android="gaon2://", install_url_android="play"
    ),
)


@dataclass
class FakeSigner:
    """Records the claims that it should sign."""

    signed: list = field(default_factory=list)

    def sign(self, claims, now):
        self.signed.append((claims, now))
        return "signed.request.object", hashlib.sha256(json.dumps(claims).encode()).digest()


@pytest.fixture
def authority():
    client = Client(Service("ZOPA000001SVC01", "모아보기", "ZOPA000001"), "")
    settings = OAuthSettings(
        relay="ZRLA000001",
        tokens=TokenSettings(issuer="ZRLA000001", keys="keys"),
        providers={BANK.org_code: BANK},
        clients={client.service.client_id: client},
        certifiers={},
        pages_url="https://pages.example",
        request_s=600,
    )
    unused = SimpleNamespace()
    return AuthorityServices(
        settings, unused, FakeSigner(), unused, unused, unused, lambda: NOW + 0.5, lambda: "random"
    )


def bank_with(authentication):
    return BANK.model_copy(update={"authentication": authentication})


def test_hosted_redirects_to_the_page_of_the_relay(authority):
    location = "https://pages.example/authentication/one%2Frequest"
    assert start_flow(authority, BANK, REQUEST) == (302, {"Location": location}, None)


def test_redirect_sends_a_signed_request_to_the_institution(authority):
    status, headers, body = start_flow(authority, bank_with(AuthenticationMethod.REDIRECT), REQUEST)
    location = urlsplit(headers["Location"])
    assert (status, body, location.netloc, location.path) == (302, None, "bank.example", "/login")
    assert parse_qs(location.query) == {"request": ["signed.request.object"]}


def test_a_request_object_does_not_contain_the_ci(authority):
    start_flow(authority, bank_with(AuthenticationMethod.REDIRECT), REQUEST)
    ((claims, now),) = authority.signer.signed
    assert now == NOW
    assert claims == {
        "iss": "ZRLA000001",
        "aud": "ZBAA000001",
        "iat": NOW,
        "exp": NOW + 600,
        "request_id": "one/request",
        "client_id": "ZOPA000001SVC01",
        "service_name": "모아보기",
        "api_tran_id": "ZOPA000001M00000000000001",
        "return_url": "https://pages.example/authentication/return",
    }


def test_app_returns_the_five_fields_of_the_standard(authority):
    assert start_flow(authority, bank_with(AuthenticationMethod.APP), REQUEST) == (
        200,
        {},
        {
            "org_code": "ZBAA000001",
            "app_scheme_iOS": "gaon://",
            "install_url_iOS": "ios",
            "app_scheme_android": "gaon2://",
            "install_url_android": "play",
        },
    )


@pytest.mark.parametrize(
    ("changed", "pages_url", "error"),
    [
        ({"authentication": AuthenticationMethod.NONE}, "https://pages.example", "method_not_allowed"),
        ({"authentication": AuthenticationMethod.HOSTED}, "", "server_error"),
        ({"authentication": AuthenticationMethod.REDIRECT}, "", "server_error"),
        ({"authentication": AuthenticationMethod.REDIRECT, "redirect": None}, "https://pages.example", "server_error"),
        ({"authentication": AuthenticationMethod.APP, "app": None}, "https://pages.example", "server_error"),
    ],
)
def test_a_flow_without_its_settings_is_refused(authority, changed, pages_url, error):
    authority.settings = replace(authority.settings, pages_url=pages_url)
    with pytest.raises(OAuthRefusal) as refusal:
        start_flow(authority, BANK.model_copy(update=changed), REQUEST)
    assert refusal.value.error == error
