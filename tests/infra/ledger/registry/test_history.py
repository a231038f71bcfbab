"""The registry's past: former values, discarded syncs, absent entries."""

from dataclasses import replace

import pytest

from relay.domain.authorization.consent import ConsentState
from relay.domain.authorization.issued_tokens import TokenState
from relay.domain.jobs import Superseded
from relay.domain.ledger import LedgerRefused
from relay.domain.registry import (
    NO_PARTIES,
    Cause,
    Discard,
    FormerValue,
    NoHeldSync,
    Organisation,
    OrgType,
    PartySet,
    RegisteredService,
    RegistryChanges,
    RegistryHistory,
)

NOW, DAY = 1_800_000_000, 86_400
ONE = Organisation("ZOPA000001", OrgType.OPERATOR, "하나사업자", "2028200002", ("203.0.113.7",))
TWO = replace(ONE, org_code="ZOPA000002", serial_num="2028200003")
BANK = replace(ONE, org_code="ZBAA000001", org_type=OrgType.THROUGH_RELAY, relay="ZRAA000001")
SERVICE = RegisteredService("svc1", "ZOPA000001", "모아보기", "$scrypt$hash", ("https://one.example/cb",), (), b"mark")


def changes(organisations, services=()):
    return RegistryChanges(dict(organisations), dict(services), "1", "1")


FIRST = changes([(entry.org_code, entry) for entry in (ONE, TWO, BANK)], [("svc1", SERVICE)])
GONE = changes([(ONE.org_code, None)], [("svc1", None)])
BACK = changes([(ONE.org_code, ONE)], [("svc1", SERVICE)])


@pytest.fixture
def book(ledger):
    return ledger.registry


@pytest.fixture
def take(book, fence):
    async def take_sync(sync, now=NOW, counted=NO_PARTIES):
        return await book.apply(sync, fence, now, judged=(await book.registry_head()).number, counted=counted)

    return take_sync


@pytest.fixture
def release(book, fence):
    """Holds a sync and releases it."""

    async def hold_and_release(sync, now=NOW):
        held = await book.hold(sync, ("why",), fence, now, judged=(await book.registry_head()).number)
        await book.release(held.hold_id, now)

    return hold_and_release


async def test_the_first_load_has_no_past(book, take):
    await take(FIRST)
    assert await book.past(0) == RegistryHistory({}, {})


async def test_former_values_are_listed_in_order_with_their_cause(book, take, release):
    await take(FIRST)
    moved = replace(ONE, addresses=("203.0.113.9",))
    await take(changes([(ONE.org_code, moved)]), NOW + 1, PartySet(frozenset({ONE.org_code})))
    await release(GONE, NOW + 2)
    await take(BACK, NOW + 3)
    assert await book.past(0) == RegistryHistory(
        {
            ONE.org_code: [
                FormerValue(NOW + 1, ONE, Cause.COUNTED),
                FormerValue(NOW + 2, moved, Cause.RELEASED),
                FormerValue(NOW + 3, None, Cause.SYNC),
            ]
        },
        {"svc1": [FormerValue(NOW + 2, SERVICE, Cause.RELEASED), FormerValue(NOW + 3, None, Cause.SYNC)]},
    )
    assert await book.past(NOW + 3) == RegistryHistory({}, {})
    assert set((await book.past(NOW + 2)).organisations) == {ONE.org_code}


async def test_new_organisations_and_counted_services_have_a_past(book, take):
    await take(FIRST)
    three = replace(ONE, org_code="ZOPA000003")
    other = replace(SERVICE, callbacks=())
    await take(changes([(three.org_code, three)], [("svc1", other)]), NOW + 1, PartySet(services=frozenset({"svc1"})))
    assert await book.past(0) == RegistryHistory(
        {three.org_code: [FormerValue(NOW + 1, None, Cause.SYNC)]},
        {"svc1": [FormerValue(NOW + 1, SERVICE, Cause.COUNTED)]},
    )


async def test_unchanged_entries_have_no_past(book, take):
    await take(FIRST)
    await take(FIRST, NOW + 1)
    await take(changes([("ZOPA000009", None)]), NOW + 1)
    assert await book.past(0) == RegistryHistory({}, {})


async def test_a_discarded_sync_is_listed_with_its_reason(book, fence, take):
    await take(FIRST)
    held = await book.hold(GONE, ("why",), fence, NOW, judged=4)
    await book.discard(held.hold_id, GONE, "half a list", NOW + 5)
    assert await book.held() is None
    assert await book.discarded(0) == [Discard(NOW + 5, "half a list", GONE)]
    assert await book.discarded(NOW + 5) == []
    with pytest.raises(NoHeldSync):
        await book.discard(held.hold_id, GONE, "again", NOW + 6)
    await book.hold(GONE, ("why",), fence, NOW + 7, judged=4)
    await book.discard(held.hold_id, GONE, "again", NOW + 8)
    assert await book.discarded(0) == [Discard(NOW + 8, "again", GONE)]


async def test_changes_of_display_columns_have_no_past(book, take):
    await take(FIRST)
    named = changes([(ONE.org_code, replace(ONE, name="새 이름", domain="new.example"))])
    await take(replace(named, services={"svc1": replace(SERVICE, name="새 이름", secret_mark=b"other")}), NOW + 1)
    assert await book.past(0) == RegistryHistory({}, {})


async def test_an_entry_that_changes_to_and_fro_does_not_fill_the_ledger(book, take):
    """A harmless change is recorded once a day, a counted change always."""
    await take(FIRST)
    three = replace(ONE, org_code="ZOPA000003")
    for at in range(10):
        await take(changes([(three.org_code, None if at % 2 else three)]), NOW + at)
    assert len((await book.past(0)).organisations[three.org_code]) == 1
    await take(changes([(three.org_code, three)]), NOW + DAY + 1)
    assert len((await book.past(0)).organisations[three.org_code]) == 2
    for at in range(2, 5):
        moved = replace(three, addresses=(f"203.0.113.{at}",))
        await take(changes([(three.org_code, moved)]), NOW + DAY + at, PartySet(frozenset({three.org_code})))
    assert len((await book.past(0)).organisations[three.org_code]) == 5


class TestAbsence:
    """An entry absent for long loses its consents and tokens; one that returns in time keeps them."""

    LIMIT = NOW + 7 * DAY

    @pytest.fixture
    async def issued(self, ledger, factory, take):
        await take(FIRST)
        return await factory.issue(ledger)

    async def states(self, ledger, pair):
        token, consent = await ledger.find_token_and_consent(pair.access.jti)
        return token.state, consent.state

    @pytest.mark.parametrize(
        "absence",
        [
            GONE,
            changes([(ONE.org_code, None)]),
            changes([], [("svc1", None)]),
            changes([(ONE.org_code, replace(ONE, org_type=OrgType.OTHER))]),
        ],
        ids=["both", "operator", "service", "calls_no_more"],
    )
    async def test_consents_of_a_long_absent_entry_end(self, ledger, fence, take, factory, issued, absence):
        book, (_, pair) = ledger.registry, issued
        await take(absence, NOW + DAY)
        assert await book.end_orphaned_consents(NOW + DAY, fence, NOW + 8 * DAY) == 0
        assert await self.states(ledger, pair) == (TokenState.LIVE, ConsentState.ACTIVE)
        assert await book.end_orphaned_consents(NOW + DAY + 1, fence, NOW + 8 * DAY) == 1
        assert await self.states(ledger, pair) == (TokenState.REVOKED, ConsentState.ENDED)
        await take(BACK, NOW + 9 * DAY)
        assert await ledger.list_revoked_after(0) == (1, [pair.access.jti])
        with pytest.raises(LedgerRefused):
            await ledger.refresh(pair.refresh.jti, factory.holder, factory.refresh_at(NOW), 30, NOW)

    async def test_consents_of_an_entry_that_returns_in_time_stay(self, ledger, book, fence, take, issued):
        _, pair = issued
        await take(GONE, NOW + DAY)
        await take(BACK, NOW + 2 * DAY)
        assert await book.end_orphaned_consents(NOW + 100 * DAY, fence, NOW + 100 * DAY) == 0
        assert await self.states(ledger, pair) == (TokenState.LIVE, ConsentState.ACTIVE)

    async def test_a_change_while_absent_does_not_restart_the_absence(self, book, fence, take, issued):
        silent = replace(ONE, org_type=OrgType.OTHER)
        await take(changes([(ONE.org_code, silent)]), NOW + DAY)
        await take(changes([(ONE.org_code, replace(silent, name="새 이름"))]), NOW + 5 * DAY)
        await take(changes([(ONE.org_code, None)]), NOW + 6 * DAY)
        assert await book.end_orphaned_consents(NOW + DAY + 1, fence, NOW + 9 * DAY) == 1

    async def test_many_consents_end_in_several_transactions(self, ledger, book, fence, take, factory):
        await take(FIRST)
        for number in range(205):
            await factory.issue(ledger, factory.build_consent(ci=f"ci-{number}"))
        await take(GONE, NOW + DAY)
        assert await book.end_orphaned_consents(NOW + 2 * DAY, fence, NOW + 9 * DAY) == 205

    async def test_a_superseded_leader_ends_nothing(self, ledger, book, fence, take, issued):
        await take(GONE, NOW + DAY)
        await ledger.jobs.take_lead("elsewhere", 60, NOW)
        with pytest.raises(Superseded):
            await book.end_orphaned_consents(NOW + 2 * DAY, fence, NOW + 9 * DAY)
        assert await self.states(ledger, issued[1]) == (TokenState.LIVE, ConsentState.ACTIVE)
