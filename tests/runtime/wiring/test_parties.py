"""From registry to parties: who stays the same is kept, and calls have their turn meanwhile."""

import asyncio
import gc

import pytest

from relay.domain.registry import Organisation, OrgType, RegisteredService, Registry
from relay.policy.call.access import Callers
from relay.policy.call.parties import Parties
from relay.runtime.wiring import parties as room
from relay.runtime.wiring.parties import by_org_code, parties_of

RELAY = "ZRLA000001"


def operator(org_code, **more):
    return Organisation(org_code, OrgType.OPERATOR, org_code, f"999-{org_code}", ("192.0.2.1",), **more)


def registry(*organisations, services=()):
    return Registry({one.org_code: one for one in organisations}, {one.client_id: one for one in services})


def many(count):
    return registry(*(operator(f"Z{number:09}") for number in range(count)))


async def test_the_parties_are_those_of_the_registry():
    member = Organisation("ZBAA000001", OrgType.THROUGH_RELAY, "one", relay=RELAY, slots=("0000:0700",))
    found = await parties_of(registry(operator("ZOPA000001"), member), RELAY, {})
    assert [one.operator.org_code for one in found.callers.everyone] == ["ZOPA000001"]
    assert list(found.callers.by_serial) == ["999ZOPA000001"]
    assert found.slots == {"ZBAA000001": ("0000:0700",)}


async def test_two_codes_of_one_company_stand_behind_one_serial():
    one, two = operator("ZOPA000001"), operator("ZOPB000001")
    same = Organisation("ZOPB000001", OrgType.OPERATOR, "two", one.serial_num, two.addresses)
    found = await parties_of(registry(one, same), RELAY, {})
    assert [len(callers) for callers in found.callers.by_serial.values()] == [2]


async def test_who_stays_the_same_is_not_compiled_anew_and_who_changed_is():
    first = await parties_of(registry(operator("ZOPA000001"), operator("ZOPB000001")), RELAY, {})
    known = by_org_code(first)
    told = [RegisteredService("one1", "ZOPB000001", "one", "$scrypt$")]
    second = await parties_of(registry(operator("ZOPA000001"), operator("ZOPB000001"), services=told), RELAY, known)
    again = by_org_code(second)
    assert again["ZOPA000001"] is known["ZOPA000001"]
    assert again["ZOPB000001"].clients == {"one1"}


async def test_who_is_gone_is_gone():
    known = by_org_code(await parties_of(many(3), RELAY, {}))
    found = await parties_of(registry(operator("Z000000001")), RELAY, known)
    assert list(by_org_code(found)) == ["Z000000001"]
    assert list(found.callers.by_serial) == ["999Z000000001"]


async def test_nobody_is_known_of_nobody():
    found = await parties_of(registry(), RELAY, {})
    assert (found.callers.everyone, found.callers.by_serial, found.slots) == ((), {}, {})
    assert by_org_code(Parties(Callers.of(()))) == {}


async def test_others_have_their_turn_between_slices(monkeypatch):
    monkeypatch.setattr(room, "SLICE", 10)
    turns, done = 0, False

    async def other():
        nonlocal turns
        while not done:
            turns += 1
            await asyncio.sleep(0)

    beside = asyncio.create_task(other())
    found = await parties_of(many(100), RELAY, {})
    done = True
    await beside
    assert len(found.callers.everyone) == 100
    assert turns >= 10


@pytest.mark.parametrize(("count", "frozen"), [(9, False), (10, True)])
async def test_many_that_are_new_at_once_are_out_of_the_collectors_sight(monkeypatch, count, frozen):
    monkeypatch.setattr(room, "MANY", 10)
    before = gc.get_freeze_count()
    first = await parties_of(many(count), RELAY, {})
    try:
        assert (gc.get_freeze_count() > before) is frozen
        stands = gc.get_freeze_count()
        await parties_of(many(count + 1), RELAY, by_org_code(first))  # one is new
        assert gc.get_freeze_count() <= stands
    finally:
        gc.unfreeze()


async def test_the_collector_rests_meanwhile_and_works_again_whatever_happens(monkeypatch):
    seen = []

    def broken(operator):
        seen.append(gc.isenabled())
        raise ValueError(operator.org_code)

    monkeypatch.setattr(room.Caller, "of", broken)
    with pytest.raises(ValueError, match="Z000000000"):
        await parties_of(many(1), RELAY, {})
    assert seen == [False]
    assert gc.isenabled()


async def test_calls_have_their_turn_between_operators_of_many_addresses(monkeypatch):
    turns = []
    sleep = asyncio.sleep

    async def turn(seconds):
        turns.append(seconds)
        await sleep(seconds)

    monkeypatch.setattr(room.asyncio, "sleep", turn)
    addresses = tuple(f"192.0.{at // 250}.{at % 250}" for at in range(room.ADDRESSES))
    crowd = [Organisation(f"Z{at:09}", OrgType.OPERATOR, "one", f"999-{at}", addresses) for at in range(5)]
    await parties_of(registry(*crowd), RELAY, {})
    few = len(turns)
    turns.clear()
    await parties_of(many(5), RELAY, {})
    assert few - len(turns) == 5
