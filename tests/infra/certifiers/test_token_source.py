import asyncio

import pytest

from relay.domain.authorization.signed_consent import Defect, NotVerified
from relay.infra.certifiers.rest import ApiResponse
from relay.infra.certifiers.token_source import PATH, RENEW_S, TokenSource


class FakeApi:
    """Returns numbered tokens, or what `answer` holds; records the requests."""

    def __init__(self):
        self.requests, self.answer, self.gate = [], None, asyncio.Event()
        self.gate.set()

    async def post(self, path, headers, *, form=None, json=None):
        self.requests.append((path, dict(form)))
        await self.gate.wait()
        if isinstance(self.answer, Exception):
            raise self.answer
        body = {"access_token": f"token{len(self.requests)}", "expires_in": "1000"}
        status, changed = self.answer or (200, {})
        return ApiResponse(status, {name: value for name, value in {**body, **changed}.items() if value is not None})


@pytest.fixture
def api():
    return FakeApi()


@pytest.fixture
def clock():
    return [0.0]


@pytest.fixture
def tasks():
    return set()


@pytest.fixture
def tokens(api, clock, tasks):
    return TokenSource(api, "relay1", "s3cret", lambda: clock[0], tasks)


async def test_a_token_is_requested_as_documented(tokens, api, tasks):
    assert await tokens.get_token() == "token1"
    form = {"grant_type": "client_credentials", "client_id": "relay1", "client_secret": "s3cret", "scope": "ca"}
    assert api.requests == [(PATH, form)]
    await asyncio.sleep(0)
    assert tasks == set()


@pytest.mark.parametrize(
    ("lifetime", "seconds", "count"),
    [("1000", 1000 - RENEW_S - 1, 1), ("1000", 1000 - RENEW_S, 2), (100, 89, 1), (100, 90, 2), ("0", 0, 2)],
)
async def test_a_token_is_renewed_before_it_expires(tokens, api, clock, lifetime, seconds, count):
    api.answer = (200, {"expires_in": lifetime})
    await tokens.get_token()
    clock[0] = float(seconds)
    await tokens.get_token()
    assert len(api.requests) == count


async def test_concurrent_callers_share_one_request(tokens, api):
    api.gate.clear()
    waiting = [asyncio.create_task(tokens.get_token()) for _ in range(50)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    api.gate.set()
    assert await asyncio.gather(*waiting) == ["token1"] * 50
    assert len(api.requests) == 1


async def test_a_cancelled_caller_does_not_cancel_the_others(tokens, api):
    api.gate.clear()
    first, second = (asyncio.create_task(tokens.get_token()) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    api.gate.set()
    assert await second == "token1"
    assert first.cancelled()


async def test_a_failure_reaches_all_callers_and_is_not_cached(tokens, api):
    api.answer = NotVerified(Defect.CERTIFIER_SILENT)
    errors = await asyncio.gather(*(tokens.get_token() for _ in range(3)), return_exceptions=True)
    assert [error.reason for error in errors] == [Defect.CERTIFIER_SILENT] * 3
    api.answer = None
    assert await tokens.get_token() == "token2"


async def test_a_discarded_token_is_replaced_once(tokens, api):
    old = await tokens.get_token()
    tokens.discard(old)
    new = await tokens.get_token()
    tokens.discard(old)
    assert (old, new, await tokens.get_token()) == ("token1", "token2", "token2")


@pytest.mark.parametrize(
    "answer",
    [
        (400, {}),
        (200, {"access_token": None}),
        (200, {"access_token": ""}),
        (200, {"access_token": "a b"}),
        (200, {"access_token": "a\r\nX: y"}),
        (200, {"access_token": "x" * 1501}),
        (200, {"access_token": 7}),
        (200, {"expires_in": None}),
        (200, {"expires_in": "soon"}),
        (200, {"expires_in": True}),
        (200, {"expires_in": -1}),
        (200, {"expires_in": "9" * 10}),
        (200, {"expires_in": 1.5}),
    ],
    ids=str,
)
async def test_a_response_without_a_valid_token_is_broken(tokens, api, answer):
    api.answer = answer
    with pytest.raises(NotVerified) as caught:
        await tokens.get_token()
    assert caught.value.reason is Defect.CERTIFIER_BROKEN
