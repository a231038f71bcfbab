"""A consent ends with its last day in Korea."""

from datetime import date

from relay.domain.consent import ConsentState
from relay.domain.issue import TokenState
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
        monkeypatch.setattr("relay.infra.ledger.overdue.BATCH", 3)
        for number in range(7):
            await desk.issued(ledger, desk.consent(ci=f"ci-{number}", end=date(2027, 1, 14)))
        kept, pair = await desk.issued(ledger)
        assert await ledger.end_overdue(desk.now) == 7
        assert await standing(pair.access) == [LIVE]
        assert await ledger.consent_of(kept.ci, kept.client_id, kept.provider) == kept

    async def test_a_consent_without_tokens_ends_too(self, ledger, desk):
        await desk.given(ledger, desk.consent(end=date(2027, 1, 14)), desk.code())
        assert await ledger.end_overdue(desk.now) == 1
