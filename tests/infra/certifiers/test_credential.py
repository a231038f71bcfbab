import asyncio

import pytest

from relay.domain.authorization.proof import Doubt, Unproven
from relay.infra.certifiers.credential import PATH, RENEW_S, Credential
from relay.infra.certifiers.rest import Said


class Certifier:
    """A line whose answers are ours: a token each time, numbered, or whatever `says` holds."""

    def __init__(self):
        self.asked, self.says, self.gate = [], None, asyncio.Event()
        self.gate.set()

    async def post(self, path, headers, *, form=None, json=None):
        self.asked.append((path, dict(form)))
        await self.gate.wait()
        if isinstance(self.says, Exception):
            raise self.says
        good = {"access_token": f"token{len(self.asked)}", "expires_in": "1000"}
        status, changed = self.says or (200, {})
        return Said(status, {name: value for name, value in {**good, **changed}.items() if value is not None})


@pytest.fixture
def certifier():
    return Certifier()


@pytest.fixture
def clock():
    return [0.0]


@pytest.fixture
def tasks():
    return set()


@pytest.fixture
def credential(certifier, clock, tasks):
    return Credential(certifier, "relay1", "s3cret", lambda: clock[0], tasks)


async def test_the_token_is_asked_for_as_the_standard_says(credential, certifier, tasks):
    assert await credential.token() == "token1"
    form = {"grant_type": "client_credentials", "client_id": "relay1", "client_secret": "s3cret", "scope": "ca"}
    assert certifier.asked == [(PATH, form)]
    await asyncio.sleep(0)
    assert tasks == set()


@pytest.mark.parametrize(
    ("life", "seconds", "asked"),
    [("1000", 1000 - RENEW_S - 1, 1), ("1000", 1000 - RENEW_S, 2), (100, 89, 1), (100, 90, 2), ("0", 0, 2)],
)
async def test_it_is_renewed_a_little_before_its_end(credential, certifier, clock, life, seconds, asked):
    certifier.says = (200, {"expires_in": life})
    await credential.token()
    clock[0] = float(seconds)
    await credential.token()
    assert len(certifier.asked) == asked


async def test_many_who_ask_at_once_wait_for_one_answer(credential, certifier):
    certifier.gate.clear()
    waiting = [asyncio.create_task(credential.token()) for _ in range(50)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    certifier.gate.set()
    assert await asyncio.gather(*waiting) == ["token1"] * 50
    assert len(certifier.asked) == 1


async def test_who_gives_up_takes_it_from_nobody(credential, certifier):
    certifier.gate.clear()
    first, second = (asyncio.create_task(credential.token()) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    certifier.gate.set()
    assert await second == "token1"
    assert first.cancelled()


async def test_a_failure_is_told_to_all_who_wait_and_remembered_by_nobody(credential, certifier):
    certifier.says = Unproven(Doubt.CERTIFIER_SILENT)
    told = await asyncio.gather(*(credential.token() for _ in range(3)), return_exceptions=True)
    assert [each.doubt for each in told] == [Doubt.CERTIFIER_SILENT] * 3
    certifier.says = None
    assert await credential.token() == "token2"


async def test_a_token_that_is_not_taken_any_more_is_replaced_once(credential, certifier):
    old = await credential.token()
    credential.forget(old)
    new = await credential.token()
    credential.forget(old)
    assert (old, new, await credential.token()) == ("token1", "token2", "token2")


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
async def test_an_answer_without_a_token_is_broken(credential, certifier, answer):
    certifier.says = answer
    with pytest.raises(Unproven) as caught:
        await credential.token()
    assert caught.value.doubt is Doubt.CERTIFIER_BROKEN
