"""A consent ends after its last day in Korea, or a day after its unused code expired."""

from datetime import date

from relay.domain.authorization.consent import ConsentState
from relay.domain.authorization.issued_tokens import TokenState
from relay.domain.ledger import Reason

AGAIN_S = 30
LIVE = (TokenState.LIVE, ConsentState.ACTIVE)


class TestOverdue:
    async def test_the_last_day_ends_in_korea(self, ledger, factory, denial_reason, token_states):
        _, pair = await factory.issue(ledger, factory.build_consent(end=date(2027, 1, 15)))
        midnight = 1_800_025_200
        assert await ledger.end_expired_consents(midnight - 1) == 0
        assert await ledger.end_expired_consents(midnight) == 1
        assert await ledger.end_expired_consents(midnight) == 0
        assert await token_states(pair.access) == [(TokenState.LIVE, ConsentState.ENDED)]
        assert await ledger.get_revocation_head() == 0
        refresh = ledger.refresh(pair.refresh.jti, factory.holder, factory.refresh_at(midnight), AGAIN_S, midnight)
        assert await denial_reason(refresh) is Reason.CONSENT_ENDED
        assert not await ledger.withdraw(pair.access.jti, factory.holder, factory.now)

    async def test_many_consents_end_in_several_transactions(self, ledger, factory, monkeypatch, token_states):
        monkeypatch.setattr("relay.infra.ledger.consents.overdue.BATCH", 3)
        for number in range(7):
            await factory.issue(ledger, factory.build_consent(ci=f"ci-{number}", end=date(2027, 1, 14)))
        kept, pair = await factory.issue(ledger)
        assert await ledger.end_expired_consents(factory.now) == 7
        assert await token_states(pair.access) == [LIVE]
        assert await ledger.find_consent(kept.ci, kept.client_id, kept.provider) == kept

    async def test_a_consent_without_tokens_ends(self, ledger, factory):
        await factory.give_consent(ledger, factory.build_consent(end=date(2027, 1, 14)), factory.build_code())
        assert await ledger.end_expired_consents(factory.now) == 1


class TestUnspent:
    EXPIRES_S, DAY_S = 600, 86_400

    async def test_a_consent_whose_code_was_never_spent_ends_a_day_later(
        self, ledger, factory, denial_reason, url, sql
    ):
        consent = factory.build_consent()
        await factory.give_consent(ledger, consent, factory.build_code(lasts=self.EXPIRES_S))
        ends = factory.now + self.EXPIRES_S + self.DAY_S
        assert await ledger.end_expired_consents(ends - 1) == 0
        assert await ledger.end_expired_consents(ends) == 1
        assert await ledger.end_expired_consents(ends) == 0
        assert await ledger.find_consent(consent.ci, consent.client_id, consent.provider) is None
        assert sql(url, "SELECT state, ended_at FROM consents") == [f"ended|{ends}"]
        assert sql(url, "SELECT why FROM history WHERE became = 'ended'") == ["its code was never spent"]
        spend = ledger.spend_code(
            factory.build_code().digest, factory.holder, factory.callback, factory.build_pair, ends
        )
        assert await denial_reason(spend) is Reason.CODE_EXPIRED

    async def test_a_consent_whose_code_was_spent_stays(self, ledger, factory):
        consent = factory.build_consent()
        await factory.give_consent(ledger, consent, factory.build_code())
        await ledger.spend_code(
            factory.build_code().digest, factory.holder, factory.callback, factory.build_pair, factory.now
        )
        assert await ledger.end_expired_consents(factory.now + 30 * self.DAY_S) == 0

    async def test_a_consent_by_signature_has_no_code_and_stays(self, ledger, factory):
        await factory.issue(ledger)
        assert await ledger.end_expired_consents(factory.now + 30 * self.DAY_S) == 0

    async def test_an_unspent_consent_counts_as_given_not_as_withdrawn(self, ledger, factory):
        await factory.give_consent(
            ledger, factory.build_consent(), factory.build_code()
        )  # on 15 January, 17:00 in Korea
        await ledger.end_expired_consents(factory.now + self.EXPIRES_S + self.DAY_S)
        counts = await ledger.statistics.consent_counts(["20270115", "20270116", "20270117"])
        assert [(count.stat_date, *count[4:]) for count in counts] == [("20270115", 1, 0, 1)]
