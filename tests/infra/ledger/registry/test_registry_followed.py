"""Who follows the registry while others write it knows, each time, one of the states that were committed."""

import asyncio
import random

import pytest

from relay.domain.registry import Organisation, OrgType, RegisteredService, RegistryChanges
from relay.infra.registry import follower as followed_registry
from relay.infra.registry.follower import FollowedRegistry

NOW = 1_800_000_000
SYNCS = 25


def organisation(code, name):
    return Organisation(code, OrgType.OPERATOR, name, "999-81-01001", ("192.0.2.1",))


def service(client_id, name):
    return RegisteredService(client_id, "ZOPA000001", name, "$scrypt$", (), (), b"m")


def some(rng, letter, make):
    """A few of twelve, new, changed or gone."""
    keys = rng.sample([f"{letter}{number:09}" for number in range(12)], rng.randrange(6))
    return {key: None if rng.random() < 0.3 else make(key, f"name {rng.random()}") for key in keys}


def after(standing, changes):
    return {key: value for key, value in (standing | changes).items() if value is not None}


@pytest.mark.parametrize("page", [1, 3, 200])
async def test_what_is_heard_while_another_writes_was_committed(ledger, monkeypatch, page):
    monkeypatch.setattr(followed_registry, "PAGE", page)
    rng, fence = random.Random(page), await ledger.jobs.new_fence("one", 60, NOW)
    states, heard, done = {0: ({}, {})}, [], asyncio.Event()
    followed = FollowedRegistry(ledger.registry, lambda: float(NOW))

    async def write():
        organisations, services = {}, {}
        for number in range(SYNCS):
            told = some(rng, "Z", organisation), some(rng, "s", service)
            organisations, services = after(organisations, told[0]), after(services, told[1])
            changes = RegistryChanges(*told, str(number), str(number))
            at = await ledger.registry.take(changes, fence, NOW + number, judged=max(states))
            states[at] = (organisations, services)
        done.set()

    async def hear():
        while not done.is_set():
            await followed.hear()
            heard.append(followed.registry)
        await followed.hear()
        heard.append(followed.registry)

    await asyncio.gather(write(), hear())
    assert [(one.organisations, one.services) for one in heard] == [states[one.number] for one in heard]
    assert heard[-1].number == max(states)
    assert len({one.number for one in heard}) > 1
