import pytest

from relay.domain.portal import PortalAway
from relay.infra.portal.token import Token, lacks_token

GOOD = {"token_type": "Bearer", "access_token": "t", "expires_in": 3600, "scope": "manage"}
ORGS, TOKEN = "/v1/mgmts/orgs", "/mgmts/oauth/2.0/token"


class Issuer:
    """Gives tokens 1, 2, 3 that live `life` seconds, unless it is away; time is `now`."""

    def __init__(self, life):
        self.life, self.now, self.asked, self.away = life, 0.0, 0, False

    async def fetch(self):
        self.asked += 1
        if self.away:
            raise PortalAway("지원-001: HTTP 500")
        return GOOD | {"access_token": str(self.asked), "expires_in": str(self.life)}


@pytest.fixture
def issued():
    """Makes an issuer and a Token of its."""

    def make(life):
        issuer = Issuer(life)
        return issuer, Token(issuer.fetch, lambda: issuer.now)

    return make


@pytest.mark.parametrize(
    ("life", "renewed_at"), [(31_536_000, 25_228_800), (3600, 2880), (1000, 700), (400, 200), (2, 1)]
)
async def test_a_token_is_renewed_before_it_ends(issued, life, renewed_at):
    issuer, token = issued(life)
    assert await token.current() == "1"
    issuer.now = renewed_at - 0.1
    assert await token.current() == "1"
    issuer.now = renewed_at
    assert await token.current() == "2"
    assert issuer.asked == 2


async def test_a_token_that_is_not_taken_is_replaced_unless_it_was_already(issued):
    issuer, token = issued(3600)
    first = await token.current()
    assert await token.current(spent=first) == "2"
    assert await token.current(spent=first) == "2"
    assert issuer.asked == 2


async def test_a_token_serves_on_while_it_lives_though_no_other_is_given(issued):
    issuer, token = issued(3600)
    await token.current()
    issuer.now, issuer.away = 3000.0, True
    assert [await token.current(), await token.current()] == ["1", "1"]
    assert issuer.asked == 2
    issuer.now = 3060.0
    assert await token.current() == "1"
    assert issuer.asked == 3
    issuer.now = 3600.0
    with pytest.raises(PortalAway):
        await token.current()


async def test_a_token_that_is_not_taken_never_serves_on(issued):
    issuer, token = issued(3600)
    first = await token.current()
    issuer.away = True
    with pytest.raises(PortalAway):
        await token.current(spent=first)


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
def test_tokens_of_both_dialects_are_taken(changed):
    body = {name: value for name, value in (GOOD | changed).items() if value is not None}
    assert lacks_token(body) == ""


@pytest.mark.parametrize(
    ("changed", "words"),
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
async def test_what_is_no_token_is_asked_for_again(portal, client_of, changed, words):
    body = {name: value for name, value in (GOOD | changed).items() if value is not None}
    assert lacks_token(body) == words
    portal.script[TOKEN] = [body]
    async with client_of(portal) as client:
        assert await client.organisations("0") == portal.bodies[ORGS]
    assert [call.outcome for call in client.calls] == [words, "ok", "ok"]


async def test_a_token_of_ten_years_is_believed_for_one(issued):
    issuer, token = issued(315_360_000)
    await token.current()
    issuer.now = 366 * 86_400.0
    assert await token.current() == "2"
