"""Client secrets: right or wrong by a slow hash, remembered for a moment, shared when asked at once."""

import asyncio
import base64
import hashlib

import pytest
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from pydantic import TypeAdapter

from relay.infra import client_secrets
from relay.infra.client_secrets import ClientSecrets, hashed
from relay.policy.scalars import SecretHash

SECRET = "Q7fG2k9Lm4Xc1Vb8"


def cheap(secret, salt=b"saltsaltsaltsalt", ln=10, r=8, p=1):
    digest = Scrypt(salt=salt, length=32, n=2**ln, r=r, p=p).derive(secret.encode())
    salt, told = (base64.b64encode(raw).decode().rstrip("=") for raw in (salt, digest))
    return f"$scrypt$ln={ln},r={r},p={p}${salt}${told}"


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def secrets(clock):
    made = ClientSecrets(clock, threads=2, memory_s=60, most=3)
    yield made
    made.close()


@pytest.fixture
def compared(monkeypatch):
    """How often a slow hash was made."""
    made = []
    scrypt = hashlib.scrypt
    monkeypatch.setattr(client_secrets.hashlib, "scrypt", lambda *a, **k: made.append(1) or scrypt(*a, **k))
    return made


async def test_what_was_hashed_fits_and_nothing_else(secrets):
    hash_ = hashed(SECRET)
    assert await secrets.fit(hash_, SECRET)
    for wrong in ("", SECRET[:-1], SECRET + "x", SECRET.lower()):
        assert not await secrets.fit(hash_, wrong)


def test_a_hash_is_what_the_settings_take_and_never_the_same():
    one, two = hashed(SECRET), hashed(SECRET)
    assert TypeAdapter(SecretHash).validate_python(one).startswith("$scrypt$ln=14,r=8,p=1$")
    assert one != two
    assert SECRET not in one


@pytest.mark.parametrize(
    "cost", [{"ln": 10}, {"ln": 15}, {"r": 16}, {"p": 3}, {"salt": b"12345678"}, {"salt": b"x" * 64}]
)
async def test_a_hash_that_another_tool_made_fits(secrets, cost):
    assert await secrets.fit(cheap(SECRET, **cost), SECRET)


@pytest.mark.parametrize(
    "hash_",
    [
        "",
        "Q7fG2k9Lm4Xc1Vb8",
        "$scrypt$ln=14,r=8,p=1$c2FsdA$",
        "$argon2id$v=19$m=1,t=1,p=1$c2FsdA$aGFzaA",
        "$scrypt$ln=10,r=8,p=1$c2Fsd$aGFza",
    ],
)
async def test_what_is_no_hash_fits_nothing(secrets, hash_):
    with pytest.raises(ValueError, match="PHC"):
        await secrets.fit(hash_, SECRET)


async def test_a_success_is_remembered_for_a_while(secrets, clock, compared):
    hash_ = cheap(SECRET)
    for now, times in [(0.0, 1), (59.9, 1), (60.0, 2), (119.9, 2), (120.0, 3)]:
        clock.now = now
        assert await secrets.fit(hash_, SECRET)
        assert len(compared) == times


async def test_a_failure_is_never_remembered(secrets, compared):
    hash_ = cheap(SECRET)
    for times in (1, 2):
        assert not await secrets.fit(hash_, "wrong")
        assert len(compared) == times


async def test_a_new_hash_is_compared_anew(secrets, compared):
    assert await secrets.fit(cheap(SECRET), SECRET)
    assert not await secrets.fit(cheap("changed"), SECRET)
    assert len(compared) == 2


async def test_the_memory_is_bounded_and_forgets_the_oldest(secrets, compared):
    for number in range(4):
        assert await secrets.fit(cheap(f"secret{number}"), f"secret{number}")
    assert len(secrets._right) == 3
    assert await secrets.fit(cheap("secret3"), "secret3")
    assert len(compared) == 4
    assert await secrets.fit(cheap("secret0"), "secret0")
    assert len(compared) == 5


async def test_who_asks_the_same_at_once_waits_for_one_comparison(secrets, compared):
    hash_ = cheap(SECRET)
    assert all(await asyncio.gather(*(secrets.fit(hash_, SECRET) for _ in range(50))))
    assert len(compared) == 1


async def test_one_who_goes_away_does_not_take_the_others_along(secrets):
    hash_ = hashed(SECRET)
    gone, stays = (asyncio.ensure_future(secrets.fit(hash_, SECRET)) for _ in range(2))
    await asyncio.sleep(0)
    gone.cancel()
    assert await stays
    assert gone.cancelled()


async def test_neither_secret_nor_hash_is_kept(secrets):
    hash_ = cheap(SECRET)
    assert await secrets.fit(hash_, SECRET)
    kept = repr(vars(secrets))
    assert SECRET not in kept
    assert hash_ not in kept
