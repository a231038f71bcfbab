"""Client secrets: right or wrong by a slow hash, remembered for a moment, shared when asked at once."""

import asyncio
import base64
import hashlib
import threading

import pytest
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from pydantic import TypeAdapter

from relay.domain.queue_full import Crowded
from relay.infra.tokens import client_secrets
from relay.infra.tokens.client_secrets import WAITING_EACH, ClientSecrets, hashed
from relay.policy.settings.scalars import SecretHash

SECRET = "Q7fG2k9Lm4Xc1Vb8"
A, B = "ZOPA000001", "ZOPB000001"


def cheap(secret, salt=b"saltsaltsaltsalt", ln=10, r=8, p=1):
    digest = Scrypt(salt=salt, length=32, n=2**ln, r=r, p=p).derive(secret.encode())
    salt, told = (base64.b64encode(raw).decode().rstrip("=") for raw in (salt, digest))
    return f"$scrypt$ln={ln},r={r},p={p}${salt}${told}"


HASH = cheap("another secret")


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
    """The work of each comparison that was made: scrypt's three numbers multiplied, without what fills it up."""
    return works(monkeypatch, lambda salt: salt)


@pytest.fixture
def worked(monkeypatch):
    """The work that was done, in all its parts."""
    return works(monkeypatch, lambda _salt: True)


def works(monkeypatch, counts):
    made = []
    scrypt = hashlib.scrypt

    def weighed(secret, *, salt, n, r, p, **more):
        if counts(salt):
            made.append(n * r * p)
        return scrypt(secret, salt=salt, n=n, r=r, p=p, **more)

    monkeypatch.setattr(client_secrets.hashlib, "scrypt", weighed)
    return made


async def test_what_was_hashed_fits_and_nothing_else(secrets):
    hash_ = hashed(SECRET)
    assert await secrets.fit(A, hash_, SECRET)
    for wrong in ("", SECRET[:-1], SECRET + "x", SECRET.lower()):
        assert not await secrets.fit(A, hash_, wrong)


def test_a_hash_is_what_the_settings_take_and_never_the_same():
    one, two = hashed(SECRET), hashed(SECRET)
    assert TypeAdapter(SecretHash).validate_python(one).startswith("$scrypt$ln=14,r=8,p=1$")
    assert one != two
    assert SECRET not in one


@pytest.mark.parametrize(
    "cost", [{"ln": 10}, {"ln": 15}, {"r": 16}, {"p": 3}, {"salt": b"12345678"}, {"salt": b"x" * 64}]
)
async def test_a_hash_that_another_tool_made_fits(secrets, cost):
    assert await secrets.fit(A, cheap(SECRET, **cost), SECRET)


@pytest.mark.parametrize(
    "hash_",
    [
        "Q7fG2k9Lm4Xc1Vb8",
        "$scrypt$ln=14,r=8,p=1$c2FsdA$",
        "$argon2id$v=19$m=1,t=1,p=1$c2FsdA$aGFzaA",
        "$scrypt$ln=10,r=8,p=1$c2Fsd$aGFza",
    ],
)
async def test_what_is_no_hash_fits_nothing(secrets, hash_):
    with pytest.raises(ValueError, match="PHC"):
        await secrets.fit(A, hash_, SECRET)


@pytest.mark.parametrize("cost", [{}, {"ln": 12}, {"ln": 14}, {"p": 5}, {"r": 16}])
async def test_a_cheap_hash_costs_what_an_unknown_client_costs(secrets, worked, cost):
    assert not await secrets.fit(A, cheap(SECRET, **cost), "wrong")
    known = sum(worked)
    worked.clear()
    assert not await secrets.fit(A, "", "wrong")
    assert (known, sum(worked)) == (2**14 * 8, 2**14 * 8)


async def test_once_a_costly_hash_was_compared_all_cost_as_much(secrets, worked):
    assert not await secrets.fit(A, cheap(SECRET, ln=15), "wrong")
    for one in ("", cheap(SECRET), cheap(SECRET, ln=14)):
        worked.clear()
        assert not await secrets.fit(A, one, "wrong")
        assert sum(worked) == 2**15 * 8


async def test_a_success_is_remembered_for_a_while(secrets, clock, compared):
    hash_ = cheap(SECRET)
    for now, times in [(0.0, 1), (59.9, 1), (60.0, 2), (119.9, 2), (120.0, 3)]:
        clock.now = now
        assert await secrets.fit(A, hash_, SECRET)
        assert len(compared) == times


async def test_a_failure_is_never_remembered(secrets, compared):
    hash_ = cheap(SECRET)
    for times in (1, 2):
        assert not await secrets.fit(A, hash_, "wrong")
        assert len(compared) == times


async def test_a_new_hash_is_compared_anew(secrets, compared):
    assert await secrets.fit(A, cheap(SECRET), SECRET)
    assert not await secrets.fit(A, cheap("changed"), SECRET)
    assert len(compared) == 2


async def test_the_memory_is_bounded_and_forgets_the_oldest(secrets, compared):
    for number in range(4):
        assert await secrets.fit(A, cheap(f"secret{number}"), f"secret{number}")
    assert len(secrets._right) == 3
    assert await secrets.fit(A, cheap("secret3"), "secret3")
    assert len(compared) == 4
    assert await secrets.fit(A, cheap("secret0"), "secret0")
    assert len(compared) == 5


async def test_who_asks_the_same_at_once_waits_for_one_comparison(secrets, compared):
    hash_ = cheap(SECRET)
    assert all(await asyncio.gather(*(secrets.fit(A, hash_, SECRET) for _ in range(50))))
    assert len(compared) == 1


async def test_one_who_goes_away_does_not_take_the_others_along(secrets):
    hash_ = hashed(SECRET)
    gone, stays = (asyncio.ensure_future(secrets.fit(A, hash_, SECRET)) for _ in range(2))
    await asyncio.sleep(0)
    gone.cancel()
    assert await stays
    assert gone.cancelled()


class Held:
    """Comparisons that are held fast until `go`; those of a secret that begins with "right" fit, and are not held."""

    def __init__(self):
        self.begun, self.order, self.go = threading.Semaphore(0), [], threading.Event()

    def __call__(self, _hash, secret, _cost):
        self.order.append(secret)
        if secret.startswith("right"):
            return True
        self.begun.release()
        assert self.go.wait(10)
        return False

    async def has_begun(self, times=1):
        for _ in range(times):
            assert await asyncio.to_thread(self.begun.acquire, timeout=10)


@pytest.fixture
def held(monkeypatch):
    made = Held()
    monkeypatch.setattr(client_secrets, "_compare", made)
    yield made
    made.go.set()


def guesses(secrets, whose, count):
    return [asyncio.create_task(secrets.fit(whose, HASH, f"{whose} guess {number}")) for number in range(count)]


async def test_a_storm_of_wrong_secrets_takes_one_thread_and_is_told_to_come_again(secrets, held):
    storm = guesses(secrets, A, 150)
    await held.has_begun()
    async with asyncio.timeout(5):
        assert await secrets.fit(B, HASH, "right")
    assert held.order == [f"{A} guess 0", "right"]
    held.go.set()
    outcomes = await asyncio.gather(*storm, return_exceptions=True)
    assert outcomes[: 1 + WAITING_EACH] == [False] * (1 + WAITING_EACH)
    assert {type(outcome) for outcome in outcomes[1 + WAITING_EACH :]} == {Crowded}


async def test_lanes_take_turns_however_many_wait_in_one(secrets, held):
    storm = guesses(secrets, A, 9) + guesses(secrets, "", 9)
    await held.has_begun(2)
    right = asyncio.create_task(secrets.fit(B, HASH, "right"))
    await asyncio.sleep(0)
    held.go.set()
    assert await right
    assert held.order.index("right") <= 4  # after one more of each lane at most
    assert await asyncio.gather(*storm) == [False] * 18


async def test_a_full_lane_keeps_nobody_waiting_whose_secret_is_remembered(secrets, held):
    assert await secrets.fit(A, HASH, "right")
    storm = guesses(secrets, A, 1 + WAITING_EACH)
    await held.has_begun()
    async with asyncio.timeout(5):
        assert await secrets.fit(A, HASH, "right")
    with pytest.raises(Crowded):
        await secrets.fit(A, HASH, "right, but new")
    held.go.set()
    await asyncio.gather(*storm)
    assert await secrets.fit(A, HASH, "right, but new")


async def test_equal_calls_take_the_room_of_one(secrets, held):
    same = [asyncio.create_task(secrets.fit(A, HASH, "wrong")) for _ in range(50)]
    await held.has_begun()
    others = guesses(secrets, A, WAITING_EACH)
    held.go.set()
    assert not any(await asyncio.gather(*same, *others))
    assert held.order.count("wrong") == 1


async def test_what_one_caller_proved_is_not_remembered_for_another(secrets, held):
    for whose in (A, B, "", A):
        assert await secrets.fit(whose, HASH, "right")
    assert held.order == ["right"] * 3


async def test_the_end_begins_nothing_that_waits(clock, held):
    secrets = ClientSecrets(clock, threads=1)
    storm = guesses(secrets, A, 3)
    await held.has_begun()
    held.go.set()
    secrets.close()
    assert all(
        isinstance(each, asyncio.CancelledError) for each in await asyncio.gather(*storm, return_exceptions=True)
    )
    assert held.order == [f"{A} guess 0"]


async def test_neither_secret_nor_hash_is_kept(secrets):
    hash_ = cheap(SECRET)
    assert await secrets.fit(A, hash_, SECRET)
    kept = repr(vars(secrets))
    assert SECRET not in kept
    assert hash_ not in kept
