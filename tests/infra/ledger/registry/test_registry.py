"""A sync of the registry is applied whole, read by number, or held until a person releases it."""

import asyncio
from contextlib import suppress
from dataclasses import replace

import pytest

from relay.domain.jobs import Superseded
from relay.domain.registry import (
    NoHeldSync,
    Organisation,
    OrgType,
    RegisteredService,
    Registry,
    RegistryChanged,
    RegistryChanges,
    RegistryHead,
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
        {organisation.org_code: organisation for organisation in organisations} | dict.fromkeys(gone),
        {service.client_id: service for service in services} | dict.fromkeys(gone_services),
        f"20270115{stamp}",
        f"20270116{stamp}",
    )


ALL = changes(BANK, OPERATOR, services=[SERVICE])
MANY = 10_000


def many_banks(count):
    return [replace(BANK, org_code=f"ZX{number:08}") for number in range(count)]


@pytest.fixture
def book(ledger):
    return ledger.registry


async def read_changes(book, number=0, most=100):
    """Returns all changes after `number` in their order, read `most` at a time."""
    entries = []
    while True:
        number, page = await book.registry_after(number, most)
        if not page:
            return number, entries
        entries += [*page.organisations.items(), *page.services.items()]


async def take(book, sync, fence, now):
    """Applies a sync judged by the present number; retries when another sync was applied meanwhile."""
    while True:
        with suppress(RegistryChanged):
            return await book.apply(sync, fence, now, judged=(await book.registry_head()).number)


async def hold(book, sync, why, fence, now):
    """Holds a sync judged by the present number."""
    return await book.hold(sync, why, fence, now, judged=(await book.registry_head()).number)


class TestTaking:
    async def test_a_new_ledger_has_an_empty_registry(self, book):
        assert await book.registry() == Registry({}, {})
        assert await book.registry_head() == RegistryHead(0, 0, 0)
        assert await book.registry_after(0, 10) == (0, RegistryChanges({}, {}, "", ""))

    async def test_an_applied_sync_is_stored_unchanged(self, book, fence):
        assert await take(book, ALL, fence, NOW) == 3
        assert await book.registry() == Registry(
            {BANK.org_code: BANK, OPERATOR.org_code: OPERATOR}, {"svc1": SERVICE}, 3, "202701151", "202701161", NOW
        )
        assert await book.registry_head() == RegistryHead(3, NOW, 0)

    async def test_an_empty_sync_updates_the_sync_time(self, book, fence):
        await take(book, ALL, fence, NOW)
        assert await take(book, changes(stamp="2"), fence, NOW + 60) == 3
        now = await book.registry()
        assert (now.number, now.orgs_timestamp, now.services_timestamp, now.synced_at) == (
            3,
            "202701152",
            "202701162",
            NOW + 60,
        )

    async def test_unchanged_entries_get_no_new_number(self, book, fence):
        await take(book, ALL, fence, NOW)
        renamed = replace(BANK, name="다라은행")
        again = changes(renamed, OPERATOR, services=[SERVICE], gone=["ZZZZ000001"], gone_services=["unknown"])
        assert await take(book, again, fence, NOW) == 4
        assert await read_changes(book, 3) == (4, [(BANK.org_code, renamed)])

    async def test_a_removed_entry_is_listed_as_removed_and_may_return(self, book, fence):
        await take(book, ALL, fence, NOW)
        assert await take(book, changes(gone=[OPERATOR.org_code], gone_services=["svc1"]), fence, NOW) == 5
        assert await read_changes(book, 3) == (5, [(OPERATOR.org_code, None), ("svc1", None)])
        now = await book.registry()
        assert (set(now.organisations), set(now.services)) == ({BANK.org_code}, set())
        assert await take(book, changes(OPERATOR), fence, NOW) == 6
        assert await read_changes(book, 5) == (6, [(OPERATOR.org_code, OPERATOR)])

    async def test_a_removed_service_keeps_no_values(self, book, fence, sql, url):
        await take(book, ALL, fence, NOW)
        await take(book, changes(gone_services=["svc1"]), fence, NOW)
        assert sql(url, "SELECT operator, name, hashed, length(mark), callbacks FROM services") == ["|||0|[]"]

    async def test_ten_thousand_entries_are_stored_and_read_in_pages(self, book, fence):
        assert await take(book, changes(*many_banks(MANY)), fence, NOW) == MANY
        assert len((await book.registry()).organisations) == MANY
        number, entries = await read_changes(book, 0, 999)
        assert number == MANY
        assert [code for code, _ in entries] == [bank.org_code for bank in many_banks(MANY)]

    async def test_a_superseded_leader_writes_nothing(self, ledger, book, fence):
        await take(book, changes(OPERATOR), fence, NOW)
        await ledger.jobs.take_lead("elsewhere", 60, NOW)
        before = await book.registry()
        for call in (take(book, ALL, fence, NOW), hold(book, ALL, ("why",), fence, NOW)):
            with pytest.raises(Superseded):
                await call
        assert await book.registry() == before
        assert await book.held() is None


class TestHolding:
    async def test_a_held_sync_waits_for_a_person(self, book, fence):
        await take(book, changes(OPERATOR), fence, NOW)
        held = await hold(book, ALL, ("too many", "왜"), fence, NOW + 60)
        assert await book.held() == held
        assert (held.since, held.changes, held.reasons) == (NOW + 60, ALL, ("too many", "왜"))
        assert await book.registry_head() == RegistryHead(1, NOW, NOW + 60)
        assert await book.release(held.hold_id, NOW + 600) == 3
        assert await book.registry_head() == RegistryHead(3, NOW + 60, 0)
        assert (await book.registry()).orgs_timestamp == "202701151"
        assert await book.held() is None

    async def test_the_same_sync_keeps_its_id_and_start_time(self, book, fence):
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
    async def test_a_replaced_held_sync_cannot_be_released(self, book, fence, other):
        first = await hold(book, ALL, ("why",), fence, NOW)
        second = await hold(book, other, ("why",), fence, NOW + 60)
        assert second.since == NOW
        with pytest.raises(NoHeldSync):
            await book.release(first.hold_id, NOW)
        assert await book.held() == second

    async def test_an_applied_sync_drops_the_held_one(self, book, fence):
        held = await hold(book, ALL, ("why",), fence, NOW)
        await take(book, changes(), fence, NOW)
        assert await book.held() is None
        with pytest.raises(NoHeldSync):
            await book.release(held.hold_id, NOW)

    async def test_one_of_two_concurrent_releases_succeeds(self, book, fence):
        held = await hold(book, ALL, ("why",), fence, NOW)
        results = await asyncio.gather(*[book.release(held.hold_id, NOW) for _ in range(2)], return_exceptions=True)
        assert sorted(map(str, results)) == ["", "3"]


class TestJudging:
    """A sync that was judged by another number than the present one is neither applied nor held."""

    @pytest.mark.parametrize("judged", [0, 2, 4])
    async def test_a_sync_judged_by_another_number_writes_nothing(self, book, fence, judged):
        await take(book, ALL, fence, NOW)
        kept = await hold(book, changes(gone=[BANK.org_code]), ("why",), fence, NOW)
        before = await book.registry()
        for call in (
            book.apply(changes(stamp="2"), fence, NOW + 60, judged=judged),
            book.hold(changes(gone=[OPERATOR.org_code]), ("other",), fence, NOW + 60, judged=judged),
        ):
            with pytest.raises(RegistryChanged):
                await call
        assert (await book.registry(), await book.held()) == (before, kept)

    async def test_a_release_wins_over_a_sync_judged_before_it(self, book, fence):
        """A removal that the portal withdrew while a person released it comes again with the next sync."""
        await take(book, ALL, fence, NOW)
        kept = await hold(book, changes(gone=[OPERATOR.org_code], stamp="2"), ("why",), fence, NOW)
        judged = (await book.registry()).number
        number = await book.release(kept.hold_id, NOW + 60)
        with pytest.raises(RegistryChanged):
            await book.apply(changes(stamp="3"), fence, NOW + 60, judged=judged)
        assert (await book.registry()).orgs_timestamp == "202701152"
        assert await book.apply(changes(OPERATOR, stamp="3"), fence, NOW + 60, judged=number) == number + 1

    async def test_one_of_a_concurrent_release_and_sync_is_applied(self, book, fence):
        await take(book, ALL, fence, NOW)
        kept = await hold(book, changes(gone=[OPERATOR.org_code]), ("why",), fence, NOW)
        results = await asyncio.gather(
            book.release(kept.hold_id, NOW),
            book.apply(changes(gone=["ZBAA000001"]), fence, NOW, judged=3),
            return_exceptions=True,
        )
        assert [type(result) for result in results] in ([int, RegistryChanged], [NoHeldSync, int])
        assert len((await book.registry()).organisations) == 1


class TestFollowing:
    async def test_two_followers_see_all_numbers_in_order_of_two_writers(self, ledger, book, fence):
        writers = 2

        async def write(writer):
            nonlocal writers
            for turn in range(15):
                name = f"{writer} {turn}"
                banks = [replace(bank, name=name) for bank in many_banks(6)]
                await take(book, changes(*banks, services=[replace(SERVICE, name=name)]), fence, NOW)
            writers -= 1

        async def follow():
            last, numbers, known = 0, [], {}
            while writers or last < (await book.registry_head()).number:
                last, page = await book.registry_after(last, 5)
                numbers.append(last)
                known |= {**page.organisations, **page.services}
            return numbers, known

        *_, first, second = await asyncio.gather(write("one"), write("other"), follow(), follow())
        now = await book.registry()
        for numbers, known in (first, second):
            assert numbers == sorted(numbers)
            assert numbers[-1] == now.number
            assert known == {**now.organisations, **now.services}
