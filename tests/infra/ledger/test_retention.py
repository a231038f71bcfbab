"""What is over for long goes, whole; what is in force never does, whatever its age."""

from dataclasses import replace
from datetime import date

import pytest

from relay.domain.jobs import Limits, PortalCall, Superseded
from relay.domain.ledger import Evidence
from relay.domain.registry import Organisation, OrgType, RegistryChanges
from relay.domain.statistics import Batch, Line, Sending, SendingState

NOW = 1_800_000_000
DAY_S = 86400
FAR = NOW + 4000 * DAY_S
"""A purge eleven years later, when everything is old."""
LINE = Line("20270115", "00", "ZBAA000001", "ZOPA000001", "svc1", "1", "BA01", "200_00000")
NOTHING = Limits(consents=0, requests=0, spent=0, statistics="", calls=0)
ALL = Limits(consents=FAR, requests=FAR, spent=FAR, statistics="99991231", calls=FAR)
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


def limits(**some):
    return Limits(**{name: getattr(NOTHING, name) for name in Limits.__slots__} | some)


@pytest.fixture
async def fence(ledger):
    return (await ledger.jobs.lead("here", 60, NOW)).fence


@pytest.fixture
def counts(sql, url):
    """How many rows stand in tables, those without any left out."""

    def counted(*tables):
        found = {table: int(sql(url, f"SELECT count(*) FROM {table}")[0]) for table in tables}
        return {table: count for table, count in found.items() if count}

    return counted


@pytest.fixture
def withdrawn(ledger, desk):
    """A consent with evidence, tokens, one of them refreshed, withdrawn at `at`."""

    async def one(ci, at):
        consent = desk.consent(ci=ci)
        pair = desk.pair(consent)
        await ledger.issue_integrated(consent, pair, [("tx_id", ci)], [Evidence("password", b"signed")], NOW)
        _, access = await ledger.refresh(pair.refresh.jti, desk.holder, desk.renewed(at), 0, at)
        assert await ledger.withdraw(access.jti, desk.holder, at)
        return consent

    return one


class TestConsents:
    async def test_one_that_is_over_for_long_goes_with_all_that_belongs_to_it(self, ledger, fence, withdrawn, counts):
        await withdrawn("ci-one", NOW + 60)
        before = counts(*CUSTOMERS)
        gone = await ledger.archive.purge(limits(consents=NOW + 61), fence, NOW + DAY_S)
        assert gone == {table: count for table, count in before.items() if table != "spent"}
        assert counts(*CUSTOMERS) == {"spent": 1}

    async def test_one_that_ended_later_stays_with_all_that_belongs_to_it(self, ledger, fence, withdrawn, counts):
        await withdrawn("ci-one", NOW + 60)
        before = counts(*CUSTOMERS)
        assert await ledger.archive.purge(limits(consents=NOW + 60), fence, NOW + DAY_S) == {}
        assert counts(*CUSTOMERS) == before

    async def test_many_go_in_small_transactions(self, ledger, desk, fence, withdrawn, counts, monkeypatch):
        monkeypatch.setattr("relay.infra.ledger.retention.GROUP", 2)
        monkeypatch.setattr("relay.infra.ledger.retention.BATCH", 3)
        for number in range(5):
            await withdrawn(f"ci-{number}", NOW + 60)
        _, pair = await desk.issued(ledger)
        gone = await ledger.archive.purge(limits(consents=FAR), fence, NOW + DAY_S)
        assert (gone["consents"], gone["tokens"], gone["history"]) == (5, 15, 40)
        assert counts(*CUSTOMERS) == {"consents": 1, "consent_scopes": 3, "tokens": 2, "history": 3, "spent": 6}
        assert await ledger.consent_behind(pair.access.jti)

    async def test_what_is_in_force_stays_whatever_its_age(self, ledger, desk, fence, counts, standing):
        for number in range(3):
            await desk.issued(ledger, desk.consent(ci=f"ci-{number}", end=date(9999, 12, 31)))
        kept, pair = await desk.issued(ledger, desk.consent(ci="ci-kept", end=date(9999, 12, 31)))
        owned = counts("consents", "consent_scopes", "tokens", "history")
        await ledger.archive.purge(ALL, fence, FAR)
        assert counts(*CUSTOMERS) == owned
        assert await ledger.consents_in_force("ci-kept") == [kept]
        assert (await standing(pair.access))[0][0].value == "live"

    async def test_a_customer_may_come_again_afterwards(self, ledger, desk, fence, withdrawn):
        await withdrawn("ci-one", NOW + 60)
        await ledger.archive.purge(ALL, fence, NOW + DAY_S)
        consent, _ = await desk.issued(ledger, desk.consent(ci="ci-one"))
        assert await ledger.consents_in_force("ci-one") == [consent]


class TestRequests:
    async def test_old_requests_go_with_their_codes_and_consents_stay(self, ledger, desk, fence, counts):
        consent = desk.consent()
        await desk.given(ledger, consent, desk.code())
        await ledger.spend_code(desk.code().digest, desk.holder, desk.callback, desk.pair, NOW)
        await ledger.open_request(desk.request(desk.consent(ci="ci-two")))
        gone = await ledger.archive.purge(limits(requests=NOW + 601), fence, NOW + DAY_S)
        assert gone == {"codes": 1, "authorization_requests": 2, "history": 4}
        assert counts(*CUSTOMERS) == {"consents": 1, "consent_scopes": 3, "tokens": 2, "history": 3}
        assert await ledger.consents_in_force(consent.ci) == [consent]

    async def test_a_request_that_a_kept_code_names_stays(self, ledger, desk, fence, counts):
        await desk.given(ledger, desk.consent(), desk.code(lasts=900))
        before = counts(*CUSTOMERS)
        assert await ledger.archive.purge(limits(requests=NOW + 601), fence, NOW + DAY_S) == {}
        assert counts(*CUSTOMERS) == before

    async def test_an_open_request_stays(self, ledger, desk, fence):
        request = desk.request(desk.consent())
        await ledger.open_request(request)
        await ledger.archive.purge(limits(requests=NOW + 600), fence, NOW)
        assert await ledger.request(request.request_id, None, NOW) == request


class TestRows:
    async def test_revocations_go_when_nobody_holds_their_token(self, ledger, desk, fence):
        for ci, lasts in (("ci-one", 3600), ("ci-two", 7200)):
            consent = desk.consent(ci=ci)
            pair = desk.pair(consent, lasts=lasts)
            await ledger.issue_integrated(consent, pair, [], [], NOW)
            await ledger.withdraw(pair.access.jti, desk.holder, NOW)
        over = NOW + 3600 + 91 * DAY_S
        assert await ledger.archive.purge(NOTHING, fence, over) == {}
        assert len((await ledger.revoked_after(0))[1]) == 2
        assert await ledger.archive.purge(NOTHING, fence, over + 1) == {"revocations": 1}
        assert await ledger.revoked_after(0) == (2, [pair.access.jti])

    async def test_what_was_spent_goes_after_its_time(self, ledger, desk, fence):
        await desk.issued(ledger, desk.consent(consent_id="MD-one"))
        assert await ledger.archive.purge(limits(spent=NOW), fence, NOW) == {}
        assert await ledger.is_spent([("tx_id", "MD-one")])
        assert await ledger.archive.purge(limits(spent=NOW + 1), fence, NOW) == {"spent": 1}
        assert await ledger.is_spent([("tx_id", "MD-one")]) is None

    async def test_figures_go_by_their_day_with_what_was_sent_of_them(self, ledger, fence):
        book = ledger.statistics
        later = LINE._replace(stat_date="20270117")
        await book.take_batch(Batch("one", {LINE: 1, later: 2}), NOW)
        for week in ("20270117", "20270124"):
            await book.keep_sending(Sending(week, "ZBAA000001", "1", SendingState.ACCEPTED), fence, NOW)
        await book.ask_again("20270117", "ZBAA000001", ["2"], NOW)
        gone = await ledger.archive.purge(limits(statistics="20270117"), fence, NOW)
        assert gone == {"statistics": 1, "sendings": 1}
        assert await book.counts("20270101", "20271231") == [(later, 2)]
        assert [each.type for each in await book.sendings("20270117")] == ["2"]
        assert len(await book.sendings("20270124")) == 1

    async def test_a_batch_is_known_again_for_eight_days(self, ledger, fence):
        batch = Batch("one", {LINE: 1})
        await ledger.statistics.take_batch(batch, NOW)
        assert await ledger.archive.purge(NOTHING, fence, NOW + 8 * DAY_S) == {}
        assert not await ledger.statistics.take_batch(batch, NOW)
        assert await ledger.archive.purge(NOTHING, fence, NOW + 8 * DAY_S + 1) == {"statistics_batches": 1}

    async def test_calls_to_the_portal_go_after_their_time(self, ledger, fence):
        call = PortalCall(NOW + 0.5, "지원-002", "ZRAA000001M00000000000001", 1, 200, "00000", 12.5, "ok")
        await ledger.jobs.called(call)
        assert await ledger.archive.purge(limits(calls=NOW), fence, NOW) == {}
        assert await ledger.archive.purge(limits(calls=NOW + 1), fence, NOW) == {"portal_calls": 1}
        assert await ledger.jobs.calls(9) == []

    async def test_what_the_registry_was_goes_after_a_hundred_days(self, ledger, fence):
        book = ledger.registry
        one = Organisation("ZOPA000001", OrgType.OPERATOR, "하나사업자", "2028200002", ("203.0.113.7",))
        two = replace(one, org_code="ZOPA000002")
        first = RegistryChanges({each.org_code: each for each in (one, two)}, {}, "1", "1")
        await book.take(first, fence, NOW, judged=0)
        gone = RegistryChanges({one.org_code: None}, {}, "1", "1")
        await book.take(gone, fence, NOW, judged=2)
        held = await book.hold(gone, ("why",), fence, NOW, judged=3)
        await book.discard(held.hold_id, gone, "wrong", NOW)
        assert await ledger.archive.purge(NOTHING, fence, NOW + 100 * DAY_S) == {}
        removed = await ledger.archive.purge(NOTHING, fence, NOW + 100 * DAY_S + 1)
        assert removed == {"registry_past": 1, "registry_discarded": 1}


async def test_a_superseded_leader_removes_nothing(ledger, fence, withdrawn, counts):
    await withdrawn("ci-one", NOW + 60)
    await ledger.jobs.new_fence("there", 60, NOW)
    before = counts(*CUSTOMERS)
    with pytest.raises(Superseded):
        await ledger.archive.purge(ALL, fence, FAR)
    assert counts(*CUSTOMERS) == before
