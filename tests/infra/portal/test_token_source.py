import pytest

from relay.domain.portal import PortalDown
from relay.infra.portal.token_source import TokenSource, check_token

GOOD = {"token_type": "Bearer", "access_token": "t", "expires_in": 3600, "scope": "manage"}
ORGS, TOKEN = "/v1/mgmts/orgs", "/mgmts/oauth/2.0/token"


class Issuer:
    """Issues tokens 1, 2, 3 with `lifetime` seconds, unless it fails; the time is `now`."""

    def __init__(self, lifetime):
        self.lifetime, self.now, self.count, self.is_failing = lifetime, 0.0, 0, False

    async def fetch(self):
        self.count += 1
        if self.is_failing:
            raise PortalDown("지원-001: HTTP 500")
        return GOOD | {"access_token": str(self.count), "expires_in": str(self.lifetime)}


@pytest.fixture
def make_issuer():
    """Builds an issuer and a TokenSource that uses it."""

    def build(lifetime):
        issuer = Issuer(lifetime)
        return issuer, TokenSource(issuer.fetch, lambda: issuer.now)

    return build


@pytest.mark.parametrize(
    ("lifetime", "renewed_at"), [(31_536_000, 25_228_800), (3600, 2880), (1000, 700), (400, 200), (2, 1)]
)
async def test_a_token_is_renewed_before_it_expires(make_issuer, lifetime, renewed_at):
    issuer, tokens = make_issuer(lifetime)
    assert await tokens.get_token() == "1"
    issuer.now = renewed_at - 0.1
    assert await tokens.get_token() == "1"
    issuer.now = renewed_at
    assert await tokens.get_token() == "2"
    assert issuer.count == 2


async def test_a_rejected_token_is_replaced_once(make_issuer):
    issuer, tokens = make_issuer(3600)
    first = await tokens.get_token()
    assert await tokens.get_token(rejected=first) == "2"
    assert await tokens.get_token(rejected=first) == "2"
    assert issuer.count == 2


async def test_a_valid_token_stays_in_use_when_renewal_fails(make_issuer):
    issuer, tokens = make_issuer(3600)
    await tokens.get_token()
    issuer.now, issuer.is_failing = 3000.0, True
    assert [await tokens.get_token(), await tokens.get_token()] == ["1", "1"]
    assert issuer.count == 2
    issuer.now = 3060.0
    assert await tokens.get_token() == "1"
    assert issuer.count == 3
    issuer.now = 3600.0
    with pytest.raises(PortalDown):
        await tokens.get_token()


async def test_a_rejected_token_is_never_returned_again(make_issuer):
    issuer, tokens = make_issuer(3600)
    first = await tokens.get_token()
    issuer.is_failing = True
    with pytest.raises(PortalDown):
        await tokens.get_token(rejected=first)


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"token_type": "bearer"},
        {"scope": None, "rsp_code": "00000", "rsp_msg": "성공"},
        {"expires_in": "3600"},
        {"access_token": "x" * 1500},
    ],
)
def test_scope_and_rsp_code_are_optional(changed):
    body = {name: value for name, value in (GOOD | changed).items() if value is not None}
    assert check_token(body) == ""


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"token_type": "mac"}, "token_type is not Bearer"),
        ({"token_type": None}, "token_type is not Bearer"),
        ({"access_token": ""}, "access_token is missing or malformed"),
        ({"access_token": 7}, "access_token is missing or malformed"),
        ({"access_token": "a b"}, "access_token is missing or malformed"),
        ({"access_token": "a\r\nHost: x"}, "access_token is missing or malformed"),
        ({"access_token": "x" * 1501}, "access_token is missing or malformed"),
        ({"expires_in": None}, "expires_in is missing or malformed"),
        ({"expires_in": 0}, "expires_in is missing or malformed"),
        ({"expires_in": -1}, "expires_in is missing or malformed"),
        ({"expires_in": True}, "expires_in is missing or malformed"),
        ({"expires_in": 3600.5}, "expires_in is missing or malformed"),
        ({"expires_in": "1e9"}, "expires_in is missing or malformed"),
        ({"scope": "bank.list"}, "scope is not manage"),
    ],
)
async def test_an_invalid_token_response_is_retried(portal, client_of, changed, problem):
    body = {name: value for name, value in (GOOD | changed).items() if value is not None}
    assert check_token(body) == problem
    portal.script[TOKEN] = [body]
    async with client_of(portal) as client:
        assert await client.organisations("0") == portal.bodies[ORGS]
    assert [call.outcome for call in client.calls] == [problem, "ok", "ok"]


async def test_a_token_lifetime_is_cut_to_a_year(make_issuer):
    issuer, tokens = make_issuer(315_360_000)
    await tokens.get_token()
    issuer.now = 366 * 86_400.0
    assert await tokens.get_token() == "2"
