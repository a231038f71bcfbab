"""Responses of 개별인증-001 by flow of the institution."""

import hashlib
import json
from dataclasses import dataclass, field, replace
from urllib.parse import parse_qs, urlsplit

import pytest

from relay.endpoint.errors import OAuthRefusal
from relay.oauth.flows import start_flow
from relay.policy.settings.directory import AuthenticationMethod

NOW = 1_800_000_000


@dataclass
class FakeSigner:
    """Records the claims that it should sign."""

    signed: list = field(default_factory=list)

    def sign(self, claims, now):
        self.signed.append((claims, now))
        return "signed.request.object", hashlib.sha256(json.dumps(claims).encode()).digest()


@pytest.fixture
def authority(build_authority):
    return build_authority(lambda: NOW + 0.5, lambda: "random", signer=FakeSigner())


@pytest.fixture
def start(authority, bank, auth_request):
    """Starts the flow of the bank with changed settings."""
    return lambda **changed: start_flow(authority, bank.model_copy(update=changed), auth_request)


def test_hosted_redirects_to_the_page_of_the_relay(start):
    location = "https://pages.example/authentication/one%2Frequest"
    assert start() == (302, {"Location": location}, None)


def test_redirect_sends_a_signed_request_to_the_institution(start):
    status, headers, body = start(authentication=AuthenticationMethod.REDIRECT)
    location = urlsplit(headers["Location"])
    assert (status, body, location.netloc, location.path) == (302, None, "bank.example", "/login")
    assert parse_qs(location.query) == {"request": ["signed.request.object"]}


def test_a_request_object_does_not_contain_the_ci(authority, start):
    start(authentication=AuthenticationMethod.REDIRECT)
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


def test_app_returns_the_five_fields_of_the_standard(start):
    assert start(authentication=AuthenticationMethod.APP) == (
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
def test_a_flow_without_its_settings_is_refused(authority, start, changed, pages_url, error):
    authority.settings = replace(authority.settings, pages_url=pages_url)
    with pytest.raises(OAuthRefusal) as refusal:
        start(**changed)
    assert refusal.value.error == error
