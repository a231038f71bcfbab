"""A follower of the registry sees only committed states while others write."""

import asyncio
import random

import pytest

from relay.domain.registry import Organisation, OrgType, RegisteredService, RegistryChanges
from relay.infra.registry import follower as followed_registry
from relay.infra.registry.follower import RegistryFollower

NOW = 1_800_000_000
SYNCS = 25


def organisation(code, name):
    return Organisation(code, OrgType.OPERATOR, name, "999-81-01001", ("192.0.2.1",))


def service(client_id, name):
    return RegisteredService(client_id, "ZOPA000001", name, "$scrypt$", (), (), b"m")


def draw_entries(rng, letter, make):
    """Returns a few of twelve entries, new, changed or removed."""
    keys = rng.sample([f"{letter}{number:09}" for number in range(12)], rng.randrange(6))
    return {key: None if rng.random() < 0.3 else make(key, f"name {rng.random()}") for key in keys}


def apply(entries, changes):
    return {key: value for key, value in (entries | changes).items() if value is not None}


@pytest.mark.parametrize("page", [1, 3, 200])
async def test_a_follower_sees_only_committed_states(ledger, monkeypatch, page):
    monkeypatch.setattr(followed_registry, "PAGE", page)
    rng, fence = random.Random(page), await ledger.jobs.take_lead("one", 60, NOW)
    states, registries, polled, done = {0: ({}, {})}, [], asyncio.Event(), asyncio.Event()
    followed = RegistryFollower(ledger.registry, lambda: float(NOW))

    async def write():
        organisations, services = {}, {}
        for number in range(SYNCS):
            entries = draw_entries(rng, "Z", organisation), draw_entries(rng, "s", service)
            organisations, services = apply(organisations, entries[0]), apply(services, entries[1])
            changes = RegistryChanges(*entries, str(number), str(number))
            last = await ledger.registry.apply(changes, fence, NOW + number, judged=max(states))
            states[last] = (organisations, services)
            if number == SYNCS // 2:
                await polled.wait()
        done.set()

    async def follow():
        while not done.is_set():
            await followed.poll()
            registries.append(followed.registry)
            polled.set()
        await followed.poll()
        registries.append(followed.registry)

    await asyncio.gather(write(), follow())
    for registry in registries:
        assert (registry.organisations, registry.services) == states[registry.number]
    assert registries[-1].number == max(states)
    assert len({registry.number for registry in registries}) > 1
