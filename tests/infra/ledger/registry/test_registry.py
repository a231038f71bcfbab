"""The portal's registry is taken whole, followed by number, and held back until a person says so."""

import asyncio
from contextlib import suppress
from dataclasses import replace

import pytest

from relay.domain.jobs import Superseded
from relay.domain.registry import (
    NothingHeld,
    Organisation,
    OrgType,
    RegisteredService,
    Registry,
    RegistryChanges,
    RegistryHead,
    RegistryMoved,
)

NOW = 1_800_000_000
BANK = Organisation(
    org_code="ZBAA000001",
    org_type=OrgType.THROUGH_RELAY,
    name="가나은행",
    serial_num="1018100001",
    addresses=("192.0.2.1", "198.51.100.0/24"),
    relay="ZRAA000001",
    industry="bank",
    slots=("0900:1130", "2300:0100"),
    domain="bank.example",
    cert_issuer_dn="CN=One,O=Fictitious,C=KR",
    cert_oid="1.2.410.200005.1.1.6.8",
)
OPERATOR = Organisation("ZOPA000001", OrgType.OPERATOR, "하나사업자", "2028200002", ("203.0.113.7",), is_receiver=True)
SERVICE = RegisteredService(
    client_id="svc1",
    operator="ZOPA000001",
    name="모아보기",
    secret_hash="$scrypt$16384$8$1$c2FsdA$a2V5",
    callbacks=("https://one.example/cb", "https://one.example/other"),
    app_schemes=("one",),
    secret_mark=b"\x00\x01mark",
)


def changes(*organisations, services=(), gone=(), gone_services=(), stamp="1"):
    return RegistryChanges(
        {each.org_code: each for each in organisations} | dict.fromkeys(gone),
        {each.client_id: each for each in services} | dict.fromkeys(gone_services),
        f"20270115{stamp}",
        f"20270116{stamp}",
    )


ALL = changes(BANK, OPERATOR, services=[SERVICE])
CROWD = 10_000


def crowd(count):
    return [replace(BANK, org_code=f"ZX{number:08}") for number in range(count)]


@pytest.fixture
def book(ledger):
    return ledger.registry


@pytest.fixture
async def fence(ledger):
    return (await ledger.jobs.lead("here", 60, NOW)).fence


async def told(book, number=0, most=100):
    """All changes after `number` in their order, read `most` at a time."""
    found = []
    while True:
        number, some = await book.registry_after(number, most)
        if not some:
            return number, found
        found += [*some.organisations.items(), *some.services.items()]


async def take(book, some, fence, now):
    """Taken as if it had been judged by the registry that stands, again when another one took something meanwhile."""
    while True:
        with suppress(RegistryMoved):
            return await book.take(some, fence, now, judged=(await book.registry_head()).number)


async def hold(book, some, why, fence, now):
    """Held in the same way."""
    return await book.hold(some, why, fence, now, judged=(await book.registry_head()).number)


class TestTaking:
    async def test_a_fresh_ledger_knows_nobody(self, book):
        assert await book.registry() == Registry({}, {})
        assert await book.registry_head() == RegistryHead(0, 0, 0)
        assert await book.registry_after(0, 10) == (0, RegistryChanges({}, {}, "", ""))

    async def test_what_was_taken_is_there_as_it_was_told(self, book, fence):
        assert await take(book, ALL, fence, NOW) == 3
        assert await book.registry() == Registry(
            {BANK.org_code: BANK, OPERATOR.org_code: OPERATOR}, {"svc1": SERVICE}, 3, "202701151", "202701161", NOW
        )
        assert await book.registry_head() == RegistryHead(3, NOW, 0)

    async def test_an_empty_sync_tells_when_the_portal_was_heard(self, book, fence):
        await take(book, ALL, fence, NOW)
        assert await take(book, changes(stamp="2"), fence, NOW + 60) == 3
        now = await book.registry()
        assert (now.number, now.orgs_timestamp, now.services_timestamp, now.synced_at) == (
            3,
            "202701152",
            "202701162",
            NOW + 60,
        )

    async def test_what_stays_as_it_is_gets_no_new_number(self, book, fence):
        await take(book, ALL, fence, NOW)
        renamed = replace(BANK, name="다라은행")
        again = changes(renamed, OPERATOR, services=[SERVICE], gone=["ZZZZ000001"], gone_services=["nobody"])
        assert await take(book, again, fence, NOW) == 4
        assert await told(book, 3) == (4, [(BANK.org_code, renamed)])

    async def test_who_goes_is_told_as_gone_and_may_come_back(self, book, fence):
        await take(book, ALL, fence, NOW)
        assert await take(book, changes(gone=[OPERATOR.org_code], gone_services=["svc1"]), fence, NOW) == 5
        assert await told(book, 3) == (5, [(OPERATOR.org_code, None), ("svc1", None)])
        now = await book.registry()
        assert (set(now.organisations), set(now.services)) == ({BANK.org_code}, set())
        assert await take(book, changes(OPERATOR), fence, NOW) == 6
        assert await told(book, 5) == (6, [(OPERATOR.org_code, OPERATOR)])

    async def test_nothing_of_a_service_that_is_gone_is_kept(self, book, fence, sql, url):
        await take(book, ALL, fence, NOW)
        await take(book, changes(gone_services=["svc1"]), fence, NOW)
        assert sql(url, "SELECT operator, name, hashed, length(mark), callbacks FROM services") == ["|||0|[]"]

    async def test_ten_thousand_come_at_once_and_are_read_in_parts(self, book, fence):
        assert await take(book, changes(*crowd(CROWD)), fence, NOW) == CROWD
        assert len((await book.registry()).organisations) == CROWD
        number, found = await told(book, 0, 999)
        assert number == CROWD
        assert [code for code, _ in found] == [each.org_code for each in crowd(CROWD)]

    async def test_a_superseded_leader_writes_nothing(self, ledger, book, fence):
        await take(book, changes(OPERATOR), fence, NOW)
        await ledger.jobs.new_fence("elsewhere", 60, NOW)
        before = await book.registry()
        for writing in (take(book, ALL, fence, NOW), hold(book, ALL, ("why",), fence, NOW)):
            with pytest.raises(Superseded):
                await writing
        assert await book.registry() == before
        assert await book.held() is None


class TestHolding:
    async def test_what_is_held_waits_for_a_person(self, book, fence):
        await take(book, changes(OPERATOR), fence, NOW)
        held = await hold(book, ALL, ("too many", "왜"), fence, NOW + 60)
        assert await book.held() == held
        assert (held.since, held.changes, held.reasons) == (NOW + 60, ALL, ("too many", "왜"))
        assert await book.registry_head() == RegistryHead(1, NOW, NOW + 60)
        assert await book.release(held.hold_id, NOW + 600) == 3
        assert await book.registry_head() == RegistryHead(3, NOW + 60, 0)
        assert (await book.registry()).orgs_timestamp == "202701151"
        assert await book.held() is None

    async def test_the_same_sync_keeps_its_name_and_its_beginning(self, book, fence):
        first = await hold(book, ALL, ("why",), fence, NOW)
        salted = replace(SERVICE, secret_hash="$scrypt$16384$8$1$b3RoZXI$a2V5")
        again = await hold(book, changes(BANK, OPERATOR, services=[salted], stamp="2"), ("why",), fence, NOW + 60)
        assert (again.hold_id, again.since) == (first.hold_id, NOW)
        await book.release(first.hold_id, NOW + 90)
        assert (await book.registry()).orgs_timestamp == "202701152"

    @pytest.mark.parametrize(
        "other",
        [
            changes(BANK, services=[SERVICE]),
            changes(BANK, OPERATOR, services=[replace(SERVICE, secret_mark=b"other")]),
            changes(BANK, gone=[OPERATOR.org_code], services=[SERVICE]),
        ],
        ids=["one_less", "another_secret", "one_gone"],
    )
    async def test_what_another_sync_took_the_place_of_is_not_released(self, book, fence, other):
        first = await hold(book, ALL, ("why",), fence, NOW)
        second = await hold(book, other, ("why",), fence, NOW + 60)
        assert second.since == NOW
        with pytest.raises(NothingHeld):
            await book.release(first.hold_id, NOW)
        assert await book.held() == second

    async def test_a_sync_that_is_taken_lets_go_of_what_was_held(self, book, fence):
        held = await hold(book, ALL, ("why",), fence, NOW)
        await take(book, changes(), fence, NOW)
        assert await book.held() is None
        with pytest.raises(NothingHeld):
            await book.release(held.hold_id, NOW)

    async def test_of_two_that_release_one_does(self, book, fence):
        held = await hold(book, ALL, ("why",), fence, NOW)
        done = await asyncio.gather(*[book.release(held.hold_id, NOW) for _ in range(2)], return_exceptions=True)
        assert sorted(map(str, done)) == ["", "3"]


class TestJudging:
    """What was judged by another registry than the one that stands is neither taken nor held."""

    @pytest.mark.parametrize("judged", [0, 2, 4])
    async def test_another_number_than_the_heads_writes_nothing(self, book, fence, judged):
        await take(book, ALL, fence, NOW)
        kept = await hold(book, changes(gone=[BANK.org_code]), ("why",), fence, NOW)
        before = await book.registry()
        for writing in (
            book.take(changes(stamp="2"), fence, NOW + 60, judged=judged),
            book.hold(changes(gone=[OPERATOR.org_code]), ("other",), fence, NOW + 60, judged=judged),
        ):
            with pytest.raises(RegistryMoved):
                await writing
        assert (await book.registry(), await book.held()) == (before, kept)

    async def test_of_a_release_and_a_sync_judged_before_it_the_sync_yields(self, book, fence):
        """What the portal took back while a person released it comes again with the next sync, and is not lost."""
        await take(book, ALL, fence, NOW)
        kept = await hold(book, changes(gone=[OPERATOR.org_code], stamp="2"), ("why",), fence, NOW)
        judged = (await book.registry()).number
        number = await book.release(kept.hold_id, NOW + 60)
        with pytest.raises(RegistryMoved):
            await book.take(changes(stamp="3"), fence, NOW + 60, judged=judged)
        assert (await book.registry()).orgs_timestamp == "202701152"
        assert await book.take(changes(OPERATOR, stamp="3"), fence, NOW + 60, judged=number) == number + 1

    async def test_at_the_same_moment_one_of_two_is_taken(self, book, fence):
        await take(book, ALL, fence, NOW)
        kept = await hold(book, changes(gone=[OPERATOR.org_code]), ("why",), fence, NOW)
        done = await asyncio.gather(
            book.release(kept.hold_id, NOW),
            book.take(changes(gone=["ZBAA000001"]), fence, NOW, judged=3),
            return_exceptions=True,
        )
        assert [type(one) for one in done] in ([int, RegistryMoved], [NothingHeld, int])
        assert len((await book.registry()).organisations) == 1


class TestFollowing:
    async def test_two_who_follow_see_all_numbers_in_order_while_two_write(self, ledger, book, fence):
        writing = 2

        async def write(mark):
            nonlocal writing
            for turn in range(15):
                some = [replace(each, name=f"{mark} {turn}") for each in crowd(6)]
                await take(book, changes(*some, services=[replace(SERVICE, name=f"{mark} {turn}")]), fence, NOW)
            writing -= 1

        async def follow():
            seen, numbers, known = 0, [], {}
            while writing or seen < (await book.registry_head()).number:
                seen, some = await book.registry_after(seen, 5)
                numbers.append(seen)
                known |= {**some.organisations, **some.services}
            return numbers, known

        *_, one, other = await asyncio.gather(write("one"), write("other"), follow(), follow())
        now = await book.registry()
        for numbers, known in (one, other):
            assert numbers == sorted(numbers)
            assert numbers[-1] == now.number
            assert known == {**now.organisations, **now.services}
