"""A consent is kept as it was given, for whom it was given, and one holds at a time."""

import asyncio
from dataclasses import replace

import pytest

from relay.domain.authorization.consent import ConsentState, Target
from relay.domain.authorization.issued_tokens import TokenState
from relay.domain.authorization.request import RequestState
from relay.domain.ledger import Why
from relay.domain.transition import Forbidden

AGAIN_S = 30
REPLACED = (TokenState.REVOKED, ConsentState.REPLACED)


class TestGivingConsent:
    async def test_it_is_kept_as_it_was_given(self, ledger, desk):
        consent = desk.consent()
        await desk.given(ledger, consent, desk.code())
        assert await ledger.consent_of(consent.ci, consent.client_id, consent.provider) == consent

    @pytest.mark.parametrize("other", [("ci-two", "svc1", "ZBAA000001"), ("ci-one", "svc2", "ZBAA000001")])
    async def test_nobody_else_finds_it(self, ledger, desk, other):
        await desk.given(ledger, desk.consent(), desk.code())
        assert await ledger.consent_of(*other) is None

    async def test_a_second_submit_changes_nothing(self, ledger, desk, refused):
        consent = desk.consent()
        request = await desk.given(ledger, consent, desk.code())
        again = ledger.give_consent(request.request_id, desk.consent(), desk.code("another"), desk.now)
        assert await refused(again) is Why.REQUEST_ANSWERED
        assert await ledger.consent_of(consent.ci, consent.client_id, consent.provider) == consent

    async def test_of_fifty_submits_one_is_taken(self, ledger, desk):
        request = desk.request(desk.consent())
        await ledger.open_request(request)
        await ledger.answer_request(request.request_id, RequestState.AUTHENTICATED, "logged in", desk.now)
        submits = [
            ledger.give_consent(request.request_id, desk.consent(), desk.code(f"{number}"), desk.now)
            for number in range(50)
        ]
        answers = await asyncio.gather(*submits, return_exceptions=True)
        assert answers.count(None) == 1
        assert {answer.why for answer in answers if answer} == {Why.REQUEST_ANSWERED}

    async def test_nobody_consents_who_did_not_log_in(self, ledger, desk):
        consent = desk.consent()
        request = desk.request(consent)
        await ledger.open_request(request)
        with pytest.raises(Forbidden):
            await ledger.give_consent(request.request_id, consent, desk.code(), desk.now)
        assert await ledger.consent_of(consent.ci, consent.client_id, consent.provider) is None

    @pytest.mark.parametrize(
        "other", [{"ci": "ci-two"}, {"provider": "ZCDA000001"}, {"client_id": "svc2"}, {"operator": "ZOPB000001"}]
    )
    async def test_nobody_consents_for_another(self, ledger, desk, other):
        consent = desk.consent()
        request = desk.request(consent)
        await ledger.open_request(request)
        await ledger.answer_request(request.request_id, RequestState.AUTHENTICATED, "logged in", desk.now)
        with pytest.raises(ValueError, match="that its request names"):
            await ledger.give_consent(request.request_id, replace(consent, **other), desk.code(), desk.now)
        assert (await ledger.request(request.request_id, None, desk.now)).state is RequestState.AUTHENTICATED

    async def test_a_new_consent_takes_the_old_ones_place_at_once(self, ledger, desk, refused, standing):
        _, pair = await desk.issued(ledger)
        newer = desk.consent()
        await desk.given(ledger, newer, desk.code())
        assert await standing(pair.access) == [REPLACED]
        assert (await ledger.revoked_after(0))[1] == [pair.access.jti]
        refresh = ledger.refresh(pair.refresh.jti, desk.holder, desk.renewed(desk.now), AGAIN_S, desk.now)
        assert await refused(refresh) is Why.REFRESH_REVOKED
        assert await ledger.consent_of(newer.ci, newer.client_id, newer.provider) == newer

    async def test_parallel_first_consents_leave_one_in_force(self, ledger, desk, url, sql):
        await asyncio.gather(*[desk.given(ledger, desk.consent(), desk.code(f"{number}")) for number in range(20)])
        assert sorted(sql(url, "SELECT state, count(*) FROM consents GROUP BY state")) == ["active|1", "replaced|19"]

    async def test_targets_keep_their_order_and_their_assets(self, ledger, desk):
        plain = desk.consent()
        targets = (Target("bank.loan"), *plain.particulars.targets)
        consent, pair = await desk.issued(
            ledger, replace(plain, particulars=replace(plain.particulars, targets=targets))
        )
        assert (await ledger.consent_behind(pair.access.jti))[1] == consent


class TestEnding:
    """Every way out of the state active leaves its moment."""

    async def withdraw(self, ledger, desk, pair, at):
        assert await ledger.withdraw(pair.access.jti, desk.holder, at)

    async def replace(self, ledger, desk, _, at):
        consent = desk.consent()
        await ledger.issue_integrated(consent, desk.pair(consent), [], [], at)

    async def outlive(self, ledger, *_):
        assert await ledger.end_overdue(1_900_000_000) == 1

    @pytest.mark.parametrize(
        ("way", "state", "ended_at"),
        [
            ("withdraw", ConsentState.REVOKED, 1_800_000_060),
            ("replace", ConsentState.REPLACED, 1_800_000_060),
            ("outlive", ConsentState.ENDED, 1_900_000_000),
        ],
    )
    async def test_a_consent_knows_when_it_ended(self, ledger, desk, url, sql, way, state, ended_at):
        consent, pair = await desk.issued(ledger)
        mine = f"WHERE consent_id = '{consent.consent_id}'"
        assert sql(url, f"SELECT count(ended_at) FROM consents {mine}") == ["0"]
        await getattr(self, way)(ledger, desk, pair, desk.now + 60)
        assert sql(url, f"SELECT state, ended_at FROM consents {mine}") == [f"{state.value}|{ended_at}"]
