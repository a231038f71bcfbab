import asyncio
import threading

import pytest

from relay.infra.portal import secrets
from relay.infra.portal.secrets import PortalSecrets
from relay.infra.tokens.client_secrets import ClientSecrets

LONG = "aRandomSecretOfThePortal"


@pytest.fixture
def hasher():
    """A hasher with a key of zeros."""
    secrets = PortalSecrets(bytes(32))
    yield secrets
    secrets.close()


async def test_a_hash_matches_its_secret_only(hasher):
    hashes = await hasher.hash_all([LONG, "short"])
    client_secrets = ClientSecrets(lambda: 0.0)
    pairs = zip(hashes, [LONG, "short"], strict=True)
    assert [await client_secrets.matches("", secret_hash, secret) for secret_hash, secret in pairs] == [True] * 2
    assert not await client_secrets.matches("", hashes[0], "short")
    client_secrets.close()


@pytest.mark.parametrize("secret", [LONG, "s" * 16, "s" * 15])
async def test_every_secret_costs_the_same(hasher, secret):
    (secret_hash,) = await hasher.hash_all([secret])
    assert secret_hash.startswith("$scrypt$ln=14,r=8,p=1$")


async def test_the_same_secret_twice_has_two_hashes(hasher):
    first, second = await hasher.hash_all([LONG, LONG])
    assert first != second


def test_a_mark_depends_on_service_secret_and_key(hasher):
    other = PortalSecrets(bytes(31) + b"1")
    marks = {hasher.mark("a", LONG), hasher.mark("b", LONG), hasher.mark("a", LONG + "x"), other.mark("a", LONG)}
    other.close()
    assert len(marks) == 4
    assert hasher.mark("a", LONG) in marks
    assert all(len(mark) == 32 for mark in marks)


def test_marks_of_one_key_are_comparable(hasher):
    other = PortalSecrets(bytes(31) + b"1")
    other.close()
    assert hasher.is_comparable(hasher.mark("b", "another"))
    assert not any(hasher.is_comparable(mark) for mark in (other.mark("a", LONG), b"", bytes(32)))


def test_a_short_key_is_refused():
    with pytest.raises(ValueError, match="fewer than 32 bytes"):
        PortalSecrets(b"short")


async def test_two_hashes_run_at_once_and_cancelling_stops_the_rest(hasher, monkeypatch):
    started, go, both = [], threading.Event(), threading.Barrier(3)

    def slow(secret):
        started.append(secret)
        both.wait(10)
        go.wait(10)
        return "h"

    monkeypatch.setattr(secrets, "hash_secret", slow)
    hashing = asyncio.create_task(hasher.hash_all([str(number) for number in range(50)]))
    await asyncio.to_thread(both.wait, 10)
    hashing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await hashing
    go.set()
    hasher.close()
    assert sorted(started) == ["0", "1"]
