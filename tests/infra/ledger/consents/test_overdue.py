"""A consent ends with its last day in Korea."""

from datetime import date

from relay.domain.authorization.consent import ConsentState
from relay.domain.authorization.issued_tokens import TokenState
from relay.domain.ledger import Why

AGAIN_S = 30
LIVE = (TokenState.LIVE, ConsentState.ACTIVE)


class TestOverdue:
    async def test_the_last_day_ends_in_korea(self, ledger, desk, refused, standing):
        _, pair = await desk.issued(ledger, desk.consent(end=date(2027, 1, 15)))
        midnight = 1_800_025_200
        assert await ledger.end_overdue(midnight - 1) == 0
        assert await ledger.end_overdue(midnight) == 1
        assert await ledger.end_overdue(midnight) == 0
        assert await standing(pair.access) == [(TokenState.LIVE, ConsentState.ENDED)]
        assert await ledger.revocation_head() == 0
        refresh = ledger.refresh(pair.refresh.jti, desk.holder, desk.renewed(midnight), AGAIN_S, midnight)
        assert await refused(refresh) is Why.CONSENT_ENDED
        assert not await ledger.withdraw(pair.access.jti, desk.holder, desk.now)

    async def test_many_take_several_turns(self, ledger, desk, monkeypatch, standing):
        monkeypatch.setattr("relay.infra.ledger.consents.overdue.BATCH", 3)
        for number in range(7):
            await desk.issued(ledger, desk.consent(ci=f"ci-{number}", end=date(2027, 1, 14)))
        kept, pair = await desk.issued(ledger)
        assert await ledger.end_overdue(desk.now) == 7
        assert await standing(pair.access) == [LIVE]
        assert await ledger.consent_of(kept.ci, kept.client_id, kept.provider) == kept

    async def test_a_consent_without_tokens_ends_too(self, ledger, desk):
        await desk.given(ledger, desk.consent(end=date(2027, 1, 14)), desk.code())
        assert await ledger.end_overdue(desk.now) == 1


class TestUnspent:
    EXPIRES_S, DAY_S = 600, 86_400

    async def test_a_consent_whose_code_was_never_spent_ends_a_day_later(self, ledger, desk, refused, url, sql):
        consent = desk.consent()
        await desk.given(ledger, consent, desk.code(lasts=self.EXPIRES_S))
        ends = desk.now + self.EXPIRES_S + self.DAY_S
        assert await ledger.end_overdue(ends - 1) == 0
        assert await ledger.end_overdue(ends) == 1
        assert await ledger.end_overdue(ends) == 0
        assert await ledger.consent_of(consent.ci, consent.client_id, consent.provider) is None
        assert sql(url, "SELECT state, ended_at FROM consents") == [f"ended|{ends}"]
        assert sql(url, "SELECT why FROM history WHERE became = 'ended'") == ["its code was never spent"]
        spend = ledger.spend_code(desk.code().digest, desk.holder, desk.callback, desk.pair, ends)
        assert await refused(spend) is Why.CODE_EXPIRED

    async def test_a_consent_whose_code_was_spent_stays(self, ledger, desk):
        consent = desk.consent()
        await desk.given(ledger, consent, desk.code())
        await ledger.spend_code(desk.code().digest, desk.holder, desk.callback, desk.pair, desk.now)
        assert await ledger.end_overdue(desk.now + 30 * self.DAY_S) == 0

    async def test_a_consent_by_signature_has_no_code_and_stays(self, ledger, desk):
        await desk.issued(ledger)
        assert await ledger.end_overdue(desk.now + 30 * self.DAY_S) == 0

    async def test_it_counts_as_given_and_never_as_withdrawn(self, ledger, desk):
        await desk.given(ledger, desk.consent(), desk.code())  # on 15 January, 17:00 in Korea
        await ledger.end_overdue(desk.now + self.EXPIRES_S + self.DAY_S)
        counts = await ledger.statistics.consent_counts(["20270115", "20270116", "20270117"])
        assert [(each.stat_date, *each[4:]) for each in counts] == [("20270115", 1, 0, 1)]
