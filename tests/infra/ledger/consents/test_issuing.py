"""Tokens come for a code once, for a refresh token again and again, and end with their consent."""

import asyncio
from datetime import date

import pytest

from relay.domain.authorization.consent import ConsentState
from relay.domain.authorization.issued_tokens import Pair, TokenKind, TokenState
from relay.domain.ledger import Holder, NotGranted, Why

AGAIN_S = 30
SERVICE = Holder("svc1", "ZBAA000001")
ANOTHER_SERVICE = Holder("svc2", "ZBAA000001")
ANOTHER_PROVIDER = Holder("svc1", "ZCDA000001")
OTHERS = [ANOTHER_SERVICE, ANOTHER_PROVIDER]
LIVE = (TokenState.LIVE, ConsentState.ACTIVE)
WITHDRAWN = (TokenState.REVOKED, ConsentState.REVOKED)


class TestCodes:
    async def spend(self, ledger, desk, code, holder=None, callback=None, now=None):
        now = desk.now if now is None else now
        return await ledger.spend_code(
            code.digest, holder or desk.holder, callback or desk.callback, lambda consent: desk.pair(consent, now), now
        )

    async def test_a_code_gives_a_pair(self, ledger, desk):
        given = desk.consent()
        await desk.given(ledger, given, desk.code())
        consent, pair = await self.spend(ledger, desk, desk.code())
        assert consent == given
        assert await ledger.consent_behind(pair.access.jti) == (pair.access, given)
        assert await ledger.consent_behind(pair.refresh.jti) is None

    @pytest.mark.parametrize(
        ("wrong", "why"),
        [
            ({"holder": ANOTHER_SERVICE}, Why.CODE_OF_ANOTHER),
            ({"holder": ANOTHER_PROVIDER}, Why.CODE_OF_ANOTHER),
            ({"callback": "https://two.example/cb"}, Why.REDIRECT_URI_DIFFERS),
            ({"callback": "https://one.example/cb/"}, Why.REDIRECT_URI_DIFFERS),
            ({"now": 1_800_000_600}, Why.CODE_EXPIRED),
        ],
    )
    async def test_a_code_that_does_not_fit_gives_nothing_and_stays(self, ledger, desk, wrong, why, refused, standing):
        await desk.given(ledger, desk.consent(), desk.code())
        assert await refused(self.spend(ledger, desk, desk.code(), **wrong)) is why
        _, pair = await self.spend(ledger, desk, desk.code(), now=1_800_000_599)
        assert await standing(pair.access) == [LIVE]

    async def test_an_unknown_code_gives_nothing(self, ledger, desk, refused):
        assert await refused(self.spend(ledger, desk, desk.code("never made"))) is Why.CODE_UNKNOWN

    async def test_a_code_used_twice_takes_back_what_it_gave(self, ledger, desk, refused, standing):
        consent = desk.consent()
        await desk.given(ledger, consent, desk.code())
        _, pair = await self.spend(ledger, desk, desk.code())
        assert await refused(self.spend(ledger, desk, desk.code())) is Why.CODE_SPENT
        assert await standing(pair.access) == [WITHDRAWN]
        assert await ledger.consent_of(consent.ci, consent.client_id, consent.provider) is None
        assert await ledger.revoked_after(0) == (1, [pair.access.jti])

    async def test_also_what_was_refreshed_since_and_long_after(self, ledger, desk, refused, standing):
        await desk.given(ledger, desk.consent(), desk.code())
        _, pair = await self.spend(ledger, desk, desk.code())
        later = desk.now + 7000
        _, access = await ledger.refresh(pair.refresh.jti, desk.holder, desk.renewed(later), AGAIN_S, later)
        assert await refused(self.spend(ledger, desk, desk.code(), now=later)) is Why.CODE_SPENT
        assert await standing(pair.access, access) == [WITHDRAWN, WITHDRAWN]

    async def test_a_strangers_second_use_takes_nothing_back(self, ledger, desk, refused, standing):
        await desk.given(ledger, desk.consent(), desk.code())
        _, pair = await self.spend(ledger, desk, desk.code())
        assert await refused(self.spend(ledger, desk, desk.code(), holder=ANOTHER_SERVICE)) is Why.CODE_OF_ANOTHER
        assert await standing(pair.access) == [LIVE]

    async def test_a_spent_code_leaves_the_consent_that_came_after_alone(self, ledger, desk, refused, standing):
        await desk.given(ledger, desk.consent(), desk.code())
        await self.spend(ledger, desk, desk.code())
        _, newer = await desk.issued(ledger)
        assert await refused(self.spend(ledger, desk, desk.code())) is Why.CODE_SPENT
        assert await standing(newer.access) == [LIVE]

    async def test_a_code_of_a_consent_that_is_over_gives_nothing(self, ledger, desk, refused):
        await desk.given(ledger, desk.consent(), desk.code())
        await desk.issued(ledger)
        assert await refused(self.spend(ledger, desk, desk.code())) is Why.CONSENT_ENDED

    async def test_a_code_after_the_last_day_gives_nothing(self, ledger, desk, refused):
        await desk.given(ledger, desk.consent(end=date(2027, 1, 14)), desk.code())
        assert await refused(self.spend(ledger, desk, desk.code())) is Why.CONSENT_ENDED

    async def test_of_fifty_that_spend_one_code_one_wins_and_loses_all(self, ledger, desk, url, sql, standing):
        await desk.given(ledger, desk.consent(), desk.code())
        answers = await asyncio.gather(
            *[self.spend(ledger, desk, desk.code()) for _ in range(50)], return_exceptions=True
        )
        won = [answer for answer in answers if not isinstance(answer, Exception)]
        assert len(won) == 1
        assert {answer.why for answer in answers if isinstance(answer, NotGranted)} == {Why.CODE_SPENT}
        assert await standing(won[0][1].access) == [WITHDRAWN]
        assert sql(url, "SELECT count(*) FROM tokens") == ["2"]
        assert sql(url, "SELECT count(*) FROM tokens WHERE state = 'live'") == ["0"]

    async def test_what_issuing_breaks_is_undone(self, ledger, desk, standing):
        await desk.given(ledger, desk.consent(), desk.code())

        def broken(_):
            raise RuntimeError("no key")

        with pytest.raises(RuntimeError):
            await ledger.spend_code(desk.code().digest, desk.holder, desk.callback, broken, desk.now)
        _, pair = await self.spend(ledger, desk, desk.code())
        assert await standing(pair.access) == [LIVE]


class TestRefreshing:
    async def refresh(self, ledger, desk, pair, now, holder=None):
        return await ledger.refresh(pair.refresh.jti, holder or desk.holder, desk.renewed(now), AGAIN_S, now)

    async def test_a_new_access_token_takes_the_former_ones_place(self, ledger, desk, standing):
        given, pair = await desk.issued(ledger)
        consent, access = await self.refresh(ledger, desk, pair, desk.now + 100)
        assert consent == given
        assert access.refreshed
        assert await ledger.consent_behind(access.jti) == (access, given)
        assert await standing(pair.access, access) == [(TokenState.REVOKED, ConsentState.ACTIVE), LIVE]
        assert await ledger.revoked_after(0) == (1, [pair.access.jti])

    async def test_right_after_the_issue_it_is_a_new_one_too(self, ledger, desk):
        _, pair = await desk.issued(ledger)
        _, access = await self.refresh(ledger, desk, pair, desk.now)
        assert access.jti != pair.access.jti

    @pytest.mark.parametrize(("seconds", "same"), [(0, True), (30, True), (31, False)])
    async def test_again_within_half_a_minute_it_is_the_same_one(self, ledger, desk, seconds, same):
        _, pair = await desk.issued(ledger)
        _, first = await self.refresh(ledger, desk, pair, desk.now + 100)
        _, second = await self.refresh(ledger, desk, pair, desk.now + 100 + seconds)
        assert (second == first) is same
        assert await ledger.revocation_head() == (1 if same else 2)

    async def test_one_that_expired_is_not_given_again(self, ledger, desk):
        _, pair = await desk.issued(ledger)

        def short(consent, _):
            return desk.token(TokenKind.ACCESS, consent, desk.now, lasts=10)

        _, first = await ledger.refresh(pair.refresh.jti, desk.holder, short, AGAIN_S, desk.now)
        _, second = await self.refresh(ledger, desk, pair, desk.now + 10)
        assert second.jti != first.jti

    async def test_of_fifty_refreshes_all_get_one_token(self, ledger, desk, url, sql):
        _, pair = await desk.issued(ledger)
        answers = await asyncio.gather(*[self.refresh(ledger, desk, pair, desk.now + 100) for _ in range(50)])
        assert len({access.jti for _, access in answers}) == 1
        assert sql(url, "SELECT kind, state, count(*) FROM tokens GROUP BY kind, state ORDER BY kind, state") == [
            "access|live|1",
            "access|revoked|1",
            "refresh|live|1",
        ]

    @pytest.mark.parametrize("holder", OTHERS)
    async def test_anothers_refresh_token_gives_nothing(self, ledger, desk, holder, refused, standing):
        _, pair = await desk.issued(ledger)
        assert await refused(self.refresh(ledger, desk, pair, desk.now, holder)) is Why.REFRESH_OF_ANOTHER
        assert await standing(pair.access) == [LIVE]

    async def test_what_is_no_refresh_token_gives_nothing(self, ledger, desk, refused):
        _, pair = await desk.issued(ledger)
        swapped = Pair(pair.refresh, pair.access)
        assert await refused(self.refresh(ledger, desk, swapped, desk.now)) is Why.REFRESH_UNKNOWN
        unknown = desk.pair(desk.consent())
        assert await refused(self.refresh(ledger, desk, unknown, desk.now)) is Why.REFRESH_UNKNOWN

    async def test_an_expired_refresh_token_gives_nothing(self, ledger, desk, refused):
        _, pair = await desk.issued(ledger)
        assert await refused(self.refresh(ledger, desk, pair, pair.refresh.expires_at)) is Why.REFRESH_EXPIRED

    async def test_after_the_last_day_nothing_is_given(self, ledger, desk, refused, standing):
        _, pair = await desk.issued(ledger, desk.consent(end=date(2027, 1, 15)))
        midnight = 1_800_025_200  # 16 January 2027, 00:00 in Korea
        _, access = await self.refresh(ledger, desk, pair, midnight - 1)
        assert await refused(self.refresh(ledger, desk, pair, midnight)) is Why.CONSENT_ENDED
        assert await standing(access) == [LIVE]


class TestIssuedAgain:
    """What a form that comes again is given: the pair of before, or nothing."""

    async def issued(self, ledger, desk):
        consent = desk.consent()
        pair = desk.pair(consent)
        await ledger.issue_integrated(consent, pair, [("tx_id", "t"), ("nonce", "n")], [], desk.now, b"form")
        return consent, pair

    async def test_the_same_form_finds_its_pair_for_a_while(self, ledger, desk):
        given = await self.issued(ledger, desk)
        assert await ledger.issued_for("t", b"form", desk.holder, 600, desk.now + 600) == given
        assert await ledger.issued_for("t", b"form", desk.holder, 600, desk.now + 601) is None

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
    async def test_nothing_else_finds_it(self, ledger, desk, tx_id, form, holder):
        await self.issued(ledger, desk)
        assert await ledger.issued_for(tx_id, form, holder, 600, desk.now) is None

    async def test_a_pair_that_was_refreshed_or_withdrawn_is_not_given_again(self, ledger, desk):
        _, pair = await self.issued(ledger, desk)
        await ledger.refresh(pair.refresh.jti, desk.holder, desk.renewed(desk.now), AGAIN_S, desk.now)
        assert await ledger.issued_for("t", b"form", desk.holder, 600, desk.now) is None
        await ledger.withdraw(pair.access.jti, desk.holder, desk.now)
        assert await ledger.issued_for("t", b"form", desk.holder, 600, desk.now) is None


class TestWithdrawing:
    async def test_it_ends_the_consent_and_all_its_tokens(self, ledger, desk, refused, standing):
        consent, pair = await desk.issued(ledger)
        assert await ledger.withdraw(pair.access.jti, desk.holder, desk.now)
        assert await standing(pair.access) == [WITHDRAWN]
        refresh = ledger.refresh(pair.refresh.jti, desk.holder, desk.renewed(desk.now), AGAIN_S, desk.now)
        assert await refused(refresh) is Why.REFRESH_REVOKED
        assert await ledger.revoked_after(0) == (1, [pair.access.jti])
        assert await ledger.consent_of(consent.ci, consent.client_id, consent.provider) is None

    async def test_only_once(self, ledger, desk):
        _, pair = await desk.issued(ledger)
        calls = [ledger.withdraw(pair.access.jti, desk.holder, desk.now) for _ in range(20)]
        assert sorted(await asyncio.gather(*calls)) == [False] * 19 + [True]
        assert await ledger.revocation_head() == 1

    @pytest.mark.parametrize("holder", OTHERS)
    async def test_not_by_another(self, ledger, desk, holder, standing):
        _, pair = await desk.issued(ledger)
        assert not await ledger.withdraw(pair.access.jti, holder, desk.now)
        assert await standing(pair.access) == [LIVE]

    @pytest.mark.parametrize("token", ["former access", "refresh", "expired access"])
    async def test_by_any_token_of_the_consent(self, ledger, desk, standing, token):
        _, pair = await desk.issued(ledger)
        _, access = await ledger.refresh(pair.refresh.jti, desk.holder, desk.renewed(desk.now), AGAIN_S, desk.now)
        jti, now = {
            "former access": (pair.access.jti, desk.now),
            "refresh": (pair.refresh.jti, pair.refresh.expires_at),
            "expired access": (access.jti, access.expires_at),
        }[token]
        assert await ledger.withdraw(jti, desk.holder, now)
        assert await standing(access) == [WITHDRAWN]
        assert await ledger.revoked_after(1) == (2, [access.jti])

    async def test_not_by_a_token_that_was_never_issued(self, ledger, desk, standing):
        _, pair = await desk.issued(ledger)
        assert not await ledger.withdraw("unknown", desk.holder, desk.now)
        assert await standing(pair.access) == [LIVE]

    async def test_not_after_the_last_day_though_no_sweep_came_yet(self, ledger, desk):
        _, pair = await desk.issued(ledger, desk.consent(end=date(2027, 1, 15)))
        midnight = 1_800_025_200  # 16 January 2027, 00:00 in Korea
        assert not await ledger.withdraw(pair.access.jti, desk.holder, midnight)
        assert await ledger.withdraw(pair.access.jti, desk.holder, midnight - 1)
