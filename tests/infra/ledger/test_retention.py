"""Old rows are removed together with their dependent rows; consents in force never are."""

from dataclasses import replace
from datetime import date

import pytest

from relay.domain.jobs import PortalCall, RetentionLimits, Superseded
from relay.domain.ledger import Evidence
from relay.domain.registry import Organisation, OrgType, RegistryChanges
from relay.domain.statistics import Batch, Line, Sending, SendingState

NOW = 1_800_000_000
DAY_S = 86400
WEEK_S = 7 * DAY_S
FAR = NOW + 4000 * DAY_S
"""A purge eleven years later, when everything is old."""
LINE = Line("20270115", "00", "ZBAA000001", "ZOPA000001", "svc1", "1", "BA01", "200_00000")
NOTHING = RetentionLimits(consents=0, requests=0, spent=0, statistics="", calls=0)
ALL = RetentionLimits(consents=FAR, requests=FAR, spent=FAR, statistics="99991231", calls=FAR)
CUSTOMERS = (
    "authorization_requests",
    "codes",
    "consents",
    "consent_scopes",
    "evidence",
    "history",
    "revocations",
    "spent",
    "tokens",
)


def limits(**changes):
    return RetentionLimits(**{name: getattr(NOTHING, name) for name in RetentionLimits.__slots__} | changes)


@pytest.fixture
def counts(sql, url):
    """Counts the rows of tables; leaves out empty tables."""

    def count_rows(*tables):
        rows = {table: int(sql(url, f"SELECT count(*) FROM {table}")[0]) for table in tables}
        return {table: count for table, count in rows.items() if count}

    return count_rows


@pytest.fixture
def add_withdrawn(ledger, factory):
    """Adds a consent with evidence, tokens, one of them refreshed, add_withdrawn at `at`."""

    async def add(ci, at):
        consent = factory.build_consent(ci=ci)
        pair = factory.build_pair(consent)
        await ledger.issue_integrated(consent, pair, [("tx_id", ci)], [Evidence("password", b"signed")], NOW)
        _, access = await ledger.refresh(pair.refresh.jti, factory.holder, factory.refresh_at(at), 0, at)
        assert await ledger.withdraw(access.jti, factory.holder, at)
        return consent

    return add


class TestConsents:
    async def test_an_old_ended_consent_is_removed_with_its_rows(self, ledger, fence, add_withdrawn, counts):
        await add_withdrawn("ci-one", NOW + 60)
        before = counts(*CUSTOMERS)
        removed = await ledger.archive.purge(limits(consents=NOW + 61), fence, NOW + DAY_S)
        assert removed == {table: count for table, count in before.items() if table != "spent"}
        assert counts(*CUSTOMERS) == {"spent": 1}

    async def test_a_recently_ended_consent_stays_with_its_rows(self, ledger, fence, add_withdrawn, counts):
        await add_withdrawn("ci-one", NOW + 60)
        before = counts(*CUSTOMERS)
        assert await ledger.archive.purge(limits(consents=NOW + 60), fence, NOW + DAY_S) == {}
        assert counts(*CUSTOMERS) == before

    async def test_many_consents_are_removed_in_small_transactions(
        self, ledger, factory, fence, add_withdrawn, counts, monkeypatch
    ):
        monkeypatch.setattr("relay.infra.ledger.retention.GROUP", 2)
        monkeypatch.setattr("relay.infra.ledger.retention.BATCH", 3)
        for number in range(5):
            await add_withdrawn(f"ci-{number}", NOW + 60)
        _, pair = await factory.issue(ledger)
        removed = await ledger.archive.purge(limits(consents=FAR), fence, NOW + DAY_S)
        assert (removed["consents"], removed["tokens"], removed["history"]) == (5, 15, 40)
        assert counts(*CUSTOMERS) == {"consents": 1, "consent_scopes": 3, "tokens": 2, "history": 3, "spent": 6}
        assert await ledger.find_token_and_consent(pair.access.jti)

    async def test_a_consent_in_force_stays_at_any_age(self, ledger, factory, fence, counts, token_states):
        for number in range(3):
            await factory.issue(ledger, factory.build_consent(ci=f"ci-{number}", end=date(9999, 12, 31)))
        kept, pair = await factory.issue(ledger, factory.build_consent(ci="ci-kept", end=date(9999, 12, 31)))
        before = counts("consents", "consent_scopes", "tokens", "history")
        await ledger.archive.purge(ALL, fence, FAR)
        assert counts(*CUSTOMERS) == before
        assert await ledger.list_consents_in_force("ci-kept") == [kept]
        assert (await token_states(pair.access))[0][0].value == "live"

    async def test_a_customer_may_consent_again_after_the_removal(self, ledger, factory, fence, add_withdrawn):
        await add_withdrawn("ci-one", NOW + 60)
        await ledger.archive.purge(ALL, fence, NOW + DAY_S)
        consent, _ = await factory.issue(ledger, factory.build_consent(ci="ci-one"))
        assert await ledger.list_consents_in_force("ci-one") == [consent]


class TestRequests:
    async def test_old_requests_and_codes_are_removed_and_consents_stay(self, ledger, factory, fence, counts):
        consent = factory.build_consent()
        await factory.give_consent(ledger, consent, factory.build_code())
        await ledger.spend_code(factory.build_code().digest, factory.holder, factory.callback, factory.build_pair, NOW)
        await ledger.open_request(factory.build_request(factory.build_consent(ci="ci-two")))
        removed = await ledger.archive.purge(limits(requests=NOW + 601), fence, NOW + DAY_S)
        assert removed == {"codes": 1, "authorization_requests": 2, "history": 4}
        assert counts(*CUSTOMERS) == {"consents": 1, "consent_scopes": 3, "tokens": 2, "history": 3}
        assert await ledger.list_consents_in_force(consent.ci) == [consent]

    async def test_a_request_of_a_remaining_code_stays(self, ledger, factory, fence, counts):
        await factory.give_consent(ledger, factory.build_consent(), factory.build_code(lasts=900))
        before = counts(*CUSTOMERS)
        assert await ledger.archive.purge(limits(requests=NOW + 601), fence, NOW + DAY_S) == {}
        assert counts(*CUSTOMERS) == before

    async def test_an_open_request_stays(self, ledger, factory, fence):
        request = factory.build_request(factory.build_consent())
        await ledger.open_request(request)
        await ledger.archive.purge(limits(requests=NOW + 600), fence, NOW)
        assert await ledger.load_request(request.request_id, None, NOW) == request


class TestRows:
    async def test_transfers_are_removed_after_their_week(self, ledger, fence):
        week = 1_799_506_800
        for start in (week - WEEK_S, week, week + WEEK_S):
            await ledger.transfers.add(start, [b"1" * 16], NOW)
        assert await ledger.archive.purge(NOTHING, fence, week + DAY_S - 1) == {}
        assert await ledger.archive.purge(NOTHING, fence, week + DAY_S) == {"transfers": 1}
        assert [row[0] for row in (await ledger.transfers.list_after(0, 0))[1]] == [week, week + WEEK_S]

    async def test_revocations_are_removed_after_their_token_expired(self, ledger, factory, fence):
        for ci, lasts in (("ci-one", 3600), ("ci-two", 7200)):
            consent = factory.build_consent(ci=ci)
            pair = factory.build_pair(consent, lasts=lasts)
            await ledger.issue_integrated(consent, pair, [], [], NOW)
            await ledger.withdraw(pair.access.jti, factory.holder, NOW)
        over = NOW + 3600 + 91 * DAY_S
        assert await ledger.archive.purge(NOTHING, fence, over) == {}
        assert len((await ledger.list_revoked_after(0))[1]) == 2
        assert await ledger.archive.purge(NOTHING, fence, over + 1) == {"revocations": 1}
        assert await ledger.list_revoked_after(0) == (2, [pair.access.jti])

    async def test_single_use_values_are_removed_after_their_time(self, ledger, factory, fence):
        await factory.issue(ledger, factory.build_consent(consent_id="MD-one"))
        assert await ledger.archive.purge(limits(spent=NOW), fence, NOW) == {}
        assert await ledger.find_spent([("tx_id", "MD-one")])
        assert await ledger.archive.purge(limits(spent=NOW + 1), fence, NOW) == {"spent": 1}
        assert await ledger.find_spent([("tx_id", "MD-one")]) is None

    async def test_old_counts_are_removed_with_their_messages(self, ledger, fence):
        book = ledger.statistics
        later = LINE._replace(stat_date="20270117")
        await book.take_batch(Batch("one", {LINE: 1, later: 2}), NOW)
        for week in ("20270117", "20270124"):
            await book.save_sending(Sending(week, "ZBAA000001", "1", SendingState.ACCEPTED), fence, NOW)
        await book.request_resend("20270117", "ZBAA000001", ["2"], NOW)
        removed = await ledger.archive.purge(limits(statistics="20270117"), fence, NOW)
        assert removed == {"statistics": 1, "sendings": 1}
        assert await book.counts("20270101", "20271231") == [(later, 2)]
        assert [sending.type for sending in await book.sendings("20270117")] == ["2"]
        assert len(await book.sendings("20270124")) == 1

    async def test_a_batch_is_recognized_for_eight_days(self, ledger, fence):
        batch = Batch("one", {LINE: 1})
        await ledger.statistics.take_batch(batch, NOW)
        assert await ledger.archive.purge(NOTHING, fence, NOW + 8 * DAY_S) == {}
        assert not await ledger.statistics.take_batch(batch, NOW)
        assert await ledger.archive.purge(NOTHING, fence, NOW + 8 * DAY_S + 1) == {"statistics_batches": 1}

    async def test_calls_to_the_portal_are_removed_after_their_time(self, ledger, fence):
        call = PortalCall(NOW + 0.5, "지원-002", "ZRAA000001M00000000000001", 1, 200, "00000", 12.5, "ok")
        await ledger.jobs.record_call(call)
        assert await ledger.archive.purge(limits(calls=NOW), fence, NOW) == {}
        assert await ledger.archive.purge(limits(calls=NOW + 1), fence, NOW) == {"portal_calls": 1}
        assert await ledger.jobs.load_calls(9) == []

    async def test_the_registrys_past_is_removed_after_100_days(self, ledger, fence):
        book = ledger.registry
        operator = Organisation("ZOPA000001", OrgType.OPERATOR, "하나사업자", "2028200002", ("203.0.113.7",))
        other = replace(operator, org_code="ZOPA000002")
        first = RegistryChanges({operator.org_code: operator, other.org_code: other}, {}, "1", "1")
        await book.apply(first, fence, NOW, judged=0)
        gone = RegistryChanges({operator.org_code: None}, {}, "1", "1")
        await book.apply(gone, fence, NOW, judged=2)
        held = await book.hold(gone, ("why",), fence, NOW, judged=3)
        await book.discard(held.hold_id, gone, "wrong", NOW)
        assert await ledger.archive.purge(NOTHING, fence, NOW + 100 * DAY_S) == {}
        removed = await ledger.archive.purge(NOTHING, fence, NOW + 100 * DAY_S + 1)
        assert removed == {"registry_past": 1, "registry_discarded": 1}


async def test_a_superseded_leader_removes_nothing(ledger, fence, add_withdrawn, counts):
    await add_withdrawn("ci-one", NOW + 60)
    await ledger.jobs.take_lead("there", 60, NOW)
    before = counts(*CUSTOMERS)
    with pytest.raises(Superseded):
        await ledger.archive.purge(ALL, fence, FAR)
    assert counts(*CUSTOMERS) == before
