"""The portal of a sandbox over mutual TLS, and callers with certificates of the sandbox."""

from contextlib import AsyncExitStack
from datetime import UTC, datetime

import pytest
from aiohttp.test_utils import TestServer
from mydata_sandbox.checks.conformance import find_strict_violations
from mydata_sandbox.environment.portal_registration import build_portal
from mydata_sandbox.environment.serving import build_server_context
from mydata_sandbox.operator.client import open_session
from mydata_sandbox.operator.support import ClientCredentials, SupportCaller
from mydata_sandbox.parties import IDENTITY_CERTIFIER, PORTAL_CODE, RELAY_CODE, SIGNATURE_CERTIFIER

from relay.standard.catalogue import load_catalogue

BEGIN = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)
LETTERS = {RELAY_CODE: "R", IDENTITY_CERTIFIER: "A", SIGNATURE_CERTIFIER: "A"}


class Clock:
    now = BEGIN

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def portal(with_portal, clock):
    """The portal of a sandbox without received calls."""
    return build_portal(with_portal, with_portal.portal, load_catalogue(), clock)


@pytest.fixture
async def served(portal, with_portal):
    """The portal's base URL."""
    context = build_server_context(with_portal.portal.identity, with_portal.certificates.ca)
    server = TestServer(portal.application(), scheme="https")
    await server.start_server(ssl=context)
    yield str(server.make_url("")).rstrip("/")
    await server.close()


def identities(environment):
    pairs = {RELAY_CODE: environment.certificates.relay, PORTAL_CODE: environment.certificates.portal}
    pairs |= {operator.org_code: operator.identity for operator in environment.operators}
    return pairs | dict(
        zip((IDENTITY_CERTIFIER, SIGNATURE_CERTIFIER), environment.certificates.certifiers, strict=True)
    )


@pytest.fixture
async def caller(served, with_portal):
    """Builds callers of the support APIs: `caller(org_code)`. `identity` and `secret` replace the caller's own."""
    async with AsyncExitStack() as stack:

        async def build_caller(org_code, identity=None, secret=None):
            pair = identity or identities(with_portal)[org_code]
            session = await stack.enter_async_context(open_session(pair, with_portal.certificates.ca))
            account = with_portal.portal.accounts[org_code]
            letter = LETTERS.get(org_code, "M")
            credentials = ClientCredentials(
                org_code, letter, "지원-001", account.client_id, secret or account.client_secret
            )
            return SupportCaller(session, served, credentials, load_catalogue(), find_strict_violations)

        yield build_caller
