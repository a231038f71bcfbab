"""Tests of parties built from the registry: unchanged operators are reused, other tasks run meanwhile."""

import asyncio
import gc

import pytest

from relay.domain.registry import Organisation, OrgType, RegisteredService, Registry
from relay.policy.call.access import Callers
from relay.policy.call.parties import Parties
from relay.runtime.wiring import parties as parties_module
from relay.runtime.wiring.parties import build_parties, callers_by_org_code

RELAY = "ZRLA000001"


def operator(org_code, **more):
    return Organisation(org_code, OrgType.OPERATOR, org_code, f"999-{org_code}", ("192.0.2.1",), **more)


def registry(*organisations, services=()):
    return Registry(
        {organisation.org_code: organisation for organisation in organisations},
        {service.client_id: service for service in services},
    )


def many(count):
    return registry(*(operator(f"Z{number:09}") for number in range(count)))


async def test_parties_come_from_the_registry():
    member = Organisation("ZBAA000001", OrgType.THROUGH_RELAY, "one", relay=RELAY, slots=("0000:0700",))
    parties = await build_parties(registry(operator("ZOPA000001"), member), RELAY, {})
    assert [caller.operator.org_code for caller in parties.callers.all] == ["ZOPA000001"]
    assert list(parties.callers.by_serial) == ["999ZOPA000001"]
    assert parties.slots == {"ZBAA000001": ("0000:0700",)}


async def test_two_org_codes_may_share_a_certificate_serial():
    first, second = operator("ZOPA000001"), operator("ZOPB000001")
    same_serial = Organisation("ZOPB000001", OrgType.OPERATOR, "two", first.serial_num, second.addresses)
    parties = await build_parties(registry(first, same_serial), RELAY, {})
    assert [len(callers) for callers in parties.callers.by_serial.values()] == [2]


async def test_only_changed_operators_are_recompiled():
    first = await build_parties(registry(operator("ZOPA000001"), operator("ZOPB000001")), RELAY, {})
    known = callers_by_org_code(first)
    services = [RegisteredService("one1", "ZOPB000001", "one", "$scrypt$")]
    second = await build_parties(
        registry(operator("ZOPA000001"), operator("ZOPB000001"), services=services), RELAY, known
    )
    again = callers_by_org_code(second)
    assert again["ZOPA000001"] is known["ZOPA000001"]
    assert again["ZOPB000001"].client_ids == {"one1"}


async def test_removed_operators_are_dropped():
    known = callers_by_org_code(await build_parties(many(3), RELAY, {}))
    parties = await build_parties(registry(operator("Z000000001")), RELAY, known)
    assert list(callers_by_org_code(parties)) == ["Z000000001"]
    assert list(parties.callers.by_serial) == ["999Z000000001"]


async def test_an_empty_registry_has_no_parties():
    parties = await build_parties(registry(), RELAY, {})
    assert (parties.callers.all, parties.callers.by_serial, parties.slots) == ((), {}, {})
    assert callers_by_org_code(Parties(Callers.from_iterable(()))) == {}


async def test_other_tasks_run_between_slices(monkeypatch):
    monkeypatch.setattr(parties_module, "OPERATORS_PER_SLICE", 10)
    turns, done = 0, False

    async def other():
        nonlocal turns
        while not done:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    parties = await build_parties(many(100), RELAY, {})
    done = True
    await task
    assert len(parties.callers.all) == 100
    assert turns >= 10


@pytest.mark.parametrize(("count", "frozen"), [(9, False), (10, True)])
async def test_many_new_operators_are_frozen_for_the_collector(monkeypatch, count, frozen):
    monkeypatch.setattr(parties_module, "FREEZE_FROM", 10)
    before = gc.get_freeze_count()
    first = await build_parties(many(count), RELAY, {})
    assert (gc.get_freeze_count() > before) is frozen
    frozen_count = gc.get_freeze_count()
    await build_parties(many(count + 1), RELAY, callers_by_org_code(first))  # one is new
    assert gc.get_freeze_count() <= frozen_count


async def test_the_collector_is_enabled_again_after_an_error(monkeypatch):
    states = []

    def fail(operator):
        states.append(gc.isenabled())
        raise ValueError(operator.org_code)

    monkeypatch.setattr(parties_module.Caller, "from_operator", fail)
    with pytest.raises(ValueError, match="Z000000000"):
        await build_parties(many(1), RELAY, {})
    assert states == [False]
    assert gc.isenabled()


async def test_other_tasks_run_between_operators_of_many_addresses(monkeypatch):
    turns = []
    sleep = asyncio.sleep

    async def count_turn(seconds):
        turns.append(seconds)
        await sleep(seconds)

    monkeypatch.setattr(parties_module.asyncio, "sleep", count_turn)
    addresses = tuple(f"192.0.{at // 250}.{at % 250}" for at in range(parties_module.ADDRESSES_PER_SLICE))
    operators = [Organisation(f"Z{at:09}", OrgType.OPERATOR, "one", f"999-{at}", addresses) for at in range(5)]
    await build_parties(registry(*operators), RELAY, {})
    with_addresses = len(turns)
    turns.clear()
    await build_parties(many(5), RELAY, {})
    assert with_addresses - len(turns) == 5
