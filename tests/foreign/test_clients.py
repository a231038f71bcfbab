"""OAuth libraries that operators use: authlib, requests-oauthlib, openid-client (docs/reference/foreign-clients.md)."""

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
from mydata_sandbox.customer.browser_client import BrowserClient, trust_only
from mydata_sandbox.environment.running import running_environment
from mydata_sandbox.institution.login import LOGINS
from mydata_sandbox.parties import APP_SCHEME
from mydata_sandbox.scenarios.tokens import CUT_OFF_S
from mydata_sandbox.world.ci import get_ci
from oauthlib.oauth2 import WebApplicationClient
from requests_oauthlib import OAuth2Session

CUSTOMER = LOGINS[0]
FOLDER = Path(__file__).parent

pytestmark = pytest.mark.asyncio(loop_scope="module")


class OperatorSettings:
    """An operator's settings for the relay and its own credentials."""

    def __init__(self, environment):
        operator = environment.operators[0]
        self.gateway = environment.gateway
        self.org_code = environment.institutions["bank"].org_code
        self.client_id, self.client_secret = operator.client_ids[0], operator.client_secrets[0]
        self.callback = operator.callback
        self.ca = str(environment.certificates.ca)
        self.identity = (str(operator.identity.certificate), str(operator.identity.private_key))
        self.ci = get_ci(CUSTOMER.customer)
        self._operator = operator.org_code

    def url(self, name):
        return f"{self.gateway}/oauth/2.0/{name}"

    @property
    def accounts(self):
        query = urlencode({"org_code": self.org_code, "search_timestamp": "0", "limit": "500"})
        return f"{self.gateway}/v1/bank/accounts?{query}"

    def tran_id(self):
        return f"{self._operator}M{secrets.token_hex(7).upper()}"


class RequestsClient:
    """What the clients on requests have in common: `session` sends every call."""

    def __init__(self, settings, session):
        self._settings, self._session = settings, session

    def call(self):
        return self._with_tran_id().get(self._settings.accounts, headers={"x-api-type": "user-refresh"}).json()

    def close(self):
        self._session.close()

    def _read_location(self, url):
        """Returns where the authority sends the customer of a new request."""
        headers = {"x-user-ci": self._settings.ci}
        session = self._with_tran_id()
        return session.get(url, headers=headers, withhold_token=True, allow_redirects=False).headers["Location"]

    def _with_tran_id(self):
        self._session.headers["x-api-tran-id"] = self._settings.tran_id()
        return self._session


class Authlib(RequestsClient):
    """authlib's OAuth2Session on requests."""

    def __init__(self, settings, _):
        session = requests_client.OAuth2Session(
            settings.client_id,
            settings.client_secret,
            token_endpoint_auth_method="client_secret_post",
            revocation_endpoint_auth_method="client_secret_post",
            redirect_uri=settings.callback,
            verify=settings.ca,
            cert=settings.identity,
            trust_env=False,
        )
        super().__init__(settings, session)

    def authorize(self):
        settings = self._settings
        extra = {"org_code": settings.org_code, "app_scheme": APP_SCHEME}
        url, self._session.state = self._session.create_authorization_url(settings.url("authorize"), **extra)
        return self._read_location(url)

    def redeem(self, callback_url):
        return self._with_tran_id().fetch_token(
            self._settings.url("token"), authorization_response=callback_url, org_code=self._settings.org_code
        )

    def refresh(self):
        return self._with_tran_id().refresh_token(self._settings.url("token"), org_code=self._settings.org_code)

    def revoke(self):
        token, body = self._session.token["access_token"], urlencode({"org_code": self._settings.org_code})
        response = self._with_tran_id().revoke_token(self._settings.url("revoke"), token, body=body)
        return response.json()["rsp_code"]


class RequestsOauthlib(RequestsClient):
    """requests-oauthlib's OAuth2Session, with oauthlib's revocation."""

    def __init__(self, settings, _):
        self._client = WebApplicationClient(settings.client_id)
        session = OAuth2Session(client=self._client, redirect_uri=settings.callback)
        session.verify, session.cert, session.trust_env = settings.ca, settings.identity, False
        super().__init__(settings, session)
        self._extra_fields = {"org_code": settings.org_code, "client_secret": settings.client_secret}

    def authorize(self):
        settings = self._settings
        extra = {"org_code": settings.org_code, "app_scheme": APP_SCHEME}
        url, _ = self._session.authorization_url(settings.url("authorize"), **extra)
        return self._read_location(url)

    def redeem(self, callback_url):
        url = self._settings.url("token")
        return self._with_tran_id().fetch_token(
            url, authorization_response=callback_url, include_client_id=True, **self._extra_fields
        )

    def refresh(self):
        url, client_id = self._settings.url("token"), self._settings.client_id
        return self._with_tran_id().refresh_token(url, client_id=client_id, **self._extra_fields)

    def revoke(self):
        token, fields = (
            self._session.token["access_token"],
            self._extra_fields | {"client_id": self._settings.client_id},
        )
        url, headers, body = self._client.prepare_token_revocation_request(
            self._settings.url("revoke"), token, **fields
        )
        return self._with_tran_id().post(url, body, headers=headers, withhold_token=True).json()["rsp_code"]


class OpenidClient:
    """openid-client on node, with a process for each step."""

    def __init__(self, settings, npm_packages):
        self._settings = settings
        self._tokens = {}
        self._state = secrets.token_hex(
            20
        )  # its own generators.state() has 43 characters of base64url, 규격 takes aN(40)
        certificate, private_key = settings.identity
        self._base_input = {
            name: getattr(settings, name)
            for name in ("gateway", "org_code", "client_id", "client_secret", "callback", "ca", "ci")
        } | {"certificate": certificate, "private_key": private_key, "app_scheme": APP_SCHEME, "state": self._state}

    def authorize(self):
        return self._step("authorize")

    def redeem(self, callback_url):
        self._tokens = self._step("redeem", callback_url=callback_url)
        return self._tokens

    def refresh(self):
        self._tokens |= self._step("refresh", refresh_token=self._tokens["refresh_token"])
        return self._tokens

    def revoke(self):
        assert self._step("revoke", access_token=self._tokens["access_token"]) == ""
        return "00000"  # openid-client returns nothing on success

    def call(self):
        return self._step("call", url=self._settings.accounts, access_token=self._tokens["access_token"])

    def close(self):
        """Does nothing: each process has ended with its step."""

    def _step(self, step, **parameters):
        step_input = self._base_input | parameters | {"step": step, "tran_id": self._settings.tran_id()}
        command = ["node", FOLDER / "openid_client.mjs"]
        process = subprocess.run(
            command, input=json.dumps(step_input), capture_output=True, text=True, timeout=30, check=False
        )
        assert process.returncode == 0, process.stderr
        return json.loads(process.stdout)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def environment(tmp_path_factory):
    async with running_environment(tmp_path_factory.mktemp("foreign") / "environment") as running:
        yield running.environment


@pytest.fixture(params=[Authlib, RequestsOauthlib, OpenidClient])
def client(request, environment, npm_packages):
    client = request.param(OperatorSettings(environment), npm_packages)
    yield client
    client.close()


@pytest.fixture
def authorize(environment):
    """Sends the authorization request and completes the pages. Returns the callback URL."""

    async def complete(client):
        location = await asyncio.to_thread(client.authorize)
        async with BrowserClient(
            trust_only(environment.certificates.ca), CUSTOMER.login_id, CUSTOMER.password
        ) as phone:
            return await phone.consent(location)

    return complete


def jti(token):
    return jwt.decode(token, options={"verify_signature": False})["jti"]


async def wait_until_refused(client):
    """Calls until the token is refused. Fails if a call that starts CUT_OFF_S later still passes."""
    deadline = time.monotonic() + CUT_OFF_S
    started_at, body = 0.0, {"rsp_code": ""}
    while body["rsp_code"] != "40101":
        assert started_at < deadline, body["rsp_code"]
        started_at = time.monotonic()
        body = await asyncio.to_thread(client.call)


async def test_code_refresh_and_revocation_with_the_library(client, authorize):
    tokens = await asyncio.to_thread(client.redeem, await authorize(client))
    assert tokens["token_type"] == "Bearer"
    assert (await asyncio.to_thread(client.call))["rsp_code"] == "00000"

    access_token, refresh_token = tokens["access_token"], tokens["refresh_token"]
    tokens = await asyncio.to_thread(client.refresh)
    assert jti(tokens["access_token"]) != jti(access_token)
    assert tokens["refresh_token"] == refresh_token
    assert (await asyncio.to_thread(client.call))["rsp_code"] == "00000"

    assert await asyncio.to_thread(client.revoke) == "00000"
    await wait_until_refused(client)


async def test_a_code_redeemed_twice_raises_invalid_grant(client, authorize):
    callback_url = await authorize(client)
    await asyncio.to_thread(client.redeem, callback_url)
    with pytest.raises(Exception, match="invalid_grant"):
        await asyncio.to_thread(client.redeem, callback_url)
