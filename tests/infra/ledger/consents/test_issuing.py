"""A code issues tokens once, a refresh token repeatedly; tokens end with their consent."""

import asyncio
from datetime import date

import pytest

from relay.domain.authorization.consent import ConsentState
from relay.domain.authorization.issued_tokens import TokenKind, TokenPair, TokenState
from relay.domain.ledger import LedgerRefused, Reason, TokenHolder

AGAIN_S = 30
SERVICE = TokenHolder("svc1", "ZBAA000001")
ANOTHER_SERVICE = TokenHolder("svc2", "ZBAA000001")
ANOTHER_PROVIDER = TokenHolder("svc1", "ZCDA000001")
OTHERS = [ANOTHER_SERVICE, ANOTHER_PROVIDER]
LIVE = (TokenState.LIVE, ConsentState.ACTIVE)
WITHDRAWN = (TokenState.REVOKED, ConsentState.REVOKED)


class TestCodes:
    async def spend(self, ledger, factory, code, holder=None, callback=None, now=None):
        now = factory.now if now is None else now
        return await ledger.spend_code(
            code.digest,
            holder or factory.holder,
            callback or factory.callback,
            lambda consent: factory.build_pair(consent, now),
            now,
        )

    async def test_a_code_gives_a_pair(self, ledger, factory):
        given = factory.build_consent()
        await factory.give_consent(ledger, given, factory.build_code())
        consent, pair = await self.spend(ledger, factory, factory.build_code())
        assert consent == given
        assert await ledger.find_token_and_consent(pair.access.jti) == (pair.access, given)
        assert await ledger.find_token_and_consent(pair.refresh.jti) is None

    @pytest.mark.parametrize(
        ("wrong", "why"),
        [
            ({"holder": ANOTHER_SERVICE}, Reason.CODE_OF_ANOTHER),
            ({"holder": ANOTHER_PROVIDER}, Reason.CODE_OF_ANOTHER),
            ({"callback": "https://two.example/cb"}, Reason.REDIRECT_URI_DIFFERS),
            ({"callback": "https://one.example/cb/"}, Reason.REDIRECT_URI_DIFFERS),
            ({"now": 1_800_000_600}, Reason.CODE_EXPIRED),
        ],
    )
    async def test_a_code_used_wrongly_is_denied_and_stays_valid(
        self, ledger, factory, wrong, why, denial_reason, token_states
    ):
        await factory.give_consent(ledger, factory.build_consent(), factory.build_code())
        assert await denial_reason(self.spend(ledger, factory, factory.build_code(), **wrong)) is why
        _, pair = await self.spend(ledger, factory, factory.build_code(), now=1_800_000_599)
        assert await token_states(pair.access) == [LIVE]

    async def test_an_unknown_code_is_denied(self, ledger, factory, denial_reason):
        assert await denial_reason(self.spend(ledger, factory, factory.build_code("never made"))) is Reason.CODE_UNKNOWN

    async def test_a_code_used_twice_revokes_its_tokens(self, ledger, factory, denial_reason, token_states):
        consent = factory.build_consent()
        await factory.give_consent(ledger, consent, factory.build_code())
        _, pair = await self.spend(ledger, factory, factory.build_code())
        assert await denial_reason(self.spend(ledger, factory, factory.build_code())) is Reason.CODE_SPENT
        assert await token_states(pair.access) == [WITHDRAWN]
        assert await ledger.find_consent(consent.ci, consent.client_id, consent.provider) is None
        assert await ledger.list_revoked_after(0) == (1, [pair.access.jti])

    async def test_a_code_used_twice_revokes_refreshed_tokens_too(self, ledger, factory, denial_reason, token_states):
        await factory.give_consent(ledger, factory.build_consent(), factory.build_code())
        _, pair = await self.spend(ledger, factory, factory.build_code())
        later = factory.now + 7000
        _, access = await ledger.refresh(pair.refresh.jti, factory.holder, factory.refresh_at(later), AGAIN_S, later)
        assert await denial_reason(self.spend(ledger, factory, factory.build_code(), now=later)) is Reason.CODE_SPENT
        assert await token_states(pair.access, access) == [WITHDRAWN, WITHDRAWN]

    async def test_a_second_use_by_another_service_revokes_nothing(self, ledger, factory, denial_reason, token_states):
        await factory.give_consent(ledger, factory.build_consent(), factory.build_code())
        _, pair = await self.spend(ledger, factory, factory.build_code())
        assert (
            await denial_reason(self.spend(ledger, factory, factory.build_code(), holder=ANOTHER_SERVICE))
            is Reason.CODE_OF_ANOTHER
        )
        assert await token_states(pair.access) == [LIVE]

    async def test_a_spent_code_does_not_revoke_a_later_consent(self, ledger, factory, denial_reason, token_states):
        await factory.give_consent(ledger, factory.build_consent(), factory.build_code())
        await self.spend(ledger, factory, factory.build_code())
        _, newer = await factory.issue(ledger)
        assert await denial_reason(self.spend(ledger, factory, factory.build_code())) is Reason.CODE_SPENT
        assert await token_states(newer.access) == [LIVE]

    async def test_a_code_of_an_ended_consent_is_denied(self, ledger, factory, denial_reason):
        await factory.give_consent(ledger, factory.build_consent(), factory.build_code())
        await factory.issue(ledger)
        assert await denial_reason(self.spend(ledger, factory, factory.build_code())) is Reason.CONSENT_ENDED

    async def test_a_code_after_the_last_day_is_denied(self, ledger, factory, denial_reason):
        await factory.give_consent(ledger, factory.build_consent(end=date(2027, 1, 14)), factory.build_code())
        assert await denial_reason(self.spend(ledger, factory, factory.build_code())) is Reason.CONSENT_ENDED

    async def test_fifty_concurrent_uses_of_a_code_end_with_revocation(self, ledger, factory, url, sql, token_states):
        await factory.give_consent(ledger, factory.build_consent(), factory.build_code())
        answers = await asyncio.gather(
            *[self.spend(ledger, factory, factory.build_code()) for _ in range(50)], return_exceptions=True
        )
        won = [answer for answer in answers if not isinstance(answer, Exception)]
        assert len(won) == 1
        assert {answer.reason for answer in answers if isinstance(answer, LedgerRefused)} == {Reason.CODE_SPENT}
        assert await token_states(won[0][1].access) == [WITHDRAWN]
        assert sql(url, "SELECT count(*) FROM tokens") == ["2"]
        assert sql(url, "SELECT count(*) FROM tokens WHERE state = 'live'") == ["0"]

    async def test_a_failure_while_issuing_rolls_back(self, ledger, factory, token_states):
        await factory.give_consent(ledger, factory.build_consent(), factory.build_code())

        def broken(_):
            raise RuntimeError("no key")

        with pytest.raises(RuntimeError):
            await ledger.spend_code(factory.build_code().digest, factory.holder, factory.callback, broken, factory.now)
        _, pair = await self.spend(ledger, factory, factory.build_code())
        assert await token_states(pair.access) == [LIVE]


class TestRefreshing:
    async def refresh(self, ledger, factory, pair, now, holder=None):
        return await ledger.refresh(pair.refresh.jti, holder or factory.holder, factory.refresh_at(now), AGAIN_S, now)

    async def test_a_new_access_token_replaces_the_former_one(self, ledger, factory, token_states):
        given, pair = await factory.issue(ledger)
        consent, access = await self.refresh(ledger, factory, pair, factory.now + 100)
        assert consent == given
        assert access.refreshed
        assert await ledger.find_token_and_consent(access.jti) == (access, given)
        assert await token_states(pair.access, access) == [(TokenState.REVOKED, ConsentState.ACTIVE), LIVE]
        assert await ledger.list_revoked_after(0) == (1, [pair.access.jti])

    async def test_a_refresh_right_after_the_issue_gives_a_new_token(self, ledger, factory):
        _, pair = await factory.issue(ledger)
        _, access = await self.refresh(ledger, factory, pair, factory.now)
        assert access.jti != pair.access.jti

    @pytest.mark.parametrize(("seconds", "same"), [(0, True), (30, True), (31, False)])
    async def test_a_repeated_refresh_within_30_s_gives_the_same_token(self, ledger, factory, seconds, same):
        _, pair = await factory.issue(ledger)
        _, first = await self.refresh(ledger, factory, pair, factory.now + 100)
        _, second = await self.refresh(ledger, factory, pair, factory.now + 100 + seconds)
        assert (second == first) is same
        assert await ledger.get_revocation_head() == (1 if same else 2)

    async def test_an_expired_access_token_is_not_repeated(self, ledger, factory):
        _, pair = await factory.issue(ledger)

        def short(consent, _):
            return factory.build_token(TokenKind.ACCESS, consent, factory.now, lasts=10)

        _, first = await ledger.refresh(pair.refresh.jti, factory.holder, short, AGAIN_S, factory.now)
        _, second = await self.refresh(ledger, factory, pair, factory.now + 10)
        assert second.jti != first.jti

    async def test_fifty_concurrent_refreshes_get_the_same_token(self, ledger, factory, url, sql):
        _, pair = await factory.issue(ledger)
        answers = await asyncio.gather(*[self.refresh(ledger, factory, pair, factory.now + 100) for _ in range(50)])
        assert len({access.jti for _, access in answers}) == 1
        assert sql(url, "SELECT kind, state, count(*) FROM tokens GROUP BY kind, state ORDER BY kind, state") == [
            "access|live|1",
            "access|revoked|1",
            "refresh|live|1",
        ]

    @pytest.mark.parametrize("holder", OTHERS)
    async def test_a_refresh_token_of_another_holder_is_denied(
        self, ledger, factory, holder, denial_reason, token_states
    ):
        _, pair = await factory.issue(ledger)
        assert (
            await denial_reason(self.refresh(ledger, factory, pair, factory.now, holder)) is Reason.REFRESH_OF_ANOTHER
        )
        assert await token_states(pair.access) == [LIVE]

    async def test_a_token_that_is_not_a_refresh_token_is_denied(self, ledger, factory, denial_reason):
        _, pair = await factory.issue(ledger)
        swapped = TokenPair(pair.refresh, pair.access)
        assert await denial_reason(self.refresh(ledger, factory, swapped, factory.now)) is Reason.REFRESH_UNKNOWN
        unknown = factory.build_pair(factory.build_consent())
        assert await denial_reason(self.refresh(ledger, factory, unknown, factory.now)) is Reason.REFRESH_UNKNOWN

    async def test_an_expired_refresh_token_is_denied(self, ledger, factory, denial_reason):
        _, pair = await factory.issue(ledger)
        assert (
            await denial_reason(self.refresh(ledger, factory, pair, pair.refresh.expires_at)) is Reason.REFRESH_EXPIRED
        )

    async def test_a_refresh_after_the_last_day_is_denied(self, ledger, factory, denial_reason, token_states):
        _, pair = await factory.issue(ledger, factory.build_consent(end=date(2027, 1, 15)))
        midnight = 1_800_025_200  # 16 January 2027, 00:00 in Korea
        _, access = await self.refresh(ledger, factory, pair, midnight - 1)
        assert await denial_reason(self.refresh(ledger, factory, pair, midnight)) is Reason.CONSENT_ENDED
        assert await token_states(access) == [LIVE]


class TestIssuedAgain:
    """A repeated form gets the former pair, or nothing."""

    async def issue(self, ledger, factory):
        consent = factory.build_consent()
        pair = factory.build_pair(consent)
        await ledger.issue_integrated(consent, pair, [("tx_id", "t"), ("nonce", "n")], [], factory.now, b"form")
        return consent, pair

    async def test_the_same_form_finds_its_pair_for_ten_minutes(self, ledger, factory):
        given = await self.issue(ledger, factory)
        assert await ledger.find_issued("t", b"form", factory.holder, 600, factory.now + 600) == given
        assert await ledger.find_issued("t", b"form", factory.holder, 600, factory.now + 601) is None

    @pytest.mark.parametrize(
        ("tx_id", "form", "holder"),
        [
            ("t", b"other", SERVICE),
            ("u", b"form", SERVICE),
            ("n", b"form", SERVICE),
            ("t", b"form", ANOTHER_SERVICE),
            ("t", b"form", ANOTHER_PROVIDER),
        ],
    )
    async def test_another_form_or_holder_finds_no_pair(self, ledger, factory, tx_id, form, holder):
        await self.issue(ledger, factory)
        assert await ledger.find_issued(tx_id, form, holder, 600, factory.now) is None

    async def test_a_refreshed_or_withdrawn_pair_is_not_repeated(self, ledger, factory):
        _, pair = await self.issue(ledger, factory)
        await ledger.refresh(pair.refresh.jti, factory.holder, factory.refresh_at(factory.now), AGAIN_S, factory.now)
        assert await ledger.find_issued("t", b"form", factory.holder, 600, factory.now) is None
        await ledger.withdraw(pair.access.jti, factory.holder, factory.now)
        assert await ledger.find_issued("t", b"form", factory.holder, 600, factory.now) is None


class TestWithdrawing:
    async def test_withdrawing_revokes_the_consent_and_all_its_tokens(
        self, ledger, factory, denial_reason, token_states
    ):
        consent, pair = await factory.issue(ledger)
        assert await ledger.withdraw(pair.access.jti, factory.holder, factory.now)
        assert await token_states(pair.access) == [WITHDRAWN]
        refresh = ledger.refresh(
            pair.refresh.jti, factory.holder, factory.refresh_at(factory.now), AGAIN_S, factory.now
        )
        assert await denial_reason(refresh) is Reason.REFRESH_REVOKED
        assert await ledger.list_revoked_after(0) == (1, [pair.access.jti])
        assert await ledger.find_consent(consent.ci, consent.client_id, consent.provider) is None

    async def test_a_consent_is_withdrawn_only_once(self, ledger, factory):
        _, pair = await factory.issue(ledger)
        calls = [ledger.withdraw(pair.access.jti, factory.holder, factory.now) for _ in range(20)]
        assert sorted(await asyncio.gather(*calls)) == [False] * 19 + [True]
        assert await ledger.get_revocation_head() == 1

    @pytest.mark.parametrize("holder", OTHERS)
    async def test_another_holder_cannot_withdraw(self, ledger, factory, holder, token_states):
        _, pair = await factory.issue(ledger)
        assert not await ledger.withdraw(pair.access.jti, holder, factory.now)
        assert await token_states(pair.access) == [LIVE]

    @pytest.mark.parametrize("token", ["former access", "refresh", "expired access"])
    async def test_any_token_of_the_consent_withdraws_it(self, ledger, factory, token_states, token):
        _, pair = await factory.issue(ledger)
        _, access = await ledger.refresh(
            pair.refresh.jti, factory.holder, factory.refresh_at(factory.now), AGAIN_S, factory.now
        )
        jti, now = {
            "former access": (pair.access.jti, factory.now),
            "refresh": (pair.refresh.jti, pair.refresh.expires_at),
            "expired access": (access.jti, access.expires_at),
        }[token]
        assert await ledger.withdraw(jti, factory.holder, now)
        assert await token_states(access) == [WITHDRAWN]
        assert await ledger.list_revoked_after(1) == (2, [access.jti])

    async def test_an_unknown_token_withdraws_nothing(self, ledger, factory, token_states):
        _, pair = await factory.issue(ledger)
        assert not await ledger.withdraw("unknown", factory.holder, factory.now)
        assert await token_states(pair.access) == [LIVE]

    async def test_an_overdue_consent_cannot_be_withdrawn(self, ledger, factory):
        _, pair = await factory.issue(ledger, factory.build_consent(end=date(2027, 1, 15)))
        midnight = 1_800_025_200  # 16 January 2027, 00:00 in Korea
        assert not await ledger.withdraw(pair.access.jti, factory.holder, midnight)
        assert await ledger.withdraw(pair.access.jti, factory.holder, midnight - 1)
