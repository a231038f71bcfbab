"""The ledger knows what was in force before, what was thrown away, and who is away since when."""

from dataclasses import replace

import pytest

from relay.domain.authorization.consent import ConsentState
from relay.domain.authorization.issued_tokens import TokenState
from relay.domain.jobs import Superseded
from relay.domain.ledger import NotGranted
from relay.domain.registry import (
    COUNTS_NONE,
    Cause,
    Counted,
    Discarded,
    Former,
    NothingHeld,
    Organisation,
    OrgType,
    Past,
    RegisteredService,
    RegistryChanges,
)

NOW, DAY = 1_800_000_000, 86_400
ONE = Organisation("ZOPA000001", OrgType.OPERATOR, "하나사업자", "2028200002", ("203.0.113.7",))
TWO = replace(ONE, org_code="ZOPA000002", serial_num="2028200003")
BANK = replace(ONE, org_code="ZBAA000001", org_type=OrgType.THROUGH_RELAY, relay="ZRAA000001")
SERVICE = RegisteredService("svc1", "ZOPA000001", "모아보기", "$scrypt$hash", ("https://one.example/cb",), (), b"mark")


def changes(organisations, services=()):
    return RegistryChanges(dict(organisations), dict(services), "1", "1")


FIRST = changes([(one.org_code, one) for one in (ONE, TWO, BANK)], [("svc1", SERVICE)])
GONE = changes([(ONE.org_code, None)], [("svc1", None)])
BACK = changes([(ONE.org_code, ONE)], [("svc1", SERVICE)])


@pytest.fixture
def book(ledger):
    return ledger.registry


@pytest.fixture
async def fence(ledger):
    return (await ledger.jobs.lead("here", 60, NOW)).fence


@pytest.fixture
def take(book, fence):
    async def taken(some, now=NOW, counted=COUNTS_NONE):
        return await book.take(some, fence, now, judged=(await book.registry_head()).number, counted=counted)

    return taken


@pytest.fixture
def release(book, fence):
    """A sync that was held and that a person released."""

    async def released(some, now=NOW):
        held = await book.hold(some, ("why",), fence, now, judged=(await book.registry_head()).number)
        await book.release(held.hold_id, now)

    return released


async def test_the_first_load_has_no_past(book, take):
    await take(FIRST)
    assert await book.past(0) == Past({}, {})


async def test_former_values_are_told_in_order_with_why_they_went(book, take, release):
    await take(FIRST)
    moved = replace(ONE, addresses=("203.0.113.9",))
    await take(changes([(ONE.org_code, moved)]), NOW + 1, Counted(frozenset({ONE.org_code})))
    await release(GONE, NOW + 2)
    await take(BACK, NOW + 3)
    assert await book.past(0) == Past(
        {
            ONE.org_code: [
                Former(NOW + 1, ONE, Cause.COUNTED),
                Former(NOW + 2, moved, Cause.RELEASED),
                Former(NOW + 3, None, Cause.SYNC),
            ]
        },
        {"svc1": [Former(NOW + 2, SERVICE, Cause.RELEASED), Former(NOW + 3, None, Cause.SYNC)]},
    )
    assert await book.past(NOW + 3) == Past({}, {})
    assert set((await book.past(NOW + 2)).organisations) == {ONE.org_code}


async def test_newcomers_and_services_that_count_have_a_past(book, take):
    await take(FIRST)
    three = replace(ONE, org_code="ZOPA000003")
    other = replace(SERVICE, callbacks=())
    await take(changes([(three.org_code, three)], [("svc1", other)]), NOW + 1, Counted(services=frozenset({"svc1"})))
    assert await book.past(0) == Past(
        {three.org_code: [Former(NOW + 1, None, Cause.SYNC)]}, {"svc1": [Former(NOW + 1, SERVICE, Cause.COUNTED)]}
    )


async def test_what_stays_as_it_is_has_no_past(book, take):
    await take(FIRST)
    await take(FIRST, NOW + 1)
    await take(changes([("ZOPA000009", None)]), NOW + 1)
    assert await book.past(0) == Past({}, {})


async def test_what_is_discarded_is_held_no_more_and_told_with_its_reason(book, fence, take):
    await take(FIRST)
    held = await book.hold(GONE, ("why",), fence, NOW, judged=4)
    await book.discard(held.hold_id, GONE, "half a list", NOW + 5)
    assert await book.held() is None
    assert await book.discarded(0) == [Discarded(NOW + 5, "half a list", GONE)]
    assert await book.discarded(NOW + 5) == []
    with pytest.raises(NothingHeld):
        await book.discard(held.hold_id, GONE, "again", NOW + 6)
    await book.hold(GONE, ("why",), fence, NOW + 7, judged=4)
    await book.discard(held.hold_id, GONE, "again", NOW + 8)
    assert await book.discarded(0) == [Discarded(NOW + 8, "again", GONE)]


async def test_what_nobody_goes_by_has_no_past(book, take):
    await take(FIRST)
    named = changes([(ONE.org_code, replace(ONE, name="새 이름", domain="new.example"))])
    await take(replace(named, services={"svc1": replace(SERVICE, name="새 이름", secret_mark=b"other")}), NOW + 1)
    assert await book.past(0) == Past({}, {})


async def test_a_list_that_changes_to_and_fro_does_not_fill_the_ledger(book, take):
    """Harmless changes have one former value a day; those that count have all of theirs."""
    await take(FIRST)
    three = replace(ONE, org_code="ZOPA000003")
    for at in range(10):
        await take(changes([(three.org_code, None if at % 2 else three)]), NOW + at)
    assert len((await book.past(0)).organisations[three.org_code]) == 1
    await take(changes([(three.org_code, three)]), NOW + DAY + 1)
    assert len((await book.past(0)).organisations[three.org_code]) == 2
    for at in range(2, 5):
        moved = replace(three, addresses=(f"203.0.113.{at}",))
        await take(changes([(three.org_code, moved)]), NOW + DAY + at, Counted(frozenset({three.org_code})))
    assert len((await book.past(0)).organisations[three.org_code]) == 5


class TestBeingAway:
    """Who is away for long loses consents and tokens for good; who comes back in time goes on."""

    LIMIT = NOW + 7 * DAY

    @pytest.fixture
    async def issued(self, ledger, desk, take):
        await take(FIRST)
        return await desk.issued(ledger)

    async def states(self, ledger, pair):
        token, consent = await ledger.consent_behind(pair.access.jti)
        return token.state, consent.state

    @pytest.mark.parametrize(
        "away",
        [
            GONE,
            changes([(ONE.org_code, None)]),
            changes([], [("svc1", None)]),
            changes([(ONE.org_code, replace(ONE, org_type=OrgType.OTHER))]),
        ],
        ids=["both", "operator", "service", "calls_no_more"],
    )
    async def test_who_was_away_for_long_begins_anew(self, ledger, fence, take, desk, issued, away):
        book, (_, pair) = ledger.registry, issued
        await take(away, NOW + DAY)
        assert await book.forget_away(NOW + DAY, fence, NOW + 8 * DAY) == 0
        assert await self.states(ledger, pair) == (TokenState.LIVE, ConsentState.ACTIVE)
        assert await book.forget_away(NOW + DAY + 1, fence, NOW + 8 * DAY) == 1
        assert await self.states(ledger, pair) == (TokenState.REVOKED, ConsentState.ENDED)
        await take(BACK, NOW + 9 * DAY)
        assert await ledger.revoked_after(0) == (1, [pair.access.jti])
        with pytest.raises(NotGranted):
            await ledger.refresh(pair.refresh.jti, desk.holder, desk.renewed(NOW), 30, NOW)

    async def test_who_comes_back_in_time_goes_on(self, ledger, book, fence, take, issued):
        _, pair = issued
        await take(GONE, NOW + DAY)
        await take(BACK, NOW + 2 * DAY)
        assert await book.forget_away(NOW + 100 * DAY, fence, NOW + 100 * DAY) == 0
        assert await self.states(ledger, pair) == (TokenState.LIVE, ConsentState.ACTIVE)

    async def test_a_change_while_away_does_not_begin_it_anew(self, book, fence, take, issued):
        silent = replace(ONE, org_type=OrgType.OTHER)
        await take(changes([(ONE.org_code, silent)]), NOW + DAY)
        await take(changes([(ONE.org_code, replace(silent, name="새 이름"))]), NOW + 5 * DAY)
        await take(changes([(ONE.org_code, None)]), NOW + 6 * DAY)
        assert await book.forget_away(NOW + DAY + 1, fence, NOW + 9 * DAY) == 1

    async def test_many_consents_end_in_several_transactions(self, ledger, book, fence, take, desk):
        await take(FIRST)
        for number in range(205):
            await desk.issued(ledger, desk.consent(ci=f"ci-{number}"))
        await take(GONE, NOW + DAY)
        assert await book.forget_away(NOW + 2 * DAY, fence, NOW + 9 * DAY) == 205

    async def test_a_superseded_leader_ends_nothing(self, ledger, book, fence, take, issued):
        await take(GONE, NOW + DAY)
        await ledger.jobs.new_fence("elsewhere", 60, NOW)
        with pytest.raises(Superseded):
            await book.forget_away(NOW + 2 * DAY, fence, NOW + 9 * DAY)
        assert await self.states(ledger, issued[1]) == (TokenState.LIVE, ConsentState.ACTIVE)
