"""Client secrets: slow comparison, cached successes, shared concurrent comparisons."""

import asyncio
import base64
import hashlib
import threading

import pytest
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from pydantic import TypeAdapter

from relay.domain.queue_full import QueueFull
from relay.infra.tokens import client_secrets
from relay.infra.tokens.client_secrets import MAX_WAITING_PER_CALLER, ClientSecrets, compare_secret, hash_secret
from relay.policy.settings.scalars import SecretHash

SECRET = "Q7fG2k9Lm4Xc1Vb8"
A, B = "ZOPA000001", "ZOPB000001"


def hash_with(secret, salt=b"saltsaltsaltsalt", ln=10, r=8, p=1):
    digest = Scrypt(salt=salt, length=32, n=2**ln, r=r, p=p).derive(secret.encode())
    salt, encoded = (base64.b64encode(raw).decode().rstrip("=") for raw in (salt, digest))
    return f"$scrypt$ln={ln},r={r},p={p}${salt}${encoded}"


HASH = hash_with("another secret")


@pytest.fixture
def clock(clock):
    clock.now = 0.0
    return clock


@pytest.fixture
def secrets(clock, request):
    """Client secrets; compared by the fixture `blocked` if the test asks for it."""
    compare = request.getfixturevalue("blocked") if "blocked" in request.fixturenames else compare_secret
    client_secrets = ClientSecrets(clock, threads=2, memory_s=60, max_cached=3, compare=compare)
    yield client_secrets
    client_secrets.close()


@pytest.fixture
def comparisons(monkeypatch):
    """The cost n * r * p of each comparison, without the extra work."""
    return record_costs(monkeypatch, lambda salt: salt)


@pytest.fixture
def costs(monkeypatch):
    """The cost n * r * p of each scrypt call."""
    return record_costs(monkeypatch, lambda _salt: True)


def record_costs(monkeypatch, is_counted):
    recorded = []
    scrypt = hashlib.scrypt

    def record(secret, *, salt, n, r, p, **more):
        if is_counted(salt):
            recorded.append(n * r * p)
        return scrypt(secret, salt=salt, n=n, r=r, p=p, **more)

    monkeypatch.setattr(client_secrets.hashlib, "scrypt", record)
    return recorded


async def test_only_the_hashed_secret_matches(secrets):
    hash_ = hash_secret(SECRET)
    assert await secrets.matches(A, hash_, SECRET)
    for wrong in ("", SECRET[:-1], SECRET + "x", SECRET.lower()):
        assert not await secrets.matches(A, hash_, wrong)


def test_a_hash_has_the_settings_format_and_a_new_salt():
    first, second = hash_secret(SECRET), hash_secret(SECRET)
    assert TypeAdapter(SecretHash).validate_python(first).startswith("$scrypt$ln=14,r=8,p=1$")
    assert first != second
    assert SECRET not in first


@pytest.mark.parametrize(
    "cost", [{"ln": 10}, {"ln": 15}, {"r": 16}, {"p": 3}, {"salt": b"12345678"}, {"salt": b"x" * 64}]
)
async def test_a_hash_of_another_tool_matches(secrets, cost):
    assert await secrets.matches(A, hash_with(SECRET, **cost), SECRET)


@pytest.mark.parametrize(
    "hash_",
    [
        "Q7fG2k9Lm4Xc1Vb8",
        "$scrypt$ln=14,r=8,p=1$c2FsdA$",
        "$argon2id$v=19$m=1,t=1,p=1$c2FsdA$aGFzaA",
        "$scrypt$ln=10,r=8,p=1$c2Fsd$aGFza",
    ],
)
async def test_a_malformed_hash_raises_a_value_error(secrets, hash_):
    with pytest.raises(ValueError, match="PHC"):
        await secrets.matches(A, hash_, SECRET)


@pytest.mark.parametrize("cost", [{}, {"ln": 12}, {"ln": 14}, {"p": 5}, {"r": 16}])
async def test_a_cheap_hash_costs_as_much_as_an_unknown_client(secrets, costs, cost):
    assert not await secrets.matches(A, hash_with(SECRET, **cost), "wrong")
    known_cost = sum(costs)
    costs.clear()
    assert not await secrets.matches(A, "", "wrong")
    assert (known_cost, sum(costs)) == (2**14 * 8, 2**14 * 8)


async def test_a_costly_hash_raises_the_cost_of_all(secrets, costs):
    assert not await secrets.matches(A, hash_with(SECRET, ln=15), "wrong")
    for secret_hash in ("", hash_with(SECRET), hash_with(SECRET, ln=14)):
        costs.clear()
        assert not await secrets.matches(A, secret_hash, "wrong")
        assert sum(costs) == 2**15 * 8


async def test_a_success_is_cached_for_a_while(secrets, clock, comparisons):
    hash_ = hash_with(SECRET)
    for now, count in [(0.0, 1), (59.9, 1), (60.0, 2), (119.9, 2), (120.0, 3)]:
        clock.now = now
        assert await secrets.matches(A, hash_, SECRET)
        assert len(comparisons) == count


async def test_a_failure_is_not_cached(secrets, comparisons):
    hash_ = hash_with(SECRET)
    for count in (1, 2):
        assert not await secrets.matches(A, hash_, "wrong")
        assert len(comparisons) == count


async def test_a_changed_hash_is_compared_again(secrets, comparisons):
    assert await secrets.matches(A, hash_with(SECRET), SECRET)
    assert not await secrets.matches(A, hash_with("changed"), SECRET)
    assert len(comparisons) == 2


async def test_the_cache_is_bounded_and_drops_the_oldest(secrets, comparisons):
    for number in range(4):
        assert await secrets.matches(A, hash_with(f"secret{number}"), f"secret{number}")
    assert await secrets.matches(A, hash_with("secret3"), "secret3")
    assert len(comparisons) == 4
    assert await secrets.matches(A, hash_with("secret0"), "secret0")
    assert len(comparisons) == 5


async def test_equal_concurrent_calls_share_one_comparison(secrets, comparisons):
    hash_ = hash_with(SECRET)
    assert all(await asyncio.gather(*(secrets.matches(A, hash_, SECRET) for _ in range(50))))
    assert len(comparisons) == 1


async def test_a_cancelled_caller_does_not_cancel_the_others(secrets):
    hash_ = hash_secret(SECRET)
    cancelled, remaining = (asyncio.ensure_future(secrets.matches(A, hash_, SECRET)) for _ in range(2))
    await asyncio.sleep(0)
    cancelled.cancel()
    assert await remaining
    assert cancelled.cancelled()


class BlockedComparisons:
    """Comparisons that block until `go` and fail; a secret that begins with "right" matches without blocking."""

    def __init__(self):
        self.started, self.order, self.go = threading.Semaphore(0), [], threading.Event()

    def __call__(self, _hash, secret, _cost):
        self.order.append(secret)
        if secret.startswith("right"):
            return True
        self.started.release()
        assert self.go.wait(10)
        return False

    async def wait_started(self, count=1):
        for _ in range(count):
            assert await asyncio.to_thread(self.started.acquire, timeout=10)


@pytest.fixture
def blocked():
    comparisons = BlockedComparisons()
    yield comparisons
    comparisons.go.set()


def send_guesses(secrets, caller, count):
    return [asyncio.create_task(secrets.matches(caller, HASH, f"{caller} guess {number}")) for number in range(count)]


async def test_many_wrong_secrets_use_one_thread_and_fill_their_queue(secrets, blocked):
    guesses = send_guesses(secrets, A, 150)
    await blocked.wait_started()
    async with asyncio.timeout(5):
        assert await secrets.matches(B, HASH, "right")
    assert blocked.order == [f"{A} guess 0", "right"]
    blocked.go.set()
    outcomes = await asyncio.gather(*guesses, return_exceptions=True)
    assert outcomes[: 1 + MAX_WAITING_PER_CALLER] == [False] * (1 + MAX_WAITING_PER_CALLER)
    assert {type(outcome) for outcome in outcomes[1 + MAX_WAITING_PER_CALLER :]} == {QueueFull}


async def test_callers_get_fair_turns(secrets, blocked):
    guesses = send_guesses(secrets, A, 9) + send_guesses(secrets, "", 9)
    await blocked.wait_started(2)
    right = asyncio.create_task(secrets.matches(B, HASH, "right"))
    await asyncio.sleep(0)
    blocked.go.set()
    assert await right
    assert blocked.order.index("right") <= 4  # after at most one more of each caller
    assert await asyncio.gather(*guesses) == [False] * 18


async def test_a_full_queue_does_not_block_a_cached_secret(secrets, blocked):
    assert await secrets.matches(A, HASH, "right")
    guesses = send_guesses(secrets, A, 1 + MAX_WAITING_PER_CALLER)
    await blocked.wait_started()
    async with asyncio.timeout(5):
        assert await secrets.matches(A, HASH, "right")
    with pytest.raises(QueueFull):
        await secrets.matches(A, HASH, "right, but new")
    blocked.go.set()
    await asyncio.gather(*guesses)
    assert await secrets.matches(A, HASH, "right, but new")


async def test_equal_calls_take_one_place_in_the_queue(secrets, blocked):
    equal = [asyncio.create_task(secrets.matches(A, HASH, "wrong")) for _ in range(50)]
    await blocked.wait_started()
    others = send_guesses(secrets, A, MAX_WAITING_PER_CALLER)
    blocked.go.set()
    assert not any(await asyncio.gather(*equal, *others))
    assert blocked.order.count("wrong") == 1


async def test_the_cache_is_separate_for_each_caller(secrets, blocked):
    for caller in (A, B, "", A):
        assert await secrets.matches(caller, HASH, "right")
    assert blocked.order == ["right"] * 3


async def test_closing_cancels_waiting_comparisons(clock, blocked):
    secrets = ClientSecrets(clock, threads=1, compare=blocked)
    guesses = send_guesses(secrets, A, 3)
    await blocked.wait_started()
    blocked.go.set()
    secrets.close()
    outcomes = await asyncio.gather(*guesses, return_exceptions=True)
    assert all(isinstance(outcome, asyncio.CancelledError) for outcome in outcomes)
    assert blocked.order == [f"{A} guess 0"]


async def test_neither_secret_nor_hash_is_stored(secrets):
    hash_ = hash_with(SECRET)
    assert await secrets.matches(A, hash_, SECRET)
    state = repr(vars(secrets))
    assert SECRET not in state
    assert hash_ not in state
