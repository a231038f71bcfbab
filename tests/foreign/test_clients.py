"""OAuth libraries of operators against the relay: authlib, requests-oauthlib, openid-client."""

import asyncio
import json
import secrets
import subprocess
import time
from pathlib import Path
from urllib.parse import urlencode

import jwt
import pytest
import pytest_asyncio
from authlib.integrations import requests_client
from oauthlib.oauth2 import WebApplicationClient
from requests_oauthlib import OAuth2Session

from relay.runtime.processes.sandbox_environment import neighbourhood
from relay.sandbox.customers import ci_of
from relay.sandbox.journey import CUT_OFF_S
from relay.sandbox.login import LOGINS
from relay.sandbox.papers import APP_SCHEME
from relay.sandbox.phone import PretendedPhone, trusting

CUSTOMER = LOGINS[0]
HERE = Path(__file__).parent

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Facts:
    """What an operator knows of the relay and of itself, and the numbers it makes for its calls."""

    def __init__(self, street):
        operator = street.operators[0]
        self.gateway = street.gateway
        self.org_code = street.institutions["bank"].org_code
        self.client_id, self.client_secret = operator.client_ids[0], operator.client_secrets[0]
        self.callback = operator.callback
        self.ca = str(street.certificates.ca)
        self.identity = (str(operator.identity.certificate), str(operator.identity.private_key))
        self.ci = ci_of(CUSTOMER.customer)
        self._operator = operator.org_code

    def url(self, name):
        return f"{self.gateway}/oauth/2.0/{name}"

    @property
    def accounts(self):
        query = urlencode({"org_code": self.org_code, "search_timestamp": "0", "limit": "500"})
        return f"{self.gateway}/v1/bank/accounts?{query}"

    def tran_id(self):
        return f"{self._operator}M{secrets.token_hex(7).upper()}"


class Authlib:
    """authlib's session on requests."""

    def __init__(self, facts, _):
        self._facts = facts
        self._session = requests_client.OAuth2Session(
            facts.client_id,
            facts.client_secret,
            token_endpoint_auth_method="client_secret_post",
            revocation_endpoint_auth_method="client_secret_post",
            redirect_uri=facts.callback,
            verify=facts.ca,
            cert=facts.identity,
            trust_env=False,
        )

    def authorize(self):
        facts = self._facts
        extra = {"org_code": facts.org_code, "app_scheme": APP_SCHEME}
        url, self._session.state = self._session.create_authorization_url(facts.url("authorize"), **extra)
        headers = {"x-user-ci": facts.ci}
        return self._new().get(url, headers=headers, withhold_token=True, allow_redirects=False).headers["Location"]

    def redeem(self, back):
        return self._new().fetch_token(
            self._facts.url("token"), authorization_response=back, org_code=self._facts.org_code
        )

    def refresh(self):
        return self._new().refresh_token(self._facts.url("token"), org_code=self._facts.org_code)

    def revoke(self):
        token, body = self._session.token["access_token"], urlencode({"org_code": self._facts.org_code})
        answer = self._new().revoke_token(self._facts.url("revoke"), token, body=body)
        return answer.json()["rsp_code"]

    def ask(self):
        return self._new().get(self._facts.accounts, headers={"x-api-type": "user-refresh"}).json()

    def close(self):
        self._session.close()

    def _new(self):
        self._session.headers["x-api-tran-id"] = self._facts.tran_id()
        return self._session


class RequestsOauthlib:
    """requests-oauthlib's session; revocation is oauthlib's."""

    def __init__(self, facts, _):
        self._facts = facts
        self._client = WebApplicationClient(facts.client_id)
        self._session = OAuth2Session(client=self._client, redirect_uri=facts.callback)
        self._session.verify, self._session.cert, self._session.trust_env = facts.ca, facts.identity, False
        self._ours = {"org_code": facts.org_code, "client_secret": facts.client_secret}

    def authorize(self):
        facts = self._facts
        extra = {"org_code": facts.org_code, "app_scheme": APP_SCHEME}
        url, _ = self._session.authorization_url(facts.url("authorize"), **extra)
        headers = {"x-user-ci": facts.ci}
        return self._new().get(url, headers=headers, withhold_token=True, allow_redirects=False).headers["Location"]

    def redeem(self, back):
        url = self._facts.url("token")
        return self._new().fetch_token(url, authorization_response=back, include_client_id=True, **self._ours)

    def refresh(self):
        url, client_id = self._facts.url("token"), self._facts.client_id
        return self._new().refresh_token(url, client_id=client_id, **self._ours)

    def revoke(self):
        token, ours = self._session.token["access_token"], self._ours | {"client_id": self._facts.client_id}
        url, headers, body = self._client.prepare_token_revocation_request(self._facts.url("revoke"), token, **ours)
        return self._new().post(url, body, headers=headers, withhold_token=True).json()["rsp_code"]

    def ask(self):
        return self._new().get(self._facts.accounts, headers={"x-api-type": "user-refresh"}).json()

    def close(self):
        self._session.close()

    def _new(self):
        self._session.headers["x-api-tran-id"] = self._facts.tran_id()
        return self._session


class OpenidClient:
    """openid-client on node, a process for each step."""

    def __init__(self, facts, npm_packages):
        self._facts = facts
        self._tokens = {}
        self._state = secrets.token_hex(
            20
        )  # its own generators.state() has 43 characters of base64url, 규격 takes aN(40)
        certificate, private_key = facts.identity
        self._told = {
            name: getattr(facts, name)
            for name in ("gateway", "org_code", "client_id", "client_secret", "callback", "ca", "ci")
        } | {"certificate": certificate, "private_key": private_key, "app_scheme": APP_SCHEME, "state": self._state}

    def authorize(self):
        return self._step("authorize")

    def redeem(self, back):
        self._tokens = self._step("redeem", back=back)
        return self._tokens

    def refresh(self):
        self._tokens |= self._step("refresh", refresh_token=self._tokens["refresh_token"])
        return self._tokens

    def revoke(self):
        assert self._step("revoke", access_token=self._tokens["access_token"]) == ""
        return "00000"  # openid-client tells success by not failing, and nothing of the body

    def ask(self):
        return self._step("ask", url=self._facts.accounts, access_token=self._tokens["access_token"])

    def close(self):
        """No process outlives its step."""

    def _step(self, step, **more):
        told = self._told | more | {"step": step, "tran_id": self._facts.tran_id()}
        command = ["node", HERE / "openid_client.mjs"]
        done = subprocess.run(command, input=json.dumps(told), capture_output=True, text=True, timeout=30, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def street(tmp_path_factory):
    async with neighbourhood(tmp_path_factory.mktemp("foreign") / "street") as around:
        yield around.street


@pytest.fixture(params=[Authlib, RequestsOauthlib, OpenidClient])
def client(request, street, npm_packages):
    client = request.param(Facts(street), npm_packages)
    yield client
    client.close()


@pytest.fixture
def consented(street):
    """The library asks, the customer walks over the pages; where the customer comes back to."""

    async def obtain(client):
        location = await asyncio.to_thread(client.authorize)
        async with PretendedPhone(trusting(street.certificates.ca), CUSTOMER.login_id, CUSTOMER.password) as phone:
            return await phone.walk(location)

    return obtain


def jti(token):
    return jwt.decode(token, options={"verify_signature": False})["jti"]


async def cut_off(client):
    """Ask until the token is refused; one that opens a call begun CUT_OFF_S after this moment is a fault."""
    deadline = time.monotonic() + CUT_OFF_S
    asked, said = 0.0, {"rsp_code": ""}
    while said["rsp_code"] != "40101":
        assert asked < deadline, said["rsp_code"]
        asked = time.monotonic()
        said = await asyncio.to_thread(client.ask)


async def test_code_refresh_and_revoke_as_the_library_does_them(client, consented):
    tokens = await asyncio.to_thread(client.redeem, await consented(client))
    assert tokens["token_type"] == "Bearer"
    assert (await asyncio.to_thread(client.ask))["rsp_code"] == "00000"

    first, kept = tokens["access_token"], tokens["refresh_token"]
    tokens = await asyncio.to_thread(client.refresh)
    assert jti(tokens["access_token"]) != jti(first)
    assert tokens["refresh_token"] == kept
    assert (await asyncio.to_thread(client.ask))["rsp_code"] == "00000"

    assert await asyncio.to_thread(client.revoke) == "00000"
    await cut_off(client)


async def test_a_code_redeemed_twice_is_the_librarys_invalid_grant(client, consented):
    back = await consented(client)
    await asyncio.to_thread(client.redeem, back)
    with pytest.raises(Exception, match="invalid_grant"):
        await asyncio.to_thread(client.redeem, back)
